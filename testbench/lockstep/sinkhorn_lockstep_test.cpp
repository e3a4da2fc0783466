// SinkhornScale in lockstep: specification = SystemC-side body = RTL, bit for bit, and
// the last two pin for pin in every cycle; tile timing against the specification is in
// unit/sinkhorn_engine_test.cpp. SinkhornApply has a program of its own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>
#include <random>

#include "model/errors.h"
#include "testbench/common/drive.h"
#include "testbench/common/environment.h"
#include "testbench/common/lockstep.h"
#include "testbench/common/sinkhorn_apply_case.h"
#include "testbench/common/sinkhorn_case.h"
#include "testbench/common/sinkhorn_points.h"
#include "testbench/common/test_rtl.h"

namespace quadrille::testbench {
namespace {

using Body = hw::BeatEngine<hw::SinkhornOperation>;
using model::SinkhornForm;
using model::SinkhornUpdate;

void expect_same_course(const hw::CommandCourse& course, const hw::CommandCourse& expected) {
  ASSERT_EQ(course.input_passes, expected.input_passes);
  ASSERT_EQ(course.block_sweeps, expected.block_sweeps);
  ASSERT_EQ(course.half_steps, expected.half_steps);
  ASSERT_EQ(course.residuals.size(), expected.residuals.size());
  for (std::size_t l = 0; l < course.residuals.size(); ++l) {
    ASSERT_EQ(course.residuals[l].row, expected.residuals[l].row) << "state " << l + 1;
    ASSERT_EQ(course.residuals[l].column, expected.residuals[l].column) << "state " << l + 1;
  }
}

/// Beat and RTL, one command after the other.
class Pair {
 public:
  explicit Pair(const hw::SinkhornConfig& config)
      : config_(config),
        beat_(hw::make_sinkhorn_beat_body(config, nullptr)),
        rtl_(sinkhorn_rtl(config)) {}

  template <typename Operation>
  void expect_equal(const Operation& operation, const std::vector<std::uint8_t>& before,
                    const SinkhornExpected& expected, const Surroundings& surroundings,
                    bool stalled) {
    auto memory = before;
    const LockstepResult result = run_lockstep<hw::SinkhornOperation>(
        {beat_.get(), rtl_.get()}, operation, hw::input_stream(config_, operation),
        hw::output_stream(config_, operation), hw::Bytes(memory.data(), memory.size()),
        surroundings, cycle_);
    ASSERT_EQ(result.difference, "");
    ASSERT_TRUE(memory == expected.memory);
    ASSERT_NE(rtl_->course(), nullptr);
    expect_same_course(*rtl_->course(), *beat_->course());
    if (!stalled) {
      ASSERT_EQ(result.cycles,
                hw::SinkhornEngine(config_).alone_cycles(operation, *rtl_->course()));
    }
  }

