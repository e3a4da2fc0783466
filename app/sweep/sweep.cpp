#include "app/sweep/sweep.h"

#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <optional>

#include "app/files/atomic_file.h"
#include "app/files/progress.h"
#include "app/files/shipped.h"
#include "app/files/suggest.h"
#include "app/files/worker_processes.h"
#include "app/sweep/journal.h"
#include "app/sweep/point_runner.h"
#include "model/errors.h"

namespace quadrille::app {
namespace {

namespace fs = std::filesystem;

constexpr const char* kJournal = "points.jsonl";
constexpr const char* kTable = "points.csv";

/// "312 of 1,000 points, 14 s left" on a terminal, a few times per second.
class SweepProgress {
 public:
  SweepProgress(std::int64_t before, std::int64_t all)
      : before_(before), all_(all), begun_(Clock::now()), shown_(begun_) {}

  void show(std::int64_t done) {
    const auto now = Clock::now();
    if (now - shown_ < std::chrono::milliseconds(200)) return;
    shown_ = now;
    const double elapsed = std::chrono::duration<double>(now - begun_).count();
    const auto made = static_cast<double>(done - before_);
    std::string left;
    if (made > 0.0) {
      const auto seconds =
          static_cast<std::int64_t>(elapsed / made * static_cast<double>(all_ - done) + 0.5);
      left = seconds < 120    ? fmt::format(", {} s left", seconds)
             : seconds < 7200 ? fmt::format(", {} min left", seconds / 60)
                              : fmt::format(", {} h left", seconds / 3600);
    }
    progress_.show(fmt::format("{} of {} points{}", done, all_, left));
  }

 private:
  using Clock = std::chrono::steady_clock;

  Progress progress_;
  std::int64_t before_;
  std::int64_t all_;
  Clock::time_point begun_;
  Clock::time_point shown_;
};

/// The results by point: those found, and those that come.
class Results {
 public:
  Results(const SweepSpec& spec, const std::vector<std::string>& found)
      : spec_(spec), by_point_(static_cast<std::size_t>(spec.points())) {
    for (const std::string& line : found) add(line);
  }

  void add(const std::string& line) {
    SweepResult result = parse_result(line);
    if (result.point < 0 || result.point >= spec_.points())
      throw InvariantError(fmt::format("point {} of a sweep of {}", result.point, spec_.points()));
    // Whether a name is one of a total shows in the first point that has any.
    if (result.good() && !names_checked_) require_totals(spec_, result);
    names_checked_ = names_checked_ || result.good();
    std::optional<SweepResult>& place = by_point_[static_cast<std::size_t>(result.point)];
    if (!place) ++count_;
    place = std::move(result);
  }

  std::int64_t count() const { return count_; }

  std::vector<std::int64_t> missing() const {
    std::vector<std::int64_t> points;
    for (std::size_t i = 0; i < by_point_.size(); ++i) {
      if (!by_point_[i]) points.push_back(static_cast<std::int64_t>(i));
    }
    return points;
  }

  std::vector<SweepResult> take() {
    std::vector<SweepResult> all;
    all.reserve(by_point_.size());
    for (std::optional<SweepResult>& result : by_point_) all.push_back(std::move(result.value()));
    return all;
  }

 private:
  const SweepSpec& spec_;
  std::vector<std::optional<SweepResult>> by_point_;
  std::int64_t count_ = 0;
  bool names_checked_ = false;
};

/// The folder for the points: made, or one that a sweep has made.
std::string prepared(const std::string& folder) {
  if (folder.empty()) throw InputError("--output", "''", "expected a folder");
  const fs::path path(folder);
  std::error_code error;
  fs::create_directories(path, error);
  if (error || !fs::is_directory(path)) {
    throw InputError(
        printable(folder, 400), "output folder",
        "expected a folder that can be written" + (error ? ": " + error.message() : std::string()));
  }
  if (fs::exists(path / kTable) && !fs::exists(path / kJournal)) {
    throw InputError(
        (path / kTable).string(), "output folder",
        "expected no table that no sweep left here; give another folder with -o, or move it away");
  }
  return path.string();
}

void make_missing(PointRunner& runner, Journal& journal, Results& results, int processes) {
  ParallelWork work;
  work.items = results.missing();
  work.processes = processes;
  SweepProgress progress(results.count(),
                         results.count() + static_cast<std::int64_t>(work.items.size()));
  work.work = [&](std::int64_t point) { return runner.run(point); };
  work.done = [&](std::int64_t, const std::string& line) {
    results.add(line);
    journal.append(line);
  };
  // Not in the journal: what killed it, say a lack of memory, may be over when the sweep
  // is taken up again.
  work.lost = [&](std::int64_t point, const std::string& how) {
    results.add(failure_line(point, "process", "the process that simulated it ended: " + how));
  };
  work.tick = [&] { progress.show(results.count()); };
  run_in_processes(work);
  journal.sync();
}

}  // namespace

SweepOutcome run_sweep(const SweepOptions& options) {
  SweepOutcome outcome;
  outcome.spec = read_sweep_spec(find_file("SPEC", "sweeps", options.spec));
  PointRunner runner(outcome.spec);
  const fs::path folder = prepared(options.folder);
  Journal journal((folder / kJournal).string(), runner.fingerprints());
  Results results(outcome.spec, journal.found());
  outcome.found = results.count();
  try {
    make_missing(runner, journal, results, processes_of(options.processes));
  } catch (const InputError&) {
    // The spec names a total that there is not: mended, it is another sweep, which the
    // points of this one must not keep from the folder.
    std::error_code error;
    if (outcome.found == 0) fs::remove(folder / kJournal, error);
    throw;
  }
  outcome.table = judge(outcome.spec, results.take());
  write_file((folder / kTable).string(), points_csv(outcome.spec, outcome.table));
  return outcome;
}

}  // namespace quadrille::app
