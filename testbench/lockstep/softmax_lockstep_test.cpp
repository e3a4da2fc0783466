// Softmax in lockstep: specification = tile data path = SystemC-side body = RTL,
// bit for bit, and the last two pin for pin in every cycle.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <iostream>
#include <random>

#include "hw/engines/softmax/softmax_engine.h"
#include "testbench/common/drive.h"
#include "testbench/common/environment.h"
#include "testbench/common/lockstep.h"
#include "testbench/common/softmax_case.h"
#include "testbench/common/test_rtl.h"

namespace quadrille::testbench {
namespace {

using Body = hw::BeatEngine<hw::SoftmaxRows>;

constexpr hw::SoftmaxConfig kSmall{4, 512};
constexpr hw::SoftmaxConfig kOdd{6, 100};
constexpr hw::SoftmaxConfig kOneLane{1, 100};
constexpr hw::SoftmaxConfig kDefault{};

LockstepResult run(const std::vector<Body*>& bodies, const hw::SoftmaxConfig& config,
                   const SoftmaxCase& test, Image& memory, const Surroundings& surroundings,
                   std::int64_t& cycle) {
  return run_lockstep<hw::SoftmaxRows>(
      bodies, test.operation, hw::input_stream(config, test.operation),
      hw::output_stream(config, test.operation), memory.bytes(), surroundings, cycle);
}

/// `test` on all bodies, and on the tile data path.
void expect_equal(const std::vector<Body*>& bodies, const hw::SoftmaxConfig& config,
                  const SoftmaxCase& test, bool stalled, const Surroundings& surroundings,
                  std::int64_t& cycle) {
  Image tile = test.before;
  hw::Activity values;
  hw::SoftmaxEngine(config).execute(test.operation, tile.bytes(), values);
  ASSERT_TRUE(tile == test.after) << test.description;
  Image memory = test.before;
  const LockstepResult result = run(bodies, config, test, memory, surroundings, cycle);
  ASSERT_EQ(result.difference, "") << test.description << " stalled " << stalled;
  ASSERT_TRUE(memory == test.after) << test.description << " stalled " << stalled;
  if (!stalled) {
    ASSERT_EQ(result.cycles, hw::SoftmaxEngine(config).alone_cycles(test.operation))
        << test.description;
  }
}

/// Commands one after the other on the same bodies, a third of them unstalled.
void dance(const hw::SoftmaxConfig& config, const std::vector<Body*>& bodies, int commands) {
  const std::uint64_t seed = test_seed(1);
  SCOPED_TRACE("QUADRILLE_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  std::int64_t cycle = 0;
  int complete = 0;
  for (; complete < commands && !testing::Test::HasFatalFailure(); ++complete) {
    const SoftmaxCase test = random_softmax_case(random, config);
    const bool stalled = random() % 3 != 0;
    const Surroundings surroundings = stalled ? draw_lockstep_surroundings(random) : Surroundings{};
    expect_equal(bodies, config, test, stalled, surroundings, cycle);
  }
  std::cout << "softmax lanes " << config.lanes << ", max_keys " << config.max_keys << ": "
            << complete << " commands, " << cycle << " cycles, seed " << seed << "\n";
}

void dance_with_rtl(const hw::SoftmaxConfig& config, int commands) {
  const auto beat = hw::make_softmax_beat_body(config);
  const auto rtl = softmax_rtl(config);
  dance(config, {beat.get(), rtl.get()}, commands);
}

// Sizes that nobody chose: drawn, or those of the user's chip.
TEST(SoftmaxRtl, StaysInStepAtAnyChip) {
  dance_with_rtl(lockstep_chip().softmax, lockstep_runs(4'000) / 4);
}

TEST(SoftmaxRtl, StaysInStepAtTheSmallPoint) { dance_with_rtl(kSmall, lockstep_runs(20'000) / 2); }

TEST(SoftmaxRtl, StaysInStepAtAnOddPoint) { dance_with_rtl(kOdd, lockstep_runs(20'000) / 4); }

TEST(SoftmaxRtl, StaysInStepWithOneLane) { dance_with_rtl(kOneLane, lockstep_runs(20'000) / 8); }

TEST(SoftmaxRtl, StaysInStepAtTheDefaultPoint) {
  dance_with_rtl(kDefault, lockstep_runs(8'000) / 8);
}

// Pass 1 over two short rows while pass 2 is held up, and rows of one beat.
TEST(SoftmaxRtl, StaysInStepWhenTheOutputStandsStill) {
  const std::uint64_t seed = test_seed(2);
  SCOPED_TRACE("QUADRILLE_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  const auto beat = hw::make_softmax_beat_body(kSmall);
  const auto rtl = softmax_rtl(kSmall);
  std::int64_t cycle = 0;
  for (const int keys : {1, 4, 5, 40, 64}) {
    hw::SoftmaxRows op;
    op.queries = 40;
    op.keys = keys;
    op.factor = {40000, -1};
    Surroundings slow;
    slow.output = Pacer(seed, 2, 10);
    expect_equal({beat.get(), rtl.get()}, kSmall, make_softmax_case(random, op, Scores::kMagnitude),
                 true, slow, cycle);
  }
}

// The counters of rows: every bit 1 in one of the counts and 0 in another, and not a
// power of two less one, whose count a stuck bit only walks in a circle.
TEST(SoftmaxLargest, RowsAreCountedToTheLast) {
  std::mt19937_64 random(test_seed(5));
  const auto beat = hw::make_softmax_beat_body(kSmall);
  const auto rtl = softmax_rtl(kSmall);
  std::int64_t cycle = 0;
  for (const int rows : {0xDDDD, 0xEEEE}) {
    hw::SoftmaxRows op;
    op.queries = rows;
    op.keys = 1;
    op.factor = {40000, -1};
    expect_equal({beat.get(), rtl.get()}, kSmall, make_softmax_case(random, op, Scores::kMagnitude),
                 false, {}, cycle);
  }
}

// The longest rows of the largest codes, and distances of all 32 bits.
TEST(SoftmaxLargest, SumsAndDistancesFitEverywhere) {
  const std::uint64_t seed = test_seed(3);
  SCOPED_TRACE("QUADRILLE_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (const hw::SoftmaxConfig& config : {kOneLane, kSmall, kOdd, kDefault}) {
    const auto beat = hw::make_softmax_beat_body(config);
    const auto rtl = softmax_rtl(config);
    std::int64_t cycle = 0;
    for (const Scores kind : {Scores::kEqual, Scores::kExtreme}) {
      for (const int shift : {0, 35, 36, 37, 47, 48, 49, 62}) {
        hw::SoftmaxRows op;
        op.queries = 3;
        op.keys = config.max_keys;
        op.factor = {65535, shift};
        expect_equal({beat.get(), rtl.get()}, config, make_softmax_case(random, op, kind), false,
                     {}, cycle);
      }
    }
  }
}

/// A factor's shift has to tell these apart: products of one bit, products half
/// way between two integers, and these with one bit more. The factor is 2^15, or,
/// for ties at small shifts, 2^15 + 2^(shift - 1).
std::vector<std::int64_t> telling_distances(int shift) {
  std::vector<std::int64_t> distances = {0};
  for (int bit = 0; bit < 32; ++bit) distances.push_back(std::int64_t{1} << bit);
  for (std::int64_t odd = 1; odd < 16; odd += 2) {
    const std::int64_t half_way = shift < 16 ? odd : odd << (shift - 16);
    if (half_way < std::int64_t{1} << 32) distances.push_back(half_way);
  }
  for (int bit = 0; bit < shift - 16 && shift < 48; ++bit)
    distances.push_back((std::int64_t{1} << (shift - 16)) + (std::int64_t{1} << bit));
  return distances;
}

// Every bit of the masks decides alone whether a product is large, or whether it
// is half way; every lane sees every distance.
TEST(SoftmaxShifts, EveryBitOfAProductTells) {
  for (const hw::SoftmaxConfig& config : {kSmall, kOdd}) {
    const auto beat = hw::make_softmax_beat_body(config);
    const auto rtl = softmax_rtl(config);
    std::int64_t cycle = 0;
    for (int shift = 0; shift <= 62; ++shift) {
      const std::vector<std::int64_t> distances = telling_distances(shift);
      const auto count = static_cast<int>(distances.size());
      hw::SoftmaxRows op;
      op.queries = config.lanes;
      op.keys = count;
      op.factor = {1U << 15, shift};
      if (shift >= 4 && shift < 16) op.factor.mantissa += 1U << (shift - 1);
      const SoftmaxCase test = softmax_case_of(op, [&](int row, int key) {
        const auto at = static_cast<std::size_t>((key + row) % count);
        return static_cast<std::int32_t>(INT32_MAX - distances[at]);
      });
      expect_equal({beat.get(), rtl.get()}, config, test, false, {}, cycle);
    }
  }
}

// A model built with one wrong constant in its table: the comparison must say
// so, at a data pin, or it compares nothing.
TEST(SoftmaxRtl, OneWrongConstantIsFound) {
  const std::uint64_t seed = test_seed(4);
  SCOPED_TRACE("QUADRILLE_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  int found = 0;
  for (int trial = 0; trial < 20; ++trial) {
    const auto beat = hw::make_softmax_beat_body(kSmall);
    const auto wrong = hw::make_softmax_rtl_body(wrong_rtl_library(hw::softmax_rtl_design(kSmall)));
    const SoftmaxCase test = random_softmax_case(random, kSmall);
    Image memory = test.before;
    std::int64_t cycle = 0;
    const LockstepResult result = run({beat.get(), wrong.get()}, kSmall, test, memory, {}, cycle);
    found += result.difference.rfind("output bytes", 0) == 0 ? 1 : 0;
  }
  EXPECT_EQ(found, 20);
}

}  // namespace
}  // namespace quadrille::testbench
