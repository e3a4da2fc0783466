// DAMF in lockstep: specification = tile data path = SystemC-side body = RTL,
// bit for bit, and the last two pin for pin in every cycle.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <iostream>
#include <random>

#include "hw/engines/damf/damf_engine.h"
#include "testbench/common/damf_case.h"
#include "testbench/common/drive.h"
#include "testbench/common/environment.h"
#include "testbench/common/lockstep.h"
#include "testbench/common/test_rtl.h"

namespace quadrille::testbench {
namespace {

constexpr hw::DamfConfig kSmall{4, 2, 512, 256};
constexpr hw::DamfConfig kWide{8, 4, 512, 256};

TEST(DamfTile, EqualsTheSpecification) {
  const std::uint64_t seed = test_seed(1);
  SCOPED_TRACE("QUADRILLE_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  std::int64_t uniform_rows = 0;
  std::int64_t saturated = 0;
  const int commands = lockstep_runs(500);
  for (int complete = 0; complete < commands;) {
    for (const model::DamfSettings& settings : pairwise_settings(random)) {
      const hw::DamfConfig& config = random() % 2 == 0 ? kSmall : kWide;
      const DamfCase test = random_damf_case(random, config, settings);
      Image memory = test.before;
      hw::Activity activity;
      hw::DamfEngine(config).execute(test.operation, memory.bytes(), activity);
      ASSERT_TRUE(memory == test.after) << test.description;
      ASSERT_EQ(activity.uniform_rows, test.expected.uniform_rows) << test.description;
      ASSERT_EQ(activity.saturated, test.expected.saturated) << test.description;
      uniform_rows += activity.uniform_rows;
      saturated += activity.saturated;
      ++complete;
    }
  }
  EXPECT_GT(uniform_rows, 0);
  EXPECT_GT(saturated, 0);
}

using Body = hw::BeatEngine<hw::DamfOperation>;

LockstepResult run(const std::vector<Body*>& bodies, const hw::DamfConfig& config,
                   const DamfCase& test, Image& memory, const Surroundings& surroundings,
                   std::int64_t& cycle) {
  return std::visit(
      [&](const auto& operation) {
        return run_lockstep<hw::DamfOperation>(
            bodies, test.operation, hw::input_stream(config, operation),
            hw::output_stream(config, operation), memory.bytes(), surroundings, cycle);
      },
      test.operation);
}

// Runs at least `commands` commands, one after the other on the same bodies:
// every settings pair in turn, each command unstalled and under random stalls.
void dance(const hw::DamfConfig& config, const std::vector<Body*>& bodies, int commands) {
  const std::uint64_t seed = test_seed(2);
  SCOPED_TRACE("QUADRILLE_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  std::int64_t cycle = 0;
  std::int64_t compared = 0;
  int complete = 0;
  while (complete < commands) {
    for (const model::DamfSettings& settings : pairwise_settings(random)) {
      const DamfCase test = random_damf_case(random, config, settings);
      for (const bool stalled : {false, true}) {
        const Surroundings surroundings =
            stalled ? draw_lockstep_surroundings(random) : Surroundings{};
        Image memory = test.before;
        const LockstepResult result = run(bodies, config, test, memory, surroundings, cycle);
        ASSERT_EQ(result.difference, "") << test.description << " stalled " << stalled;
        ASSERT_TRUE(memory == test.after) << test.description << " stalled " << stalled;
        if (!stalled) {
          ASSERT_EQ(result.cycles, hw::DamfEngine(config).alone_cycles(test.operation))
              << test.description;
        }
        compared += result.compared_pins + result.output_beats;
        ++complete;
      }
    }
  }
  std::cout << "damf lanes " << config.lanes << ", query_rows " << config.query_rows << ": "
            << complete << " commands, " << cycle << " cycles, seed " << seed << "\n";
  EXPECT_GT(compared, 0);
}

TEST(DamfBeat, EqualsTheSpecificationAndTheTimingContract) {
  for (const hw::DamfConfig& config :
       {kSmall, kWide, hw::DamfConfig{1, 1, 512, 64}, hw::DamfConfig{6, 17, 512, 64},
        hw::DamfConfig{64, 16, 512, 256}}) {
    const auto body = hw::make_damf_beat_body(config);
    dance(config, {body.get()}, 100);
  }
}

void dance_with_rtl(const hw::DamfConfig& config, int commands) {
  const auto beat = hw::make_damf_beat_body(config);
  const auto rtl = damf_rtl(config);
  dance(config, {beat.get(), rtl.get()}, commands);
}

// Sizes that nobody chose: drawn, or those of the user's chip.
TEST(DamfRtl, StaysInStepAtAnyChip) {
  dance_with_rtl(lockstep_chip().damf, lockstep_runs(400) / 4);
}

TEST(DamfRtl, StaysInStepAtTheSmallPoint) { dance_with_rtl(kSmall, lockstep_runs(500) * 3 / 5); }

TEST(DamfRtl, StaysInStepAtAWiderPoint) { dance_with_rtl(kWide, lockstep_runs(500) * 2 / 5); }

TEST(DamfRtl, StaysInStepAtTheDefaultPoint) { dance_with_rtl({}, lockstep_runs(1'000) / 50 + 1); }

// Short rows, whose beats leave so slowly that every place of the FIFO is taken.
TEST(DamfRtl, StaysInStepWhenTheOutputStandsStill) {
  const std::uint64_t seed = test_seed(5);
  SCOPED_TRACE("QUADRILLE_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  const auto beat = hw::make_damf_beat_body(kSmall);
  const auto rtl = damf_rtl(kSmall);
  std::vector<DamfCase> cases{make_project_case(random, 200, 3, Codes::kUniform)};
  for (const auto mode : {model::DamfMode::kMaclaurin, model::DamfMode::kCollapsed}) {
    for (const bool causal : {false, true}) {
      model::DamfSettings settings;
      settings.mode = mode;
      settings.causal = causal;
      cases.push_back(make_attend_case(random, 60, 3, settings, 0.1, Codes::kUniform));
    }
  }
  std::int64_t cycle = 0;
  for (const DamfCase& test : cases) {
    Surroundings slow;
    slow.output = Pacer(seed, 5, 40);
    Image memory = test.before;
    const LockstepResult result = run({beat.get(), rtl.get()}, kSmall, test, memory, slow, cycle);
    ASSERT_EQ(result.difference, "") << test.description;
    ASSERT_TRUE(memory == test.after) << test.description;
  }
}

// The widths of the counters and accumulators at the most tokens and the largest codes.
void run_largest(const hw::DamfConfig& config, const std::vector<Codes>& kinds) {
  const std::uint64_t seed = test_seed(3);
  SCOPED_TRACE("QUADRILLE_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  const auto beat = hw::make_damf_beat_body(config);
  const auto rtl = damf_rtl(config);
  std::int64_t cycle = 0;
  for (const Codes kind : kinds) {
    for (const model::DamfMode mode :
         {model::DamfMode::kMaclaurin, model::DamfMode::kShift, model::DamfMode::kCollapsed}) {
      for (const model::DamfShiftOrder order :
           {model::DamfShiftOrder::kLast, model::DamfShiftOrder::kEach}) {
        for (const int guard_bits : {0, 16}) {
          model::DamfSettings settings;
          settings.mode = mode;
          settings.shift_order = order;
          settings.guard_bits = guard_bits;
          settings.causal = guard_bits == 0 && kind != Codes::kUniform;
          const DamfCase test =
              make_attend_case(random, config.max_tokens, 3, settings, 0.4999, kind);
          Image memory = test.before;
          const LockstepResult result =
              run({beat.get(), rtl.get()}, config, test, memory, {}, cycle);
          ASSERT_EQ(result.difference, "") << test.description;
          ASSERT_TRUE(memory == test.after) << test.description;
          ASSERT_EQ(result.cycles, hw::DamfEngine(config).alone_cycles(test.operation));
          Image tile = test.before;
          hw::Activity activity;
          hw::DamfEngine(config).execute(test.operation, tile.bytes(), activity);
          ASSERT_TRUE(tile == test.after) << test.description;
        }
      }
    }
  }
}

TEST(DamfLargest, SumsFitEverywhere) {
  run_largest(kWide, {Codes::kLowest, Codes::kExtreme, Codes::kUniform});
}

TEST(DamfLargest, CountersFitTheMostTokensOfTheSmallestPoint) {
  run_largest(kSmall, {Codes::kLowest, Codes::kUniform});
}

// A width that sets every other upper bit of the counters of columns, and the rest.
TEST(DamfLargest, CountersFitWideValues) {
  std::mt19937_64 random(test_seed(6));
  const auto beat = hw::make_damf_beat_body(kSmall);
  const auto rtl = damf_rtl(kSmall);
  std::int64_t cycle = 0;
  for (const int width : {0x5557, 0xAAAA}) {
    const DamfCase test = make_attend_case(random, 3, width, {}, 0.1, Codes::kUniform);
    Image memory = test.before;
    const LockstepResult result = run({beat.get(), rtl.get()}, kSmall, test, memory, {}, cycle);
    ASSERT_EQ(result.difference, "") << test.description;
    ASSERT_TRUE(memory == test.after) << test.description;
  }
}

// A model built with one wrong constant in its table: the comparison must say
// so, at a data pin, or it compares nothing.
TEST(DamfRtl, OneWrongConstantIsFound) {
  const std::uint64_t seed = test_seed(4);
  SCOPED_TRACE("QUADRILLE_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  int found = 0;
  for (int trial = 0; trial < 20; ++trial) {
    const auto beat = hw::make_damf_beat_body(kSmall);
    const auto wrong = hw::make_damf_rtl_body(wrong_rtl_library(hw::damf_rtl_design(kSmall)));
    // Uniform rows of 8 keys: the reciprocal of a power of two, entry 0.
    const DamfCase test = make_attend_case(random, 8, 4, {}, 1.0, Codes::kNegativeScores);
    Image memory = test.before;
    std::int64_t cycle = 0;
    const LockstepResult result = run({beat.get(), wrong.get()}, kSmall, test, memory, {}, cycle);
    found += result.difference.rfind("output bytes", 0) == 0 ? 1 : 0;
  }
  EXPECT_EQ(found, 20);
}

}  // namespace
}  // namespace quadrille::testbench
