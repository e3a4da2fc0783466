// SinkhornApply in lockstep: specification = tile data path = SystemC-side body =
// RTL, bit for bit, and the last two pin for pin in every cycle.
#include <gtest/gtest.h>

#include <iostream>
#include <random>

#include "testbench/common/drive.h"
#include "testbench/common/environment.h"
#include "testbench/common/lockstep.h"
#include "testbench/common/sinkhorn_apply_case.h"
#include "testbench/common/sinkhorn_points.h"
#include "testbench/common/test_rtl.h"

namespace quadrille::testbench {
namespace {

using Body = hw::BeatEngine<hw::SinkhornOperation>;
using hw::SinkhornApply;
using hw::SinkhornSource;

constexpr hw::SinkhornConfig kSmall = kSmallSinkhorn;
constexpr hw::SinkhornConfig kMiddle = kMiddleSinkhorn;
constexpr hw::SinkhornConfig kDefault = kDefaultSinkhorn;

/// Beat and RTL, one command after the other.
class Pair {
 public:
  explicit Pair(const hw::SinkhornConfig& config)
      : config_(config),
        beat_(hw::make_sinkhorn_beat_body(config, nullptr)),
        rtl_(sinkhorn_rtl(config)) {}

  void expect_equal(const ApplyCase& test, const Surroundings& surroundings, bool stalled) {
    auto memory = test.before;
    const SinkhornApply& operation = test.operation;
    const LockstepResult result = run_lockstep<hw::SinkhornOperation>(
        {beat_.get(), rtl_.get()}, operation, hw::input_stream(config_, operation),
        hw::output_stream(config_, operation), hw::Bytes(memory.data(), memory.size()),
        surroundings, cycle_);
    ASSERT_EQ(result.difference, "");
    ASSERT_TRUE(memory == test.expected.memory);
    if (!stalled) {
      ASSERT_EQ(result.cycles, hw::SinkhornEngine(config_).alone_cycles(operation, {}));
    }
  }

 private:
  hw::SinkhornConfig config_;
  std::unique_ptr<Body> beat_;
  std::unique_ptr<Body> rtl_;
  std::int64_t cycle_ = 0;
};

void expect_tile_equal(const hw::SinkhornConfig& config, const ApplyCase& test) {
  auto memory = test.before;
  hw::Activity values;
  hw::SinkhornEngine(config).execute(test.operation, hw::Bytes(memory.data(), memory.size()),
                                     values);
  ASSERT_TRUE(memory == test.expected.memory);
  ASSERT_EQ(values.saturated, test.expected.saturated);
}

void dance(const hw::SinkhornConfig& config, int runs) {
  const std::uint64_t seed = test_seed(20250801);
  std::mt19937_64 random(seed);
  Pair pair(config);
  std::int64_t clamped = 0;
  for (int trial = 0; trial < runs; ++trial) {
    const ApplyCase test = random_apply_case(random, config);
    const bool stalled = !one_in(random, 4);
    SCOPED_TRACE("QUADRILLE_SEED=" + std::to_string(seed) + ", trial " + std::to_string(trial) +
                 ", " + std::to_string(config.lanes) + " lanes, stalled " +
                 std::to_string(stalled) + ": " + test.description);
    expect_tile_equal(config, test);
    pair.expect_equal(test, stalled ? draw_lockstep_surroundings(random) : Surroundings{}, stalled);
    if (testing::Test::HasFatalFailure()) return;
    clamped += test.expected.saturated;
  }
  std::cout << "sinkhorn apply lanes " << config.lanes << ": " << runs << " commands, seed " << seed
            << "\n";
  if (runs >= 600) {
    EXPECT_GT(clamped, 0);
  }
}

TEST(SinkhornApplyRtl, StaysInStepWithTheBeatBody) {
  for (const hw::SinkhornConfig& config : {kSmall, kMiddle})
    dance(config, lockstep_runs(1'200) / 2);
}

TEST(SinkhornApplyRtl, StaysInStepAtTheDefaultPoint) {
  dance(kDefault, lockstep_runs(6'000) / 100 + 1);
}

// The widths of products and sums with the most columns and the largest codes.
TEST(SinkhornApplyRtl, LargestSumsFit) {
  std::mt19937_64 random(test_seed(1));
  for (const hw::SinkhornConfig& config : {kSmall, kMiddle, kDefault}) {
    Pair pair(config);
    for (const ApplyCodes kind : {ApplyCodes::kLargest, ApplyCodes::kLowest}) {
      for (const auto from : {SinkhornSource::kElements, SinkhornSource::kKernel}) {
        SinkhornApply o;
        o.from = from;
        o.rows = 2;
        o.columns = config.max_lines;
        o.element_bytes = 4;
        o.factor = model::make_multiplier(0.5);
        o.logit_fraction_bits = 8;
        o.value_bytes = 4;
        o.value_width = config.value_columns;
        const ApplyCase test = make_apply_case(random, o, kind);
        SCOPED_TRACE(test.description);
        expect_tile_equal(config, test);
        pair.expect_equal(test, {}, false);
        if (HasFatalFailure()) return;
      }
    }
  }
}

}  // namespace
}  // namespace quadrille::testbench
