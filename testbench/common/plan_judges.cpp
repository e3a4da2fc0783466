#include "testbench/common/plan_judges.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <optional>
#include <sstream>

#include "model/errors.h"
#include "testbench/common/plan_lowering.h"
#include "testbench/common/plan_replay.h"
#include "testbench/common/plan_work.h"

namespace quadrille::testbench {
namespace {

constexpr double kMoreShare = 0.01;
constexpr double kTokenShare = 0.02;
constexpr double kSlackCycles = 16;

PlanPoint drawn(std::uint64_t seed, int point, bool grid) {
  // Points are independent: each is drawn from the seed and its own number.
  constexpr std::uint64_t kStep = 0x9e3779b97f4a7c15;
  PointDraw draw(seed + kStep * (2 * static_cast<std::uint64_t>(point) + (grid ? 1 : 0)));
  return grid ? draw.grid_point() : draw.short_point();
}

std::string files_of(const PlanPoint& point) {
  return "# chip.yaml\n" + point.chip.yaml() + "# workload.yaml\n" + point.workload.yaml();
}

/// The workload, and of the chip what plans depend on most.
std::string line_of(const PlanPoint& point) {
  std::string text = point.workload.line() + " |";
  for (const char* key : {"scratchpad.capacity_kib", "scratchpad.banks", "scratchpad.word_bytes",
                          "cim.macros", "cim.rows", "cim.columns", "dram.burst_cycles"})
    text += fmt::format(" {}={}", key, point.chip.text(key));
  return text;
}

/// "scratchpad.banks" of "FILE: line 3:4, scratchpad.banks: expected ..."; "" where
/// the message has none.
std::string key_at_fault(const std::string& message) {
  const auto file_end = message.find(": ");
  if (file_end == std::string::npos) return "";
  const auto place = file_end + 2;
  std::string key = message.substr(place, message.find(": ", place) - place);
  if (const auto comma = key.rfind(", "); comma != std::string::npos) key = key.substr(comma + 2);
  return key;
}

/// A message without its numbers: what refusals are counted by.
std::string without_numbers(const std::string& message) {
  std::string text;
  for (const char c : message) {
    if (std::isdigit(static_cast<unsigned char>(c)) == 0)
      text += c;
    else if (text.empty() || text.back() != '#')
      text += '#';
  }
  return text;
}

class Judge {
 public:
  Judge(int number, PlanPoint point) : number_(number), point_(std::move(point)) {}

  std::vector<PlanRecord> grid(bool beat) {
    if (!plan()) return records_;
    legal(*planned_, "");
    const auto result = guarded("runs", [&] { return planned_->run(hw::Timing::kTile); });
    if (!result) return records_;
    above_bounds("tile", result->cycles);
    for (const Step& step : steps()) more(step, *result);
    one_more_token(*result);
    if (beat && result->cycles <= kMostBeatCycles) tile_against_beat(result->cycles);
    return records_;
  }

  std::vector<PlanRecord> short_runs() {
    if (!plan()) return records_;
    legal(*planned_, "");
    for (const auto timing : {hw::Timing::kTile, hw::Timing::kBeat}) {
      const std::string name = timing == hw::Timing::kTile ? "tile" : "beat";
      const auto result = guarded(name, [&] { return planned_->run(timing); });
      if (!result) continue;
      add("runs", name, 0, false, "");
      above_bounds(name, result->cycles);
      // A tolerance stops where the data say, and random starting scalings are
      // not all above zero.
      if (point_.workload.has("shapes.c0") || point_.workload.has("shapes.r0")) continue;
      with_data(timing, name, result->cycles);
    }
    return records_;
  }

 private:
  void add(const std::string& property, const std::string& subject, double excess, bool failed,
           const std::string& text) {
    records_.push_back({property, subject, excess, failed, number_, text});
  }

  /// Does what a user might; whatever is thrown becomes a record. A refusal is
  /// allowed where a plan is made, and nowhere else.
  template <typename Do>
  auto guarded(const std::string& subject, Do act) -> std::optional<decltype(act())> {
    try {
      return act();
    } catch (const InputError& error) {
      add("refused in a run", subject, 1, true, error.what());
    } catch (const std::exception& error) {
      add("breaks", subject + ": " + without_numbers(error.what()), 1, true, error.what());
    }
    return std::nullopt;
  }

  /// No run takes less than its workload needs of any resource.
  void above_bounds(const std::string& timing, std::int64_t cycles) {
    const auto bounds = guarded("bounds", [&] { return planned_->bounds(); });
    if (!bounds) return;
    for (const hw::ResourceBound& bound : bounds->resources) {
      add("above its bounds", timing,
          static_cast<double>(bound.cycles) / static_cast<double>(cycles) - 1,
          bound.cycles > cycles,
          fmt::format("{} needs {} cycles, the run takes {} | {}", bound.resource, bound.cycles,
                      cycles, line_of(point_)));
    }
  }

