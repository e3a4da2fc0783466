// Order, dependencies, waits and deadlocks, with units of fixed durations.
#include "hw/sequencer/sequencer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "hw/engines.h"
#include "hw/simulation_context.h"
#include "model/errors.h"

namespace quadrille::hw {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

struct Ran {
  std::int64_t start = 0;
  std::int64_t end = 0;
  std::int64_t dependency = 0;
  std::int64_t exclusion = 0;
};

class FixedUnit : public UnitExecutor {
 public:
  std::map<int, std::int64_t>* durations = nullptr;
  std::map<int, Ran>* ran = nullptr;
  std::int64_t start(const CommandStart& start) override {
    Ran& entry = (*ran)[start.index];
    entry = {start.cycle, 0, start.dependency_cycles, start.exclusion_cycles};
    const std::int64_t duration = (*durations)[start.index];
    return duration < 0 ? kOpenEnd : start.cycle + duration;
  }
  void finish(int index, const Command&, std::int64_t cycle) override { (*ran)[index].end = cycle; }
};

class SequencerTest : public testing::Test {
 protected:
  int add(Operation operation, std::int64_t duration, std::vector<int> depends_on = {}) {
    Command command;
    command.operation = operation;
    command.depends_on = std::move(depends_on);
    program.commands.push_back(command);
    const int index = static_cast<int>(program.commands.size()) - 1;
    durations[index] = duration;
    return index;
  }

  std::int64_t run(bool write_while_compute = true) {
    SimulationContext context;
    std::vector<UnitQueue> queues(units.size());
    for (std::size_t i = 0; i < units.size(); ++i) {
      units[i].durations = &durations;
      units[i].ran = &ran;
      queues[i] = {unit_name(static_cast<Unit>(i)), &units[i], std::nullopt};
    }
    const auto exclude = [&](Unit unit, Unit other) {
      queues[static_cast<std::size_t>(unit)].excludes = other;
    };
    if (!write_while_compute) {
      exclude(Unit::kCimWrite, Unit::kCimCompute);
      exclude(Unit::kCimCompute, Unit::kCimWrite);
    }
    Sequencer sequencer("sequencer", Clock(1e9), queues);
    sequencer.load(program);
    sc_core::sc_start();
    sequencer.check_finished();
    return sequencer.end_cycle();
  }

  std::string error() {
    try {
      run();
    } catch (const InvariantError& thrown) {
      return thrown.what();
    }
    return "";
  }

  Program program;
  std::map<int, std::int64_t> durations;
  std::map<int, Ran> ran;
  std::array<FixedUnit, kUnits> units;
};

TEST_F(SequencerTest, UnitsOverlapAndCommandsOfAUnitDoNot) {
  add(DmaCopy{}, 10);
  add(DmaCopy{}, 5);
  add(SoftmaxRows{}, 7);
  EXPECT_EQ(run(), 15);
  EXPECT_EQ(ran[1].start, 10);
  EXPECT_EQ(ran[2].start, 0);
  EXPECT_EQ(ran[2].end, 7);
}

TEST_F(SequencerTest, DependentsStartInTheCycleOfTheLastEnd) {
  add(DmaCopy{}, 10);
  add(SoftmaxRows{}, 4);
  add(VectorRequantise{}, 3, {0, 1});
  add(DmaCopy{}, 1, {2});
  EXPECT_EQ(run(), 14);
  EXPECT_EQ(ran[2].start, 10);
  EXPECT_EQ(ran[2].dependency, 10);
  EXPECT_EQ(ran[3].start, 13);
  EXPECT_EQ(ran[3].dependency, 3);
}

TEST_F(SequencerTest, ChainsWithinOneUnitWithDependenciesEnd) {
  for (int i = 0; i < 50; ++i)
    add(DmaCopy{}, 2, i == 0 ? std::vector<int>{} : std::vector<int>{i - 1});
  EXPECT_EQ(run(), 100);
}

TEST_F(SequencerTest, RunningIsInOrderEvenIfALaterOneCould) {
  add(SoftmaxRows{}, 20);
  add(DmaCopy{}, 3, {0});
  add(DmaCopy{}, 3);
  EXPECT_EQ(run(), 26);
  EXPECT_EQ(ran[2].start, 23);
}

TEST_F(SequencerTest, WithoutWritingWhileComputingTheTwoExclude) {
  add(CimWrite{}, 10);
  add(CimMultiply{}, 8, {0});
  add(CimWrite{}, 10);
  add(CimMultiply{}, 4, {2});
  EXPECT_EQ(run(true), 24);
  EXPECT_EQ(ran[2].start, 10);
  ran.clear();
  // 1 is earlier in the program than 2 and goes first.
  EXPECT_EQ(run(false), 32);
  EXPECT_EQ(ran[1].start, 10);
  EXPECT_EQ(ran[2].start, 18);
  EXPECT_EQ(ran[2].exclusion, 8);
  EXPECT_EQ(ran[2].dependency, 0);
  EXPECT_EQ(ran[3].start, 28);
  EXPECT_EQ(ran[3].dependency, 10);
}

TEST_F(SequencerTest, AWriteThatBecomesReadyWaitsForTheMultiplyThatRuns) {
  add(CimMultiply{}, 20);
  add(DmaCopy{}, 5);
  add(CimWrite{}, 3, {1});
  add(CimMultiply{}, 3);
  EXPECT_EQ(run(false), 26);
  EXPECT_EQ(ran[2].start, 20);
  EXPECT_EQ(ran[2].dependency, 5);
  EXPECT_EQ(ran[2].exclusion, 15);
  EXPECT_EQ(ran[3].start, 23);
}

TEST_F(SequencerTest, DependenciesMustBeEarlier) {
  add(DmaCopy{}, 1, {1});
  add(DmaCopy{}, 1);
  EXPECT_THAT(error(), HasSubstr("command 0 depends on command 1, which is not earlier"));
}

TEST_F(SequencerTest, CirclesAreDeadlocksWithNames) {
  add(DmaCopy{}, 1);
  add(DmaCopy{}, 1, {3});
  add(SoftmaxRows{}, 1, {1});
  add(VectorRequantise{}, 1, {2});
  EXPECT_THAT(error(), HasSubstr("deadlock: commands 1, 2, 3 wait for each other"));
}

TEST_F(SequencerTest, ACommandMayNotWaitForItself) {
  add(DmaCopy{}, 1, {0});
  EXPECT_THAT(error(), HasSubstr("deadlock: commands 0 wait"));
}

TEST_F(SequencerTest, DependenciesMustExist) {
  add(DmaCopy{}, 1, {-1});
  EXPECT_THAT(error(), HasSubstr("depends on command -1"));
}

TEST_F(SequencerTest, ACommandThatNeverEndsIsReportedWithThoseThatWait) {
  add(DmaCopy{}, 2);
  add(SoftmaxRows{}, -1, {0});
  add(VectorRequantise{}, 1, {1});
  EXPECT_THAT(error(), HasSubstr("deadlock: 2 of 3 commands have not ended"));
  EXPECT_THAT(error(), HasSubstr("command 1 (softmax) runs and does not end"));
  EXPECT_THAT(error(), HasSubstr("command 2 (vector) waits for 1 of commands 1"));
}

TEST_F(SequencerTest, ACommandThatTakesNoTimeIsRefused) {
  add(DmaCopy{}, 0);
  EXPECT_THAT(error(), HasSubstr("command 0 (dma) would end at cycle 0"));
}

}  // namespace
}  // namespace quadrille::hw