 private:
  hw::SinkhornConfig config_;
  std::unique_ptr<Body> beat_;
  std::unique_ptr<Body> rtl_;
  std::int64_t cycle_ = 0;
};

/// A tally of what a dance has met.
struct Met {
  int streamed = 0, damped = 0, stopped = 0, blocks = 0, warm = 0, causal = 0, kernel = 0;
  int held = 0, in_place = 0;
};

/// Scales, and now and then an apply between them.
void dance(const hw::SinkhornConfig& config, int runs, Met& met) {
  const std::uint64_t seed = test_seed(20250810);
  std::mt19937_64 random(seed);
  Pair pair(config);
  for (int trial = 0; trial < runs; ++trial) {
    const bool stalled = one_in(random, 2);
    const Surroundings surroundings = stalled ? draw_lockstep_surroundings(random) : Surroundings{};
    if (one_in(random, 8)) {
      const ApplyCase test = random_apply_case(random, config);
      SCOPED_TRACE(test.description);
      pair.expect_equal(test.operation, test.before, test.expected, surroundings, stalled);
      if (testing::Test::HasFatalFailure()) return;
      continue;
    }
    const ScaleCase test = random_scale_case(random, config);
    const hw::SinkhornScale& o = test.operation;
    SCOPED_TRACE("QUADRILLE_SEED=" + std::to_string(seed) + ", trial " + std::to_string(trial) +
                 ", stalled " + std::to_string(stalled) + ": " + test.describe());
    const SinkhornExpected expected = expected_scale(test);
    pair.expect_equal(o, test.memory, expected, surroundings, stalled);
    if (testing::Test::HasFatalFailure()) return;
    met.streamed += !hw::sinkhorn_resident(config, o.rows, o.columns, o.form);
    met.damped += o.update == SinkhornUpdate::kDamped;
    met.stopped += expected.course.half_steps < o.half_steps;
    met.blocks += expected.course.block_sweeps.size() > 1;
    met.warm += o.warm;
    met.causal += o.causal;
    met.kernel += o.kernel_wanted && o.form == SinkhornForm::kScaling;
    met.held += o.form == SinkhornForm::kKernel;
    met.in_place += o.form == SinkhornForm::kMatrix;
  }
  std::cout << "sinkhorn lanes " << config.lanes << ": " << runs << " commands, seed " << seed
            << "\n";
}

TEST(SinkhornRtl, StaysInStepWithTheBeatBody) {
  Met met;
  for (const hw::SinkhornConfig& config : {kSmallSinkhorn, kMiddleSinkhorn})
    dance(config, lockstep_runs(800) / 2, met);
  if (lockstep_runs(800) < 800) return;
  for (const int count : {met.streamed, met.damped, met.stopped, met.blocks, met.warm, met.causal,
                          met.kernel, met.held, met.in_place})
    EXPECT_GE(count, 5);
}

// Sizes that nobody chose: drawn, or those of the user's chip.
TEST(SinkhornRtl, StaysInStepAtAnyChip) {
  Met met;
  dance(lockstep_chip().sinkhorn, lockstep_runs(800) / 4, met);
}

TEST(SinkhornRtl, StaysInStepAtTheDefaultPoint) {
  Met met;
  dance(kDefaultSinkhorn, lockstep_runs(6'000) / 100, met);
}

/// A matrix without gaps, or (streamed) with rows a beat apart.
ScaleCase large_case(std::mt19937_64& random, const hw::SinkhornConfig& config, int rows,
                     int columns, SinkhornUpdate update, int bits) {
  ScaleCase c;
  c.config = config;
  hw::SinkhornScale& o = c.operation;
  o.rows = rows;
  o.columns = columns;
  o.update = update;
  o.half_steps = 3;
  o.warm = true;
  o.element_bytes = 4;
  o.stop = true;
  o.factor = model::make_multiplier(1.0);
  o.logit_fraction_bits = 8;
  const auto count = static_cast<std::size_t>(rows) * static_cast<std::size_t>(columns);
  c.codes = random_codes(random, count, 17);
  c.f0 = random_codes(random, static_cast<std::size_t>(rows), bits);
  c.g0 = random_codes(random, static_cast<std::size_t>(columns), bits);
  complete(random, c);
  return c;
}

// The most lines and starting scalings up to the largest codes make the widest
// sums.
TEST(SinkhornRtl, LargestMatricesAndScalings) {
  const std::uint64_t seed = test_seed(3);
  SCOPED_TRACE("QUADRILLE_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (const hw::SinkhornConfig& config : {kSmallSinkhorn, kMiddleSinkhorn}) {
    Pair pair(config);
    const int most = config.max_lines;
    for (const auto& [rows, columns] :
         {std::pair{most, 3}, {2, most}, {most, config.lanes + 1}, {most / 4, most}}) {
      for (const auto update : {SinkhornUpdate::kAlternate, SinkhornUpdate::kDamped}) {
        for (const int bits : {2, 32}) {
          const ScaleCase test = large_case(random, config, rows, columns, update, bits);
          SCOPED_TRACE(test.describe());
          pair.expect_equal(test.operation, test.memory, expected_scale(test), {}, false);
          if (HasFatalFailure()) return;
        }
      }
    }
  }
}

// The batch has as many matrices as a block holds, and a block of what is left.
TEST(SinkhornRtl, MostMatricesOfABlock) {
  const std::uint64_t seed = test_seed(6);
  SCOPED_TRACE("QUADRILLE_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (const hw::SinkhornConfig& config : {kSmallSinkhorn, kMiddleSinkhorn}) {
    Pair pair(config);
    const int most = hw::sinkhorn_block_matrices(config, 1, 1, SinkhornForm::kScaling);
    for (const auto update : {SinkhornUpdate::kAlternate, SinkhornUpdate::kDamped}) {
      ScaleCase c;
      c.config = config;
      hw::SinkhornScale& o = c.operation;
      o.rows = o.columns = 1;
      o.batch = most + most / 2 + 1;
      o.update = update;
      o.half_steps = 3;
      o.warm = o.stop = true;
      o.element_bytes = 4;
      o.factor = model::make_multiplier(1.0);
      o.logit_fraction_bits = 8;
      c.codes = random_codes(random, static_cast<std::size_t>(o.batch), 17);
      c.f0 = random_codes(random, static_cast<std::size_t>(o.batch), 17);
      c.g0 = random_codes(random, static_cast<std::size_t>(o.batch), 17);
      complete(random, c);
      SCOPED_TRACE(c.describe());
      pair.expect_equal(o, c.memory, expected_scale(c), {}, false);
      if (HasFatalFailure()) return;
    }
  }
}

/// Makes held K whose logits spread over so many octaves, more than a caller
/// allows: words of K0 down to 0, sums from 0 to beyond their 46 bits.
ScaleCase spread_case(std::mt19937_64& random, const hw::SinkhornConfig& config, SinkhornForm form,
                      int octaves) {
  ScaleCase c;
  c.config = config;
  hw::SinkhornScale& o = c.operation;
  o.form = form;
  o.rows = pick(random, 1, 2 * config.lanes);
  o.columns = one_in(random, 2) ? o.rows : pick(random, 1, 3 * config.lanes);
  // A column that two rows see takes its m / n from there: the largest words of K.
  const bool lonely_column = one_in(random, 2);
  if (lonely_column) {
    o.rows = pick(random, 8, 16) * config.lanes;
    o.columns = 2;
  }
  if (!hw::sinkhorn_resident(config, o.rows, o.columns, form)) o.columns = o.rows = config.lanes;
  o.batch = pick(random, 1, 3);
  o.causal = !one_in(random, 3);
  o.half_steps = pick(random, 1, 150);
  o.verify = one_in(random, 2);
  o.kernel_wanted = true;
  o.factor = model::make_multiplier(1.0);
  o.logit_fraction_bits = 8;
  const bool by_diagonal = one_in(random, 2);
  for (int b = 0; b < o.batch; ++b) {
    const int seeing_row = pick(random, 1, o.rows) - 1;
    const auto octaves_down = [&](int i, int j) {
      if (lonely_column) return j == 0 || i == seeing_row || i == seeing_row + 1 ? 0 : octaves;
      if (by_diagonal) return j < i ? 0 : octaves;
      return pick(random, 0, octaves);
    };
    for (int i = 0; i < o.rows; ++i) {
      for (int j = 0; j < o.columns; ++j) c.codes.push_back(-256 * octaves_down(i, j));
    }
  }
  complete(random, c);
  return c;
}

// Counts of half-steps beyond the random cases': their upper bits.
TEST(SinkhornRtl, ManyHalfSteps) {
  const std::uint64_t seed = test_seed(6);
  SCOPED_TRACE("QUADRILLE_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  Pair pair(kSmallSinkhorn);
  for (const auto update : {SinkhornUpdate::kAlternate, SinkhornUpdate::kDamped}) {
    ScaleCase test = large_case(random, kSmallSinkhorn, 2, 3, update, 14);
    test.operation.stop = false;
    test.operation.half_steps = 1'900;  // 11 bits, most of them ones.
    complete(random, test);
    pair.expect_equal(test.operation, test.memory, expected_scale(test), {}, false);
    if (HasFatalFailure()) return;
  }
}

// Every clamp of held K: sums on both ends, K0 r, K, and kMatrix's elements.
TEST(SinkhornRtl, HeldKBeyondItsRange) {
  const std::uint64_t seed = test_seed(5);
  SCOPED_TRACE("QUADRILLE_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  std::int64_t saturated = 0;
  const int trials = (lockstep_runs(400) + 19) / 20;
  for (const hw::SinkhornConfig& config : {kSmallSinkhorn, kMiddleSinkhorn}) {
    Pair pair(config);
    for (int trial = 0; trial < trials; ++trial) {
      const auto form = one_in(random, 2) ? SinkhornForm::kKernel : SinkhornForm::kMatrix;
      const ScaleCase test =
          spread_case(random, config, form, one_in(random, 2) ? 12 : pick(random, 13, 120));
      SCOPED_TRACE("trial " + std::to_string(trial) + ": " + test.describe());
      const SinkhornExpected expected = expected_scale(test);
      saturated += expected.saturated;
      pair.expect_equal(test.operation, test.memory, expected, {}, false);
      if (HasFatalFailure()) return;
    }
  }
  if (trials >= 20) {
    EXPECT_GE(saturated, 1000);
  }
}

// The table of powers with one wrong constant: a scaling must say so.
TEST(SinkhornRtl, OneWrongConstantIsFound) {
  const std::uint64_t seed = test_seed(4);
  SCOPED_TRACE("QUADRILLE_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  int found = 0;
  for (int trial = 0; trial < 20; ++trial) {
    const auto beat = hw::make_sinkhorn_beat_body(kSmallSinkhorn, nullptr);
    const auto wrong = hw::make_sinkhorn_rtl_body(
        kSmallSinkhorn, wrong_rtl_library(hw::sinkhorn_rtl_design(kSmallSinkhorn)));
    // Equal logits, whole octaves: every term is a power of two.
    ScaleCase test;
    test.config = kSmallSinkhorn;
    hw::SinkhornScale& o = test.operation;
    o.rows = o.columns = 8;
    o.half_steps = 1;
    o.factor = model::make_multiplier(1.0);
    test.codes.assign(64, 256 * pick(random, 0, 9));
    complete(random, test);
    std::int64_t cycle = 0;
    const LockstepResult result = run_lockstep<hw::SinkhornOperation>(
        {beat.get(), wrong.get()}, o, hw::input_stream(kSmallSinkhorn, o),
        hw::output_stream(kSmallSinkhorn, o), hw::Bytes(test.memory.data(), test.memory.size()), {},
        cycle);
    found += result.difference.rfind("output bytes", 0) == 0 ? 1 : 0;
  }
  EXPECT_EQ(found, 20);
}

}  // namespace
}  // namespace quadrille::testbench