  bool plan() {
    try {
      planned_ = std::make_unique<PlannedPoint>(folder_, point_);
      add("planned", "", 0, false, "");
      return true;
    } catch (const InputError& error) {
      refused(error.what());
    } catch (const std::exception& error) {
      add("breaks", "planning: " + without_numbers(error.what()), 1, true, error.what());
    }
    return false;
  }

  void refused(const std::string& message) {
    const std::string key = key_at_fault(message);
    const bool names_file = message.rfind(folder_.file(""), 0) == 0;
    // Messages call the key "shapes.X" tensor 'X', and "settings.causal" causal.
    const bool names_key = point_.chip.has(key) || point_.workload.has(key) ||
                           point_.workload.has("settings." + key) || key.rfind("tensor", 0) == 0;
    const std::string plain = message.substr(message.find(": ") + 2);
    add("refused", without_numbers(plain), 0, false, plain);
    if (!names_file || !names_key) add("refusal without file and key", key, 1, true, message);
  }

  void legal(const PlannedPoint& planned, const std::string& change) {
    const auto fault = first_plan_fault(planned.chip(), planned.mapping());
    add("legal", fault ? without_numbers(*fault) : "", fault ? 1 : 0, fault.has_value(),
        fault ? change + *fault : "");
  }

  /// More of one resource.
  struct Step {
    std::string name;
    std::string key;
    std::int64_t value = 0;
  };

  std::vector<Step> steps() const {
    const KeyedFile& chip = point_.chip;
    std::vector<Step> steps;
    const auto twice = [&](const char* name, const char* key) {
      steps.push_back({name, key, 2 * chip.number(key)});
    };
    twice("capacity", "scratchpad.capacity_kib");
    // A little more is where the cliffs are.
    const std::int64_t row = chip.number("scratchpad.banks") * chip.number("scratchpad.word_bytes");
    std::int64_t kib = chip.number("scratchpad.capacity_kib") * 9 / 8 + 1;
    while (kib * 1024 % row != 0) ++kib;
    steps.push_back({"capacity", "scratchpad.capacity_kib", kib});
    twice("macros", "cim.macros");
    steps.push_back({"macros", "cim.macros", chip.number("cim.macros") + 1});
    twice("banks", "scratchpad.banks");
    twice("bursts in flight", "dma.outstanding_bursts");
    if (chip.number("dram.burst_cycles") > 1)
      steps.push_back(
          {"DRAM bandwidth", "dram.burst_cycles", (chip.number("dram.burst_cycles") + 1) / 2});
    for (const char* engine : {"softmax", "damf", "sinkhorn", "linear", "vector"}) {
      const std::string key = std::string(engine) + ".lanes";
      steps.push_back({std::string(engine) + " lanes", key, 2 * chip.number(key)});
    }
    return steps;
  }

  void more(const Step& step, const hw::ChipResult& result) {
    PlanPoint larger = point_;
    larger.chip.set(step.key, step.value);
    std::unique_ptr<PlannedPoint> planned;
    const std::string name = "more " + step.name;
    const std::string change =
        fmt::format("{} {} -> {}", step.key, point_.chip.text(step.key), step.value);
    // Lanes wider than a word, say, are no chip.
    if (!possible(folder_, larger.chip)) return;
    try {
      planned = std::make_unique<PlannedPoint>(folder_, larger);
    } catch (const InputError& error) {
      // An engine of more lanes may itself hold less (matrices of one column).
      const std::string engine = step.key.substr(0, step.key.find('.') + 1);
      const bool its_own =
          step.key == engine + "lanes" && key_at_fault(error.what()).rfind(engine, 0) == 0;
      if (!its_own) add(name, "refused", 1, true, change + ": " + error.what());
      return;
    }
    legal(*planned, change + ": ");
    const auto found = guarded(name, [&] { return planned->run(hw::Timing::kTile); });
    if (!found) return;
    const double before = static_cast<double>(result.cycles);
    // More lanes can cost a unit itself more (a matrix of 48 lines in groups of 32).
    const double growth =
        closed_form_growth(result, closed_form_cycles(planned_->chip(), point_.workload),
                           closed_form_cycles(planned->chip(), point_.workload));
    const double excess =
        (static_cast<double>(found->cycles) - before * (1 + kMoreShare) - growth - kSlackCycles) /
        before;
    add(name, "", excess, excess > 0,
        fmt::format("{}: {} -> {} cycles | {}", change, result.cycles, found->cycles,
                    line_of(point_)));
  }

