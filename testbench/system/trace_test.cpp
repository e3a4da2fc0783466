// Question: is a timeline's trace well-formed, and does it tell what the run counted?
#include "app/report/trace.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "app/config/chip_file.h"
#include "app/config/technology_file.h"
#include "app/config/workload_file.h"
#include "app/files/shipped.h"

namespace quadrille::testbench {
namespace {

using app::CycleRange;
using nlohmann::json;

app::RunReport report_of(const std::string& workload) {
  app::RunRequest request;
  request.workload = app::read_workload_file(app::find_file("w", "workloads", workload));
  const app::ParsedChip chip = app::parse_chip_file(app::find_file("c", "chips", "small"), {});
  request.chip = app::resolve(chip);
  request.technology = app::read_technology_file(app::technology_path(chip));
  request.data = false;
  app::RunOutcome outcome = app::simulate(request);
  return app::make_report(std::move(request), std::move(outcome), {});
}

struct Track {
  int group, number;
  bool operator<(const Track& o) const {
    return group != o.group ? group < o.group : number < o.number;
  }
};
struct Slice {
  std::int64_t from_ns, to_ns;
  std::string name;
  json args;
};

/// A trace as a reader that knows the form's rules takes it.
struct ReadTrace {
  std::map<Track, std::vector<Slice>> slices;
  std::map<std::string, std::vector<std::pair<std::int64_t, double>>> counters;
  std::set<Track> named;
  json head;
};

std::int64_t whole_nanoseconds(const json& microseconds) {
  const double ns = 1000.0 * microseconds.get<double>();
  EXPECT_NEAR(ns, std::round(ns), 1e-5);
  return std::llround(ns);
}

ReadTrace read(const std::string& text) {
  ReadTrace trace;
  const json all = json::parse(text);
  trace.head = all.at("otherData");
  for (const json& event : all.at("traceEvents")) {
    const auto phase = event.at("ph").get<std::string>();
    const auto name = event.at("name").get<std::string>();
    if (phase == "C") {
      EXPECT_EQ(event.at("args").size(), 1u);
      trace.counters[name].emplace_back(whole_nanoseconds(event.at("ts")),
                                        event.at("args").begin()->get<double>());
      continue;
    }
    const Track track{event.at("pid").get<int>(), event.at("tid").get<int>()};
    if (phase == "M") {
      if (name == "thread_name") trace.named.insert(track);
      EXPECT_FALSE(event.at("args").at("name").get<std::string>().empty());
      continue;
    }
    EXPECT_EQ(phase, "X");
    const std::int64_t from = whole_nanoseconds(event.at("ts"));
    trace.slices[track].push_back({from, from + whole_nanoseconds(event.at("dur")), name,
                                   event.value("args", json::object())});
  }
  return trace;
}

/// Slices of a track lie one behind the other, and tracks have names.
void expect_well_formed(const ReadTrace& trace) {
  for (const auto& [track, slices] : trace.slices) {
    EXPECT_EQ(trace.named.count(track), 1u);
    for (std::size_t i = 0; i < slices.size(); ++i) {
      EXPECT_LT(slices[i].from_ns, slices[i].to_ns);
      if (i > 0) {
        EXPECT_LE(slices[i - 1].to_ns, slices[i].from_ns) << slices[i].name;
      }
    }
  }
}

/// Of a counter that holds each value until the next.
double integral(const std::vector<std::pair<std::int64_t, double>>& values) {
  double sum = 0.0;
  for (std::size_t i = 0; i + 1 < values.size(); ++i)
    sum += values[i].second * 1e-9 * static_cast<double>(values[i + 1].first - values[i].first);
  return sum;
}

constexpr int kUnits = 1, kPath = 2, kNodes = 3;

TEST(Trace, TellsWhatTheRunCounted) {
  for (const char* workload : {"smoke-softmax", "smoke-damf", "smoke-sinkhorn", "smoke-linear"}) {
    SCOPED_TRACE(workload);
    const app::RunReport report = report_of(workload);
    const hw::ChipResult& chip = report.outcome.chip;
    const ReadTrace trace = read(trace_of(report, {}).json);
    expect_well_formed(trace);
    std::size_t commands = 0;
    std::int64_t path_ns = 0;
    for (const auto& [track, slices] : trace.slices) {
      for (const Slice& slice : slices) {
        if (track.group == kPath) path_ns += slice.to_ns - slice.from_ns;
        if (track.group != kUnits || slice.args.empty()) continue;
        ++commands;
        const auto& record = chip.records.at(slice.args.at("command").get<std::size_t>());
        EXPECT_EQ(static_cast<int>(record.unit) + 1, track.number);
        EXPECT_NEAR(static_cast<double>(slice.from_ns),
                    1e9 * static_cast<double>(record.start_cycle) / report.request.chip.clock_hz,
                    0.5);
        EXPECT_EQ(slice.args.at("busy_cycles"), record.occupancy.busy);
      }
    }
    EXPECT_EQ(commands, chip.records.size());
    EXPECT_EQ(trace.slices.at({kPath, 1}).size(), report.outcome.critical_path.size());
    EXPECT_EQ(trace.slices.at({kPath, 1}).front().from_ns, 0);
    EXPECT_NEAR(static_cast<double>(path_ns), 1e9 * report.rates.seconds, 0.5);
    EXPECT_EQ(trace.head.at("slices_left_out"), 0);
    // Windows are whole cycles of 5 ns or more, rounded to whole nanoseconds.
    const auto bytes = static_cast<double>(chip.totals.traffic.dram_read_bytes);
    EXPECT_NEAR(1e9 * integral(trace.counters.at("DRAM read (GB/s)")), bytes, 1e-3 * bytes);
    const double joules =
        1e-12 * (report.energy.total_dynamic_pj() + report.energy.total_static_pj());
    EXPECT_NEAR(integral(trace.counters.at("power (W)")), joules, 1e-3 * joules);
  }
}

TEST(Trace, AUnitsSlicesAndWaitsAreItsTimeUpToItsLastCommand) {
  const app::RunReport report = report_of("smoke-softmax");
  const ReadTrace trace = read(trace_of(report, {}).json);
  for (const auto& [track, slices] : trace.slices) {
    if (track.group != kUnits) continue;
    std::int64_t covered_ns = 0;
    for (const Slice& slice : slices) {
      covered_ns += slice.to_ns - slice.from_ns;
      EXPECT_EQ(slice.args.empty(), slice.name.rfind("waits: ", 0) == 0) << slice.name;
    }
    EXPECT_EQ(covered_ns, slices.back().to_ns) << track.number;
  }
}

TEST(Trace, IsBoundedAndSaysWhatIsLeftOut) {
  const app::RunReport report = report_of("smoke-softmax");
  const app::Trace whole = trace_of(report, {});
  const app::Trace part = trace_of(report, {{}, 20});
  const ReadTrace all = read(whole.json), some = read(part.json);
  std::int64_t kept = 0, there = 0;
  for (const auto& [track, slices] : some.slices) kept += static_cast<std::int64_t>(slices.size());
  for (const auto& [track, slices] : all.slices) there += static_cast<std::int64_t>(slices.size());
  EXPECT_EQ(kept, 20);
  EXPECT_EQ(part.slices_left_out, there - kept);
  EXPECT_EQ(some.head.at("slices_left_out"), there - kept);
  const double complete_ns =
      1e9 * static_cast<double>(part.complete_to_cycle) / report.request.chip.clock_hz;
  for (const auto& [track, slices] : all.slices) {
    for (const Slice& slice : slices) {
      if (static_cast<double>(slice.from_ns) >= complete_ns) continue;
      const std::vector<Slice>& shown = some.slices.at(track);
      EXPECT_TRUE(std::any_of(shown.begin(), shown.end(), [&](const Slice& each) {
        return each.from_ns == slice.from_ns && each.name == slice.name;
      })) << slice.name;
    }
  }
  EXPECT_EQ(all.counters, some.counters);
}

TEST(Trace, OfARangeHasNothingOutsideIt) {
  const app::RunReport report = report_of("smoke-damf");
  const ReadTrace trace = read(trace_of(report, {CycleRange{100, 499}}).json);
  expect_well_formed(trace);
  const double ns_per_cycle = 1e9 / report.request.chip.clock_hz;
  for (const auto& [track, slices] : trace.slices) {
    for (const Slice& slice : slices) {
      EXPECT_GE(static_cast<double>(slice.from_ns), 100 * ns_per_cycle);
      EXPECT_LE(static_cast<double>(slice.to_ns), 500 * ns_per_cycle);
    }
  }
  for (const auto& [name, values] : trace.counters) {
    EXPECT_EQ(values.front().first, std::llround(100 * ns_per_cycle)) << name;
    EXPECT_EQ(values.back().first, std::llround(500 * ns_per_cycle)) << name;
  }
  // A range behind the run's end is empty and no fault.
  EXPECT_TRUE(
      read(trace_of(report, {CycleRange{1'000'000'000, 1'000'000'001}}).json).slices.empty());
}

}  // namespace
}  // namespace quadrille::testbench
