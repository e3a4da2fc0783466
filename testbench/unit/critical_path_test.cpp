// The chain of commands that made a run as long as it is: records made by hand, and
// random ones, whose chains are walked link by link.
#include "hw/counters/critical_path.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "testbench/common/command_records.h"
#include "testbench/common/portable_random.h"

namespace quadrille::hw {
namespace {

struct Found {
  int command;
  std::int64_t from, to;
  CriticalLink link;
  bool operator==(const Found& o) const {
    return command == o.command && from == o.from && to == o.to && link == o.link;
  }
};

class Ran : public testbench::CommandRecords {
 public:
  std::vector<CriticalStep> path() const {
    ChipResult result;
    result.records = records;
    for (const CommandRecord& each : records)
      result.cycles = std::max(result.cycles, each.end_cycle);
    return critical_path(program, result);
  }
  std::vector<Found> found() const {
    std::vector<Found> list;
    for (const CriticalStep& step : path())
      list.push_back({step.command, step.from_cycle, step.to_cycle, step.link});
    return list;
  }
};

TEST(CriticalPath, HasTheCommandsThatTheEndWaitedFor) {
  Ran run;
  const int load = run.add(Unit::kDma, 0, 60);
  const int hidden = run.add(Unit::kVector, 0, 20);
  run.add(Unit::kDma, 60, 100, {load, hidden});
  EXPECT_EQ(run.found(), (std::vector<Found>{{0, 0, 60, CriticalLink::kStart},
                                             {2, 60, 100, CriticalLink::kQueue}}));
}

TEST(CriticalPath, GoesThroughDependenciesAndTheExclusion) {
  Ran run;
  run.add(Unit::kCimCompute, 0, 7);
  const int load = run.add(Unit::kDma, 0, 4);
  const int write = run.add(Unit::kCimWrite, 7, 9, {load}, {}, 3);
  run.add(Unit::kCimCompute, 9, 12, {write});
  EXPECT_EQ(run.found(), (std::vector<Found>{{0, 0, 7, CriticalLink::kStart},
                                             {2, 7, 9, CriticalLink::kExclusion},
                                             {3, 9, 12, CriticalLink::kDependency}}));
}

TEST(CriticalPath, IsEmptyWithoutCommands) { EXPECT_TRUE(Ran().found().empty()); }

/// Whether what the link claims of the two commands is so.
void expect_true_link(const Ran& run, const CriticalStep& step, int before) {
  const auto at = static_cast<std::size_t>(step.command);
  const auto earlier = static_cast<std::size_t>(before);
  EXPECT_EQ(run.records[at].start_cycle, run.records[earlier].end_cycle);
  const std::vector<int>& needs = run.program.commands[at].depends_on;
  switch (step.link) {
    case CriticalLink::kQueue:
      EXPECT_EQ(run.records[at].unit, run.records[earlier].unit);
      break;
    case CriticalLink::kDependency:
      EXPECT_NE(std::find(needs.begin(), needs.end(), before), needs.end());
      break;
    default:
      ADD_FAILURE() << "command " << step.command << " follows " << before;
  }
}

TEST(CriticalPath, OfRandomRunsIsAChainWithoutGaps) {
  std::mt19937_64 random(5);
  for (int round = 0; round < 300; ++round) {
    Ran run;
    const int count = pick(random, 1, 40);
    for (int i = 0; i < count; ++i) {
      const auto unit = static_cast<Unit>(pick(random, 0, kUnits - 1));
      std::vector<int> needs;
      std::int64_t start = run.free_since(unit);
      for (int j = 0; j < i; ++j) {
        if (pick(random, 0, 9) > 1) continue;
        needs.push_back(j);
        start = std::max(start, run.records[static_cast<std::size_t>(j)].end_cycle);
      }
      run.add(unit, start, start + pick(random, 1, 30), needs);
    }
    const std::vector<CriticalStep> path = run.path();
    std::int64_t reached = 0;
    for (std::size_t i = 0; i < path.size(); ++i) {
      EXPECT_EQ(path[i].from_cycle, reached);
      EXPECT_EQ(run.records[static_cast<std::size_t>(path[i].command)].end_cycle, path[i].to_cycle);
      if (i == 0) {
        EXPECT_EQ(path[i].link, CriticalLink::kStart);
        EXPECT_EQ(run.records[static_cast<std::size_t>(path[i].command)].start_cycle, 0);
      } else {
        expect_true_link(run, path[i], path[i - 1].command);
      }
      reached = path[i].to_cycle;
    }
    for (const CommandRecord& each : run.records) EXPECT_LE(each.end_cycle, reached);
  }
}

}  // namespace
}  // namespace quadrille::hw