  void one_more_token(const hw::ChipResult& result) {
    PlanPoint longer = point_;
    longer.workload = with_one_more_token(point_.workload);
    std::unique_ptr<PlannedPoint> planned;
    try {
      planned = std::make_unique<PlannedPoint>(folder_, longer);
    } catch (const InputError&) {
      return;
    }
    legal(*planned, "one more token: ");
    const auto next = guarded("one more token", [&] { return planned->run(hw::Timing::kTile); });
    if (!next) return;
    const double before = static_cast<double>(result.cycles);
    const double growth =
        closed_form_growth(result, closed_form_cycles(planned_->chip(), point_.workload),
                           closed_form_cycles(planned_->chip(), longer.workload));
    const double excess =
        (static_cast<double>(next->cycles) - before * (1 + kTokenShare) - growth - kSlackCycles) /
        before;
    add("one more token", "", excess, excess > 0,
        fmt::format("{} -> {} cycles, closed forms grow by {:.0f} | {}", result.cycles,
                    next->cycles, growth, line_of(point_)));
  }

  /// What the plan's cycles grow by if the cycles of every unit grow as its closed
  /// form does: those of the busiest unit, or, where units wait for each other, of
  /// all of them, overlapped as they are.
  static double closed_form_growth(const hw::ChipResult& result, const UnitCycles& now,
                                   const UnitCycles& then) {
    UnitCycles busy{};
    for (const hw::CommandRecord& record : result.records)
      busy[static_cast<std::size_t>(record.unit)] +=
          static_cast<double>(record.end_cycle - record.start_cycle);
    double most = 0, all = 0, all_busy = 0;
    for (std::size_t unit = 0; unit < busy.size(); ++unit) {
      if (now[unit] <= 0) continue;
      const double growth = std::max(0.0, busy[unit] * (then[unit] / now[unit] - 1));
      most = std::max(most, growth);
      all += growth;
      all_busy += busy[unit];
    }
    const double overlap = static_cast<double>(result.cycles) / std::max(1.0, all_busy);
    return std::max(most, all * std::min(1.0, overlap));
  }

  void tile_against_beat(std::int64_t cycles) {
    const auto beat = guarded("beat", [&] { return planned_->run(hw::Timing::kBeat); });
    if (!beat) return;
    const double error = static_cast<double>(beat->cycles - cycles) / static_cast<double>(cycles);
    add("beat over tile", point_.chip.number("scratchpad.banks") < 8 ? "below 8 banks" : "",
        std::abs(error), false,
        fmt::format("{} -> {} cycles | {}", cycles, beat->cycles, line_of(point_)));
  }

  void with_data(hw::Timing timing, const std::string& name, std::int64_t cycles) {
    try {
      const DataRun run = planned_->run_with_data(timing);
      add("equals fixed", name, run.difference ? 1 : 0, run.difference.has_value(),
          run.difference.value_or(""));
      const bool stops =
          point_.workload.has("settings.tolerance") || point_.workload.has("sinkhorn.tolerance");
      if (!stops && run.cycles != cycles)
        add("data change no cycles", name, 1, true,
            fmt::format("{} cycles without data, {} with", cycles, run.cycles));
    } catch (const InputError& error) {
      // Random values may lie outside what an operator takes (held K's spread).
      add("refused for its data", without_numbers(error.what()), 0, false, error.what());
    } catch (const std::exception& error) {
      add("breaks", name + " with data: " + without_numbers(error.what()), 1, true, error.what());
    }
  }

