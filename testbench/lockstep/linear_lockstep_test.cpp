// Linear attention in lockstep: specification = tile data path = SystemC-side body
// = RTL, bit for bit, and the last two pin for pin in every cycle, however a
// sequence is cut into commands.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <iostream>
#include <random>

#include "hw/engines/linear/linear_engine.h"
#include "model/errors.h"
#include "testbench/common/drive.h"
#include "testbench/common/linear_case.h"
#include "testbench/common/linear_wrong_body.h"
#include "testbench/common/seed.h"

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

/// At least `commands` commands in random sequences on the same bodies.
void dance(const hw::LinearConfig& config, int commands) {
  const std::uint64_t seed = test_seed(1);
  std::mt19937_64 random(seed);
  const auto beat = hw::make_linear_beat_body(config, nullptr);
  const auto rtl = hw::make_linear_rtl_body(config);
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

TEST(LinearRtl, StaysInStepAtTheSmallPoint) { dance(kSmall, lockstep_runs(10'000) * 2 / 5); }
TEST(LinearRtl, StaysInStepWithAChunkForEveryToken) {
  dance(kSingle, lockstep_runs(10'000) * 3 / 10);
}
TEST(LinearRtl, StaysInStepAtAnOddPoint) { dance(kOdd, lockstep_runs(10'000) * 3 / 10); }
TEST(LinearRtl, StaysInStepAtTheDefaultPoint) { dance({}, lockstep_runs(20'000) / 20); }

// Denominators beyond 2^32, where numerators are shifted before the product, and
// the largest sums; in long runs as many keys as the registers hold.
TEST(LinearRtl, LongSequencesFitEverywhere) {
  std::mt19937_64 random(test_seed(3));
  const auto beat = hw::make_linear_beat_body(kSmall, nullptr);
  const auto rtl = hw::make_linear_rtl_body(kSmall);
  std::int64_t cycle = 0;
  const auto run = [&](int keys, int queries, int width, bool causal, bool largest) {
    model::LinearShape shape;
    shape.keys = keys;
    shape.queries = queries;
    shape.width = width;
    shape.value_width = 4;
    shape.causal = causal;
    shape.horizon = 4;
    const LinearCase c = make_linear_case(random, kSmall, shape, keys, largest);
    SCOPED_TRACE(c.description);
    expect_bodies({beat.get(), rtl.get()}, c, false, random, cycle);
  };
  for (const bool largest : {false, true}) {
    run(3000, 9, 32, false, largest);
    run(2300, 2300, 32, true, largest);
  }
  if (lockstep_runs(0) < 10000) return;
  run(1 << 20, 3, 32, false, true);
}

// A model built with one wrong constant in its reciprocal: the comparison must
// say so, at a data pin, or it compares nothing.
TEST(LinearRtl, OneWrongConstantIsFound) {
  std::mt19937_64 random(test_seed(2));
  int found = 0;
  for (int trial = 0; trial < 20; ++trial) {
    const auto beat = hw::make_linear_beat_body(kSmall, nullptr);
    const auto wrong = make_wrong_linear_rtl_body();
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

TEST(LinearRtl, NamesTheBuiltPointsForAnother) {
  try {
    hw::make_linear_rtl_body({64, 128, 8, 16});
    FAIL() << "accepted";
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("lanes 64, max_width 128, chunk_tokens 8"));
    EXPECT_THAT(error.what(), testing::HasSubstr("(lanes 4, max_width 32"));
  }
}

}  // namespace
}  // namespace quadrille::testbench
