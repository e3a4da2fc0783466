#include "app/report/trace.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

#include "app/report/counter_columns.h"
#include "app/version.h"
#include "hw/counters/counter_table.h"
#include "hw/counters/wait_causes.h"

namespace quadrille::app {
namespace {

using Json = nlohmann::ordered_json;

/// Processes of the trace, which readers show as groups of tracks.
enum Group { kUnitTracks = 1, kPathTrack = 2, kNodeTracks = 3 };

/// Something with a name that takes a while on one track.
struct Slice {
  Group group = kUnitTracks;
  int track = 0;
  std::int64_t from_cycle = 0;
  std::int64_t to_cycle = 0;
  int command = -1;  ///< Whose arguments it carries; -1: a wait.
  std::string name;
};

/// A value of each of equal windows of the range.
struct Series {
  const char* name;
  const char* unit;
  std::vector<double> values;
};

class TraceWriter {
 public:
  TraceWriter(const RunReport& report, const TraceOptions& options)
      : report_(report), options_(options) {
    range_ = options.cycles;
    range_.last = std::min(range_.last, report.outcome.chip.cycles - 1);
    const std::int64_t cycles = std::max<std::int64_t>(range_.last + 1 - range_.first, 0);
    while (window_cycles() * kMostWindows < cycles) ++window_step_;
    windows_ = static_cast<std::size_t>((cycles + window_cycles() - 1) / window_cycles());
  }

  Trace write() {
    collect();
    Trace trace;
    trace.complete_to_cycle = range_.last + 1;
    std::stable_sort(slices_.begin(), slices_.end(),
                     [](const Slice& a, const Slice& b) { return a.from_cycle < b.from_cycle; });
    const auto most = static_cast<std::size_t>(options_.most_slices);
    if (slices_.size() > most) {
      trace.slices_left_out = static_cast<std::int64_t>(slices_.size() - most);
      trace.complete_to_cycle = slices_[most].from_cycle;
      slices_.resize(most);
    }
    put_names();
    for (const Slice& slice : slices_) put(slice);
    put_counters();
    trace.json =
        fmt::format("{{\"displayTimeUnit\":\"ns\",\"otherData\":{},\"traceEvents\":[\n{}\n]}}\n",
                    head(trace).dump(), events_);
    return trace;
  }

 private:
  static constexpr std::int64_t kMostWindows = 500;

  const hw::ChipResult& chip() const { return report_.outcome.chip; }
  const hw::CommandRecord& record(int command) const {
    return chip().records[static_cast<std::size_t>(command)];
  }
  const hw::ProgramNode& node_of(int command) const {
    return report_.outcome.program.nodes[static_cast<std::size_t>(record(command).node)];
  }
  /// 1, 2, 5, 10, 20, ...
  std::int64_t window_cycles() const {
    constexpr std::array<std::int64_t, 3> digits = {1, 2, 5};
    std::int64_t window = digits.at(static_cast<std::size_t>(window_step_ % 3));
    for (int i = 0; i < window_step_ / 3; ++i) window *= 10;
    return window;
  }
  std::int64_t nanoseconds(std::int64_t cycle) const {
    return std::llround(1e9 * static_cast<double>(cycle) / report_.request.chip.clock_hz);
  }
  static double microseconds(std::int64_t nanoseconds) {
    return static_cast<double>(nanoseconds) / 1000.0;
  }

  /// Adds a slice, or the part of it that lies within the range.
  void add(Slice slice) {
    slice.from_cycle = std::max(slice.from_cycle, range_.first);
    slice.to_cycle = std::min(slice.to_cycle, range_.last + 1);
    if (slice.from_cycle < slice.to_cycle) slices_.push_back(std::move(slice));
  }

  std::string command_name(int command) const {
    const hw::CommandRecord& ran = record(command);
    return fmt::format("{}: {}", node_of(command).name, ran.step);
  }