  int number_;
  PlanPoint point_;
  TemporaryFolder folder_;
  std::unique_ptr<PlannedPoint> planned_;
  std::vector<PlanRecord> records_;
};

// --- processes ----------------------------------------------------------------

std::string one_line(std::string text) {
  for (char& c : text)
    if (c == '\t' || c == '\n') c = ' ';
  return text;
}

void write_record(std::ostream& out, const PlanRecord& record) {
  out << one_line(record.property) << '\t' << one_line(record.subject) << '\t' << record.excess
      << '\t' << record.failed << '\t' << record.point << '\t' << one_line(record.text) << '\n';
}

std::vector<PlanRecord> read_records(const std::string& path) {
  std::ifstream in(path);
  std::vector<PlanRecord> records;
  std::string line;
  while (std::getline(in, line)) {
    std::istringstream fields(line);
    PlanRecord record;
    std::string excess, failed, point;
    std::getline(fields, record.property, '\t');
    std::getline(fields, record.subject, '\t');
    std::getline(fields, excess, '\t');
    std::getline(fields, failed, '\t');
    std::getline(fields, point, '\t');
    std::getline(fields, record.text);
    record.excess = std::strtod(excess.c_str(), nullptr);
    record.failed = failed == "1";
    record.point = std::atoi(point.c_str());
    records.push_back(std::move(record));
  }
  return records;
}

/// One process's share of the points: every `processes`-th one.
class Worker {
 public:
  Worker(std::string path, int first, int count, int stride, int seconds,
         const std::function<std::vector<PlanRecord>(int)>& judge)
      : path_(std::move(path)),
        next_(first),
        count_(count),
        stride_(stride),
        seconds_(seconds),
        judge_(judge),
        at_(static_cast<int*>(::mmap(nullptr, sizeof(int), PROT_READ | PROT_WRITE,
                                     MAP_SHARED | MAP_ANONYMOUS, -1, 0))) {
    if (at_ == MAP_FAILED) throw std::runtime_error("mmap");
  }
  ~Worker() { ::munmap(at_, sizeof(int)); }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  bool done() const { return next_ >= count_; }
  pid_t process() const { return process_; }

  void start() {
    process_ = ::fork();
    if (process_ < 0) throw std::runtime_error("fork");
    if (process_ > 0) return;
    std::ofstream out(path_, std::ios::app);
    for (int point = next_; point < count_; point += stride_) {
      *at_ = point;
      ::alarm(static_cast<unsigned>(seconds_));
      // Nothing may unwind from here into what belongs to the parent.
      try {
        for (const PlanRecord& record : judge_(point)) write_record(out, record);
      } catch (const std::exception& error) {
        write_record(out, {"breaks", "the judge", 1, true, point, error.what()});
      }
      out.flush();
    }
    ::_exit(0);
  }

  void ended(int status) {
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
      next_ = count_;
      return;
    }
    const bool hung = WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM;
    std::ofstream out(path_, std::ios::app);
    write_record(out, {hung ? "hangs" : "crashes", "", 1, true, *at_,
                       hung ? fmt::format("more than {} s", seconds_)
                            : fmt::format("wait status {}", status)});
    next_ = *at_ + stride_;
  }

 private:
  std::string path_;
  int next_;
  int count_;
  int stride_;
  int seconds_;
  const std::function<std::vector<PlanRecord>(int)>& judge_;
  int* at_;
  pid_t process_ = -1;
};

}  // namespace

std::vector<PlanRecord> judge_grid_point(std::uint64_t seed, int point, bool beat) {
  return Judge(point, drawn(seed, point, true)).grid(beat);
}

std::vector<PlanRecord> judge_short_point(std::uint64_t seed, int point) {
  return Judge(point, drawn(seed, point, false)).short_runs();
}

std::string grid_point_files(std::uint64_t seed, int point) {
  return files_of(drawn(seed, point, true));
}

std::string short_point_files(std::uint64_t seed, int point) {
  return files_of(drawn(seed, point, false));
}

std::vector<PlanRecord> judge_points(
    int count, int processes, int seconds,
    const std::function<std::vector<PlanRecord>(int point)>& judge) {
  const TemporaryFolder folder;
  std::vector<std::unique_ptr<Worker>> workers;
  for (int i = 0; i < processes; ++i) {
    workers.push_back(std::make_unique<Worker>(folder.file(std::to_string(i)), i, count, processes,
                                               seconds, judge));
    workers.back()->start();
  }
  for (auto running = workers.size(); running > 0;) {
    int status = 0;
    const pid_t ended = ::wait(&status);
    if (ended < 0) throw std::runtime_error("wait");
    for (const auto& worker : workers) {
      if (worker->process() != ended) continue;
      worker->ended(status);
      if (worker->done())
        --running;
      else
        worker->start();
    }
  }
  std::vector<PlanRecord> records;
  for (int i = 0; i < processes; ++i) {
    for (PlanRecord& record : read_records(folder.file(std::to_string(i))))
      records.push_back(std::move(record));
  }
  std::stable_sort(records.begin(), records.end(),
                   [](const PlanRecord& a, const PlanRecord& b) { return a.point < b.point; });
  return records;
}

std::vector<PlanRecord> worst_of(const std::vector<PlanRecord>& records,
                                 const std::string& property) {
  std::vector<PlanRecord> worst;
  for (const PlanRecord& record : records)
    if (record.property == property) worst.push_back(record);
  std::stable_sort(worst.begin(), worst.end(),
                   [](const PlanRecord& a, const PlanRecord& b) { return a.excess > b.excess; });
  return worst;
}

}  // namespace quadrille::testbench
