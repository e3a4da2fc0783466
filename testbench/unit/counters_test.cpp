// Occupancy logs, their merging, and the counter tree.
#include <gtest/gtest.h>

#include <random>

#include "hw/counters/chip_counters.h"
#include "hw/counters/counter_table.h"
#include "hw/counters/occupancy.h"
#include "model/errors.h"
#include "testbench/common/portable_random.h"

namespace quadrille::hw {
namespace {

TEST(Occupancy, WhatWasNotLoggedIsIdle) {
  OccupancyLog log(false);
  log.add(CycleState::stalled(StallCause::kDependency), 5);
  log.add(CycleState::busy(), 10);
  log.add(CycleState::stalled(StallCause::kWritePort), 2);
  const OccupancyTotals totals = log.totals(20);
  EXPECT_EQ(totals.busy, 10);
  EXPECT_EQ(totals.all_stalled(), 7);
  EXPECT_EQ(totals.stalled_by(StallCause::kWritePort), 2);
  EXPECT_EQ(totals.idle, 3);
  EXPECT_EQ(totals.total(), 20);
}

// Cycle by cycle: busy over stalled over idle, running causes over waiting ones.
TEST(Occupancy, MergingEqualsACycleByCycleCount) {
  std::mt19937_64 random(9);
  const auto pick = [&random](int least, int most) { return quadrille::pick(random, least, most); };
  const auto state = [](int code) {
    if (code == 0) return CycleState::idle();
    if (code == 1) return CycleState::busy();
    return CycleState::stalled(static_cast<StallCause>(code - 2));
  };
  for (int round = 0; round < 100; ++round) {
    OccupancyLog logs[2] = {OccupancyLog(true), OccupancyLog(true)};
    std::vector<int> codes[2];
    for (int unit = 0; unit < 2; ++unit) {
      for (int span = pick(0, 12); span > 0; --span) {
        const int code = pick(0, 1 + kStallCauses);
        const int cycles = pick(0, 6);
        logs[unit].add(state(code), cycles);
        codes[unit].insert(codes[unit].end(), static_cast<std::size_t>(cycles), code);
      }
    }
    const std::size_t cycles = std::max(codes[0].size(), codes[1].size()) + 3;
    OccupancyTotals expected;
    for (auto& each : codes) each.resize(cycles, 0);
    for (std::size_t i = 0; i < cycles; ++i) {
      const int a = codes[0][i];
      const int b = codes[1][i];
      if (a == 1 || b == 1) {
        ++expected.busy;
      } else if (a == 0 && b == 0) {
        ++expected.idle;
      } else {
        const int cause = a == 0 ? b : (b == 0 ? a : std::min(a, b));
        ++expected.stalled[static_cast<std::size_t>(cause - 2)];
      }
    }
    const OccupancyTotals merged =
        merged_totals(logs[0], logs[1], static_cast<std::int64_t>(cycles));
    ASSERT_EQ(merged.busy, expected.busy);
    ASSERT_EQ(merged.stalled, expected.stalled);
    ASSERT_EQ(merged.idle, expected.idle);
    ASSERT_EQ(merged.total(), static_cast<std::int64_t>(cycles));
  }
}

constexpr CounterInfo kCycles = {"", "cycles", "cycles", "a run", "chip", Evidence::kTimed};
constexpr CounterInfo kReadBytes = {"memory.dram", "read_bytes", "bytes",
                                    "read",        "dram",       Evidence::kCounted};
constexpr CounterInfo kSaturated = {"memory.dram", "saturated", "count",
                                    "clamped",     "dram",      Evidence::kValues};

TEST(CounterTree, FindsByPathAndKeepsItsOrder) {
  CounterModule root("chip");
  root.add(kCycles, 7);
  root.add(kReadBytes, 64);
  root.add(kSaturated, std::nullopt);
  root.add(kReadBytes, "read_bytes_again", 65);
  EXPECT_EQ(root.value("cycles"), 7);
  EXPECT_EQ(root.value("memory.dram.read_bytes"), 64);
  EXPECT_EQ(root.value("memory.dram.read_bytes_again"), 65);
  EXPECT_EQ(root.find("memory.sram.read_bytes"), nullptr);
  EXPECT_EQ(root.find("memory.dram.write_bytes"), nullptr);
  EXPECT_THROW(root.value("memory.dram.write_bytes"), InvariantError);
  EXPECT_THROW(root.value("memory.dram.saturated"), InvariantError);
  ASSERT_EQ(root.children().size(), 1U);
  EXPECT_EQ(root.children()[0].children()[0].counters()[0].name, "read_bytes");
}

void expect_described(const CounterModule& module, const std::string& path, int& counters) {
  for (const Counter& counter : module.counters()) {
    EXPECT_FALSE(counter.name.empty()) << path;
    EXPECT_STRNE(counter.info->unit, "") << path << counter.name;
    EXPECT_STRNE(counter.info->description, "") << path << counter.name;
    EXPECT_STRNE(counter.info->owner, "") << path << counter.name;
    ++counters;
  }
  for (const CounterModule& child : module.children()) {
    expect_described(child, path + child.name() + ".", counters);
  }
}

// A row of the table is summed, shown and, if it has a price, priced.
TEST(CounterTable, EveryRowOfAnActivityIsSummed) {
  Activity one;
  Activity sum;
  std::int64_t value = 0;
  for (const ActivityCounter& row : kActivityCounters) {
    one.*row.count = ++value;
    sum.*row.count = 100 * value;
  }
  sum += one;
  value = 0;
  for (const ActivityCounter& row : kActivityCounters) EXPECT_EQ(sum.*row.count, 101 * ++value);
}

TEST(CounterTable, SaysHowANumberCameAbout) {
  constexpr CountedRun kTile{true, false};
  constexpr CountedRun kTileWithoutData{false, false};
  constexpr CountedRun kBeat{false, true};
  EXPECT_STREQ(evidence_word(Evidence::kMoved, kTile), "counted");
  EXPECT_STREQ(evidence_word(Evidence::kMoved, kTileWithoutData), "derived");
  EXPECT_STREQ(evidence_word(Evidence::kMoved, kBeat), "counted");
  EXPECT_STREQ(evidence_word(Evidence::kTimed, kTile), "derived");
  EXPECT_STREQ(evidence_word(Evidence::kTimed, kBeat), "counted");
  EXPECT_STREQ(evidence_word(Evidence::kModel, kBeat), "model");
  EXPECT_STREQ(evidence_word(Evidence::kBeatOnly, kTile), "none");
}

TEST(CounterTree, EveryCounterOfTheChipHasUnitAndDescription) {
  ChipTotals totals;
  totals.bank_conflicts.assign(4, 0);
  totals.engine("vector").activity.requantises = 5;
  const CounterModule chip = chip_counters(totals);
  int counters = 0;
  expect_described(chip, "", counters);
  EXPECT_GT(counters, 100);
  EXPECT_EQ(chip.value("ops.requantises"), 5);
  EXPECT_EQ(chip.value("engines.vector.ops.requantises"), 5);
  EXPECT_EQ(chip.value("memory.sram.bank_conflicts.bank_3"), 0);
  EXPECT_FALSE(chip.find("engines.damf.values.saturated")->value.has_value());
}

}  // namespace
}  // namespace quadrille::hw
