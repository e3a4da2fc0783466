// Waits charged to resources: records made by hand with known answers, and random
// programs against a walk that looks at every cycle.
#include "hw/counters/wait_causes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

#include "model/errors.h"
#include "testbench/common/command_records.h"
#include "testbench/common/portable_random.h"

namespace quadrille::hw {
namespace {

using Causes = std::map<StallCause, std::int64_t>;

class Records : public testbench::CommandRecords {
 public:
  Causes causes(Unit unit, std::int64_t from, std::int64_t to) const {
    OccupancyTotals totals;
    const std::int64_t charged =
        WaitCauses(program, records, kUnits).charge(unit, from, to, totals);
    EXPECT_EQ(charged, totals.all_stalled());
    EXPECT_EQ(totals.busy, 0);
    Causes found;
    for (int cause = 0; cause <= kStallCauses; ++cause) {
      const auto each = static_cast<StallCause>(cause);
      if (totals.stalled_by(each) != 0) found[each] = totals.stalled_by(each);
    }
    return found;
  }
};

TEST(WaitCauses, AChainOfWaitsEndsAtResources) {
  Records run;
  const int load = run.add(Unit::kDma, 0, 10, {}, {{StallCause::kDram, 6}});
  const int write = run.add(Unit::kCimWrite, 10, 14, {load}, {{StallCause::kFill, 1}});
  const int scores = run.add(Unit::kCimCompute, 14, 24, {write}, {{StallCause::kBankConflict, 2}});
  run.add(Unit::kSoftmax, 24, 30, {scores});
  EXPECT_EQ(run.causes(Unit::kDma, 0, 30), Causes{});
  EXPECT_EQ(run.causes(Unit::kCimWrite, 0, 30), (Causes{{StallCause::kDram, 10}}));
  EXPECT_EQ(run.causes(Unit::kSoftmax, 0, 30), (Causes{{StallCause::kDram, 10},
                                                       {StallCause::kCimWritePort, 3},
                                                       {StallCause::kFill, 1},
                                                       {StallCause::kCimThroughput, 8},
                                                       {StallCause::kBankConflict, 2}}));
}

TEST(WaitCauses, APartOfACommandIsChargedInItsProportions) {
  Records run;
  const int other = run.add(Unit::kVector, 0, 10, {}, {{StallCause::kFill, 4}});
  run.add(Unit::kLinear, 0, 5);
  run.add(Unit::kLinear, 10, 12, {other});
  run.add(Unit::kDamf, 0, 9);
  run.add(Unit::kDamf, 10, 12, {other});
  EXPECT_EQ(run.causes(Unit::kLinear, 0, 12),
            (Causes{{StallCause::kVectorThroughput, 3}, {StallCause::kFill, 2}}));
  // What rounding leaves goes to the largest.
  EXPECT_EQ(run.causes(Unit::kDamf, 0, 12), (Causes{{StallCause::kVectorThroughput, 1}}));
}

TEST(WaitCauses, CommandsBeforeTheOneWaitedForCountByTheirOwnCauses) {
  Records run;
  run.add(Unit::kSinkhorn, 0, 8);
  const int waited = run.add(Unit::kSinkhorn, 8, 10, {}, {{StallCause::kWritePort, 2}});
  run.add(Unit::kVector, 10, 11, {waited});
  EXPECT_EQ(run.causes(Unit::kVector, 0, 11),
            (Causes{{StallCause::kSinkhornThroughput, 8}, {StallCause::kWritePort, 2}}));
}

TEST(WaitCauses, OfSeveralTheLastToEndIsWaitedFor) {
  Records run;
  const int late = run.add(Unit::kLinear, 0, 9);
  const int early = run.add(Unit::kDamf, 0, 7);
  run.add(Unit::kVector, 9, 11, {late, early});
  EXPECT_EQ(run.causes(Unit::kVector, 0, 11), (Causes{{StallCause::kLinearThroughput, 9}}));
}

TEST(WaitCauses, WaitsForTheExclusionOfOthersAreTheExclusions) {
  Records run;
  const int load = run.add(Unit::kDma, 0, 4);
  run.add(Unit::kCimCompute, 0, 7);
  const int write = run.add(Unit::kCimWrite, 7, 9, {load}, {}, 3);
  run.add(Unit::kCimCompute, 9, 12, {write});
  run.add(Unit::kSoftmax, 9, 10, {write});
  EXPECT_EQ(run.causes(Unit::kSoftmax, 0, 12), (Causes{{StallCause::kDram, 4},
                                                       {StallCause::kWriteExclusion, 3},
                                                       {StallCause::kCimWritePort, 2}}));
  EXPECT_EQ(run.causes(Unit::kCimCompute, 0, 12), (Causes{{StallCause::kCimWritePort, 2}}));
}

TEST(WaitCauses, OnlyTheCyclesAskedForAreCharged) {
  Records run;
  const int load = run.add(Unit::kDma, 0, 10);
  const int write = run.add(Unit::kCimWrite, 10, 20, {load});
  run.add(Unit::kCimCompute, 20, 30, {write});
  EXPECT_EQ(run.causes(Unit::kCimCompute, 8, 13),
            (Causes{{StallCause::kDram, 2}, {StallCause::kCimWritePort, 3}}));
  EXPECT_EQ(run.causes(Unit::kCimCompute, 20, 30), Causes{});
}

TEST(WaitCauses, AWaitThatNobodyEndedIsRefused) {
  Records run;
  const int load = run.add(Unit::kDma, 0, 10);
  run.add(Unit::kVector, 12, 15, {load});
  EXPECT_THROW(WaitCauses(run.program, run.records, kUnits), InvariantError);
}

/// The command that a unit's wait in this cycle goes back to.
int culprit(const Records& run, int waiting, std::int64_t cycle) {
  int last = -1;
  for (const int each : run.program.commands[static_cast<std::size_t>(waiting)].depends_on) {
    if (last < 0 || run.records[static_cast<std::size_t>(each)].end_cycle >
                        run.records[static_cast<std::size_t>(last)].end_cycle)
      last = each;
  }
  const Unit unit = run.records[static_cast<std::size_t>(last)].unit;
  for (int i = 0;; ++i) {
    const CommandRecord& record = run.records[static_cast<std::size_t>(i)];
    if (record.unit != unit || record.end_cycle <= cycle) continue;
    return record.start_cycle <= cycle ? i : culprit(run, i, cycle);
  }
}

TEST(WaitCauses, EqualAWalkCycleByCycleOverRandomPrograms) {
  std::mt19937_64 random(21);
  for (int round = 0; round < 30; ++round) {
    Records run;
    for (int i = 0; i < 60; ++i) {
      const auto unit = static_cast<Unit>(pick(random, 0, kUnits - 1));
      std::vector<int> depends_on;
      std::int64_t start = run.free_since(unit);
      for (int n = i == 0 ? 0 : pick(random, 0, 2); n > 0; --n) {
        depends_on.push_back(pick(random, std::max(0, i - 12), i - 1));
        start = std::max(start, run.records[static_cast<std::size_t>(depends_on.back())].end_cycle);
      }
      run.add(unit, start, start + pick(random, 1, 9), depends_on);
    }
    for (int i = 0; i < static_cast<int>(run.records.size()); ++i) {
      const CommandRecord& record = run.records[static_cast<std::size_t>(i)];
      Causes expected;
      for (std::int64_t cycle = record.start_cycle - record.dependency_cycles;
           cycle < record.start_cycle; ++cycle) {
        const Unit unit = run.records[static_cast<std::size_t>(culprit(run, i, cycle))].unit;
        const StallCause causes[kUnits] = {StallCause::kDram,
                                           StallCause::kCimWritePort,
                                           StallCause::kCimThroughput,
                                           StallCause::kSoftmaxThroughput,
                                           StallCause::kDamfThroughput,
                                           StallCause::kVectorThroughput,
                                           StallCause::kSinkhornThroughput,
                                           StallCause::kLinearThroughput};
        ++expected[causes[static_cast<std::size_t>(unit)]];
      }
      ASSERT_EQ(run.causes(record.unit, record.start_cycle - record.dependency_cycles,
                           record.start_cycle),
                expected)
          << "command " << i << " of round " << round;
    }
  }
}

}  // namespace
}  // namespace quadrille::hw