  void collect() {
    const auto count = static_cast<int>(chip().records.size());
    for (int i = 0; i < count; ++i) {
      const hw::CommandRecord& ran = record(i);
      add({kUnitTracks, static_cast<int>(ran.unit), ran.start_cycle, ran.end_cycle, i,
           command_name(i)});
    }
    const hw::WaitCauses causes(report_.outcome.program, chip().records, hw::engines().units());
    for (int unit = 0; unit < hw::engines().units(); ++unit) {
      for (const hw::WaitCauses::Charge& wait : causes.waits(static_cast<hw::Unit>(unit))) {
        add({kUnitTracks, unit, wait.from, wait.to, -1,
             fmt::format("waits: {}", hw::stall_cause_name(causes.main_cause(wait)))});
      }
    }
    for (const hw::CriticalStep& step : report_.outcome.critical_path) {
      add({kPathTrack, 0, step.from_cycle, step.to_cycle, step.command,
           fmt::format("{} on {}", command_name(step.command),
                       hw::unit_name(record(step.command).unit))});
    }
    collect_nodes();
  }

  void collect_nodes() {
    const auto& nodes = report_.outcome.program.nodes;
    std::vector<Slice> spans(nodes.size());
    for (const hw::CommandRecord& ran : chip().records) {
      Slice& span = spans[static_cast<std::size_t>(ran.node)];
      span.from_cycle =
          span.to_cycle == 0 ? ran.start_cycle : std::min(span.from_cycle, ran.start_cycle);
      span.to_cycle = std::max(span.to_cycle, ran.end_cycle);
    }
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      spans[i].group = kNodeTracks;
      spans[i].track = static_cast<int>(i);
      spans[i].name = nodes[i].name;
      add(std::move(spans[i]));
    }
  }

  void put_event(const Json& event) {
    if (!events_.empty()) events_ += ",\n";
    events_ += event.dump();
  }

  void put_name(const char* what, Group group, int track, const std::string& name) {
    put_event({{"ph", "M"},
               {"name", what},
               {"pid", group},
               {"tid", track + 1},
               {"args", {{"name", name}}}});
  }

  void put_names() {
    put_name("process_name", kUnitTracks, 0, "units of " + report_.request.chip.name);
    put_name("process_name", kPathTrack, 0, "critical path");
    put_name("process_name", kNodeTracks, 0, "nodes of " + report_.request.workload.name);
    for (int unit = 0; unit < hw::engines().units(); ++unit)
      put_name("thread_name", kUnitTracks, unit, hw::unit_name(static_cast<hw::Unit>(unit)));
    put_name("thread_name", kPathTrack, 0, "critical path");
    const auto& nodes = report_.outcome.program.nodes;
    for (std::size_t i = 0; i < nodes.size(); ++i)
      put_name("thread_name", kNodeTracks, static_cast<int>(i), nodes[i].name);
  }

  Json arguments(int command) const {
    const hw::CommandRecord& ran = record(command);
    Json args = {{"command", command}, {"node", node_of(command).name}, {"step", ran.step}};
    if (!node_of(command).layer.empty()) args["layer"] = node_of(command).layer;
    if (ran.head >= 0) args["head"] = ran.head;
    args["busy_cycles"] = ran.occupancy.busy;
    for (int cause = 0; cause < hw::kStallCauses; ++cause) {
      const std::int64_t stalled = ran.occupancy.stalled[static_cast<std::size_t>(cause)];
      if (stalled > 0)
        args[fmt::format("stalled_{}_cycles",
                         hw::stall_cause_name(static_cast<hw::StallCause>(cause)))] = stalled;
    }
    const std::int64_t macs = ran.activity.macs_static + ran.activity.macs_dynamic;
    if (macs > 0) args["macs"] = macs;
    for (const hw::TrafficCounter& row : hw::kTrafficCounters) {
      const std::int64_t bytes = row.count(ran.traffic);
      if (bytes > 0) args[fmt::format("{}_{}", memory_level(row), row.info.name)] = bytes;
    }
    return args;
  }

