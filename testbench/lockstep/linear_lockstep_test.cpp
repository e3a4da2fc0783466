// Linear attention in lockstep: specification = tile data path = SystemC-side body
// = RTL, bit for bit, and the last two pin for pin in every cycle, however a
// sequence is cut into commands.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <iostream>
#include <random>

#include "hw/engines/linear/linear_engine.h"
#include "model/errors.h"
#include "model/numerics/reciprocal.h"
#include "testbench/common/drive.h"
#include "testbench/common/environment.h"
#include "testbench/common/linear_case.h"
#include "testbench/common/test_rtl.h"

namespace quadrille::testbench {
namespace {

constexpr hw::LinearConfig kSmall{4, 32, 4, 4};
constexpr hw::LinearConfig kSingle{5, 10, 1, 3};  // A chunk for every token.
constexpr hw::LinearConfig kOdd{6, 20, 3, 2};

using Body = hw::BeatEngine<hw::LinearAttend>;

LinearCase draw_case(std::mt19937_64& random, const hw::LinearConfig& config) {
  return random() % 4 == 0 ? random_damf_linear_case(random, config)
                           : random_linear_case(random, config);
}

void expect_tile(const LinearCase& c) {
  auto memory = c.before;
  hw::LinearEngine engine(c.config);
  hw::Activity values;
  for (const hw::LinearAttend& command : c.commands) {
    engine.follow(command);
    engine.execute(command, hw::Bytes(memory.data(), memory.size()), values);
  }
  ASSERT_EQ(memory, c.after);
  ASSERT_EQ(values.saturated, c.saturated);
  ASSERT_EQ(values.uniform_rows, c.uniform_rows);
}

/// One sequence, its commands one behind the other, under random stalls or none.
void expect_bodies(const std::vector<Body*>& bodies, const LinearCase& c, bool stalled,
                   std::mt19937_64& random, std::int64_t& cycle) {
  auto memory = c.before;
  for (const hw::LinearAttend& command : c.commands) {
    Surroundings surroundings = stalled ? draw_lockstep_surroundings(random) : Surroundings{};
    // A command that goes on where another ended cannot come twice.
    if (c.commands.size() > 1) surroundings.again = false;
    const LockstepResult result = run_lockstep<hw::LinearAttend>(
        bodies, command, hw::input_stream(c.config, command), hw::output_stream(c.config, command),
        hw::Bytes(memory.data(), memory.size()), surroundings, cycle, 20'000'000);
    ASSERT_EQ(result.difference, "");
    if (!stalled) {
      ASSERT_EQ(result.cycles, hw::LinearEngine(c.config).alone_cycles(command));
    }
  }
  ASSERT_EQ(memory, c.after);
}

/// Runs at least `commands` commands in random sequences on the same bodies.
void dance(const hw::LinearConfig& config, int commands) {
  const std::uint64_t seed = test_seed(1);
  std::mt19937_64 random(seed);
  const auto beat = hw::make_linear_beat_body(config, nullptr);
  const auto rtl = linear_rtl(config);
  std::int64_t cycle = 0;
  int done = 0;
  while (done < commands) {
    const LinearCase c = draw_case(random, config);
    const bool stalled = random() % 2 == 0;
    SCOPED_TRACE("QUADRILLE_SEED=" + std::to_string(seed) + " command " + std::to_string(done) +
                 ": " + c.description + (stalled ? ", stalled" : ""));
    expect_tile(c);
    expect_bodies({beat.get(), rtl.get()}, c, stalled, random, cycle);
    if (testing::Test::HasFatalFailure()) return;
    done += static_cast<int>(c.commands.size());
  }
  std::cout << "linear lanes " << config.lanes << ", max_width " << config.max_width << ": " << done
            << " commands, " << cycle << " cycles, seed " << seed << "\n";
}

// Sizes that nobody chose: drawn, or those of the user's chip.
TEST(LinearRtl, StaysInStepAtAnyChip) { dance(lockstep_chip().linear, lockstep_runs(4'000) / 4); }

TEST(LinearRtl, StaysInStepAtTheSmallPoint) { dance(kSmall, lockstep_runs(10'000) * 2 / 5); }
TEST(LinearRtl, StaysInStepWithAChunkForEveryToken) {
  dance(kSingle, lockstep_runs(10'000) * 3 / 10);
}
TEST(LinearRtl, StaysInStepAtAnOddPoint) { dance(kOdd, lockstep_runs(10'000) * 3 / 10); }
TEST(LinearRtl, StaysInStepAtTheDefaultPoint) { dance({}, lockstep_runs(20'000) / 20); }

model::LinearShape plain_shape(int keys, int queries, int width) {
  model::LinearShape shape;
  shape.keys = keys;
  shape.queries = queries;
  shape.width = width;
  shape.value_width = 4;
  return shape;
}

/// Phi is the code plus 128.
void fill_plainly(std::array<model::PhiTable, 3>& tables) {
  for (model::PhiTable& table : tables)
    for (std::size_t i = 0; i < table.size(); ++i)
      table[i] = static_cast<std::uint8_t>(std::max<std::size_t>(i, 1));
}

/// Column c of V, 4 columns wide, from row `first` on: as even as this sum allows.
void spread(std::vector<std::int32_t>& values, std::size_t c, std::int64_t first,
            std::int64_t sum) {
  const std::int64_t rows = static_cast<std::int64_t>(values.size()) / 4 - first;
  for (std::int64_t row = 0; row < rows; ++row) {
    values[4 * static_cast<std::size_t>(first + row) + c] =
        static_cast<std::int32_t>(sum * (row + 1) / rows - sum * row / rows);
  }
}

void expect_one(std::mt19937_64& random, const model::LinearShape& shape,
                const LinearOperands& operands) {
  const auto beat = hw::make_linear_beat_body(kSmall, nullptr);
  const auto rtl = linear_rtl(kSmall);
  std::int64_t cycle = 0;
  const LinearCase c = make_linear_case(random, kSmall, shape, shape.keys, operands);
  SCOPED_TRACE(c.description);
  expect_bodies({beat.get(), rtl.get()}, c, false, random, cycle);
}

// Denominators beyond 2^32, where numerators are shifted before the product, and
// the largest sums; in long runs as many keys as the registers hold.
TEST(LinearRtl, LongSequencesFitEverywhere) {
  std::mt19937_64 random(test_seed(3));
  const auto beat = hw::make_linear_beat_body(kSmall, nullptr);
  const auto rtl = linear_rtl(kSmall);
  std::int64_t cycle = 0;
  const auto run = [&](int keys, int queries, bool causal, bool largest, int horizon = 4) {
    model::LinearShape shape = plain_shape(keys, queries, 32);
    shape.causal = causal;
    shape.horizon = horizon;
    const LinearCase c = make_linear_case(random, kSmall, shape, keys, largest);
    SCOPED_TRACE(c.description);
    expect_bodies({beat.get(), rtl.get()}, c, false, random, cycle);
  };
  for (const bool largest : {false, true}) {
    run(3000, 9, false, largest);
    run(2300, 2300, true, largest);
  }
  if (lockstep_runs(0) < 10000) return;
  run(1 << 20, 3, false, true);
  // All of V in the sum before the window.
  run(1 << 20, 3, false, true, 0);
}

// Sums of V are multiplied by the halves of a weight. Where the lower one is long,
// too, the largest sums make its product the largest: with all of V behind the
// window, and before it.
TEST(LinearRtl, LongSequencesMeetManyWeights) {
  std::mt19937_64 random(test_seed(6));
  const int keys = lockstep_runs(0) < 10000 ? 1 << 10 : 1 << 20;
  for (const int horizon : {4, 0}) {
    model::LinearShape shape = plain_shape(keys, 64, 1);
    shape.horizon = horizon;
    LinearOperands operands;
    fill_plainly(operands.tables);
    for (int query = 0; query < shape.queries; ++query)
      operands.q.push_back(static_cast<std::int32_t>(random() % 256) - 128);
    operands.k.assign(static_cast<std::size_t>(keys), 127);
    operands.v.assign(4 * static_cast<std::size_t>(keys), -128);
    operands.rp.assign(2 * static_cast<std::size_t>(horizon) + 1, 127);
    operands.sums_wanted = true;
    expect_one(random, shape, operands);
  }
}

// Denominators are 65535 2^n, 15 to 31 bits long, whose reciprocal is a power of two.
// Every output lies half way between two codes, the lower one even, and one bit
// too many or too few below the half moves it.
TEST(LinearRtl, TiesGoToEvenBehindEveryShift) {
  ASSERT_EQ(model::reciprocal(65535).mantissa, 1U << 15);
  std::mt19937_64 random(test_seed(4));
  const auto run = [&](int times, int width) {
    const model::LinearShape shape = plain_shape(257 * times, 8, width);
    LinearOperands operands;
    operands.tables[1].fill(255);
    // Query i is 2^i everywhere.
    for (int query = 0; query < 8; ++query) {
      operands.q.insert(operands.q.end(), static_cast<std::size_t>(width), query);
      operands.tables[0][static_cast<std::size_t>(128 + query)] =
          static_cast<std::uint8_t>(1U << query);
    }
    operands.k.assign(static_cast<std::size_t>(shape.keys * width), 0);
    operands.v.resize(4 * static_cast<std::size_t>(shape.keys));
    for (std::size_t c = 0; c < 4; ++c) {
      const std::int64_t fours = static_cast<std::int64_t>(random() % 100) - 50;
      spread(operands.v, c, 0, times * 128 * (4 * fours + 3));
    }
    expect_one(random, shape, operands);
  };
  run(1, 1);
  run(1, 32);
  run(16, 32);
}

// ------------------------------------------------ in front of the division

constexpr int kSteeredKeys = 2400;
// Phi of the query is 1, 255, 255, ..; of a key 255 everywhere, but every other one
// of the first six is less by these scores.
constexpr std::int64_t kWholeScore = 255 + 31 * 255 * 255;
constexpr std::array<std::int64_t, 3> kLess{1, 128, 128 * 128};
constexpr std::int64_t kSteeredDenominator =
    kSteeredKeys * kWholeScore - kLess[0] - kLess[1] - kLess[2];
static_assert(kSteeredDenominator >> 32 == 1);  // Sums are halved before the product.

/// A sum whose half is x and a half, x odd or even, where x and x + 1 give
/// different codes: a wrong rounding is seen. Bits 2 to 12 are 1, so that a bit too
/// many among those that break a tie is, too.
std::int64_t sum_at_an_edge(std::mt19937_64& random, bool odd) {
  const std::int64_t mantissa = model::reciprocal(kSteeredDenominator).mantissa;
  while (true) {
    const std::int64_t code = static_cast<std::int64_t>(random() % 60000) - 30000;
    const std::int64_t edge = (2 * code + 1) * (std::int64_t{1} << 38);
    const std::int64_t x = (edge - (edge < 0 ? mantissa - 1 : 0)) / mantissa;
    if ((x & 0xFFF) == (odd ? 0xFFF : 0xFFE) && x * mantissa != edge) return 2 * x + 1;
  }
}

/// Gives column c of V this sum: most rows in whole scores; the first six, by
/// digits to the base 128, in what two scores differ by.
void steer(std::vector<std::int32_t>& values, std::size_t c, std::int64_t sum) {
  const std::int64_t half = sum < 0 ? -kWholeScore / 2 : kWholeScore / 2;
  const std::int64_t whole = (sum + half) / kWholeScore;
  std::int64_t rest = sum - whole * kWholeScore;
  for (std::size_t digit = 0; digit < kLess.size(); ++digit) {
    const std::int64_t value = ((rest + 64) & 127) - 64;
    rest = (rest - value) / 128;
    values[8 * digit + c] = static_cast<std::int32_t>(value);
    values[8 * digit + 4 + c] = -values[8 * digit + c];
  }
  spread(values, c, 6, whole);
}

// Numerators of denominators from 2^32 on are rounded before the product, where
// one more or less hardly ever shows in a code: here it always does.
TEST(LinearRtl, RoundsInFrontOfTheDivision) {
  std::mt19937_64 random(test_seed(5));
  LinearOperands operands;
  fill_plainly(operands.tables);
  operands.q.assign(32, 255 - 128);
  operands.q[0] = 1 - 128;
  operands.k.assign(32 * kSteeredKeys, 255 - 128);
  operands.k[32] -= 1;
  operands.k[3 * 32] -= 128;
  operands.k[5 * 32] -= 64;
  operands.k[5 * 32 + 1] -= 64;
  operands.v.resize(4 * kSteeredKeys);
  for (const std::size_t odd_columns : {0, 1}) {
    for (std::size_t c = 0; c < 4; ++c)
      steer(operands.v, c, sum_at_an_edge(random, c % 2 == odd_columns));
    expect_one(random, plain_shape(kSteeredKeys, 1, 32), operands);
  }
}

// A model built with one wrong constant in its reciprocal: the comparison must
// say so, at a data pin, or it compares nothing.
TEST(LinearRtl, OneWrongConstantIsFound) {
  std::mt19937_64 random(test_seed(2));
  int found = 0;
  for (int trial = 0; trial < 20; ++trial) {
    const auto beat = hw::make_linear_beat_body(kSmall, nullptr);
    const auto wrong = hw::make_linear_rtl_body(wrong_rtl_library(hw::linear_rtl_design(kSmall)));
    std::string difference;
    std::int64_t cycle = 0;
    // Denominators of random size: entry 0 of the table is one of 128.
    for (int sequence = 0; sequence < 100 && difference.empty(); ++sequence) {
      const LinearCase c = random_linear_case(random, kSmall);
      auto memory = c.before;
      for (const hw::LinearAttend& command : c.commands) {
        difference = run_lockstep<hw::LinearAttend>(
                         {beat.get(), wrong.get()}, command, hw::input_stream(kSmall, command),
                         hw::output_stream(kSmall, command),
                         hw::Bytes(memory.data(), memory.size()), {}, cycle)
                         .difference;
        if (!difference.empty()) break;
      }
    }
    found += difference.rfind("output bytes", 0) == 0 ? 1 : 0;
  }
  EXPECT_EQ(found, 20);
}

}  // namespace
}  // namespace quadrille::testbench