  void put(const Slice& slice) {
    const std::int64_t from = nanoseconds(slice.from_cycle);
    const std::int64_t to = nanoseconds(slice.to_cycle);
    Json event = {{"ph", "X"},
                  {"name", slice.name},
                  {"cat", slice.group == kNodeTracks ? "node"
                          : slice.command < 0        ? "stall"
                                                     : "command"},
                  {"pid", slice.group},
                  {"tid", slice.track + 1},
                  {"ts", microseconds(from)},
                  {"dur", microseconds(to - from)}};
    if (slice.command >= 0) event["args"] = arguments(slice.command);
    put_event(event);
  }

  /// Spreads `amount` evenly over [from, to), and over the windows that lie within.
  void spread(std::vector<double>& windows, double amount, std::int64_t from,
              std::int64_t to) const {
    if (amount == 0.0) return;
    const double per_cycle = amount / static_cast<double>(to - from);
    std::int64_t at = std::max(from, range_.first);
    const std::int64_t end = std::min(to, range_.last + 1);
    while (at < end) {
      const std::int64_t window = (at - range_.first) / window_cycles();
      const std::int64_t stop = std::min(end, range_.first + (window + 1) * window_cycles());
      windows[static_cast<std::size_t>(window)] += per_cycle * static_cast<double>(stop - at);
      at = stop;
    }
  }

  void put_counters() {
    const std::vector<double> none(windows_, 0.0);
    Series read{"DRAM read", "GB/s", none}, written{"DRAM written", "GB/s", none};
    Series scratchpad{"scratchpad", "GB/s", none}, power{"power", "W", none};
    for (const hw::CommandRecord& ran : chip().records) {
      const hw::Traffic& traffic = ran.traffic;
      const auto put = [&](Series& series, double amount) {
        spread(series.values, amount, ran.start_cycle, ran.end_cycle);
      };
      put(read, 1e-9 * static_cast<double>(traffic.dram_read_bytes));
      put(written, 1e-9 * static_cast<double>(traffic.dram_write_bytes));
      put(scratchpad,
          1e-9 * static_cast<double>(traffic.sram_read.bytes + traffic.sram_write.bytes));
      put(power,
          1e-12 * hw::total(hw::dynamic_energy_pj(report_.request.chip, report_.request.technology,
                                                  ran.unit, ran.activity, traffic)));
    }
    spread(power.values, 1e-12 * report_.energy.total_static_pj(), 0, chip().cycles);
    for (const Series* series : {&read, &written, &scratchpad, &power}) put(*series);
  }

  /// Amounts become rates. The last window may be shorter.
  void put(const Series& series) {
    for (std::size_t i = 0; i < windows_; ++i) {
      const std::int64_t from = range_.first + static_cast<std::int64_t>(i) * window_cycles();
      const std::int64_t to = std::min(from + window_cycles(), range_.last + 1);
      const double seconds = static_cast<double>(to - from) / report_.request.chip.clock_hz;
      put_counter(series, from, series.values[i] / seconds);
    }
    if (windows_ > 0) put_counter(series, range_.last + 1, 0.0);
  }
  void put_counter(const Series& series, std::int64_t cycle, double value) {
    put_event({{"ph", "C"},
               {"name", fmt::format("{} ({})", series.name, series.unit)},
               {"pid", kUnitTracks},
               {"ts", microseconds(nanoseconds(cycle))},
               {"args", {{series.unit, value}}}});
  }

  Json head(const Trace& trace) const {
    return {{"quadrille", version()},
            {"workload", report_.request.workload.name},
            {"chip", report_.request.chip.name},
            {"clock_hz", report_.request.chip.clock_hz},
            {"cycles", chip().cycles},
            {"first_cycle", range_.first},
            {"last_cycle", range_.last},
            {"counter_window_cycles", window_cycles()},
            {"slices", slices_.size()},
            {"slices_left_out", trace.slices_left_out},
            {"complete_to_cycle", trace.complete_to_cycle}};
  }

  const RunReport& report_;
  const TraceOptions& options_;
  CycleRange range_;
  int window_step_ = 0;
  std::size_t windows_ = 0;
  std::vector<Slice> slices_;
  std::string events_;
};

}  // namespace

Trace trace_of(const RunReport& report, const TraceOptions& options) {
  return TraceWriter(report, options).write();
}

}  // namespace quadrille::app
