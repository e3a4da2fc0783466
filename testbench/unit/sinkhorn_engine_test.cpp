// Sinkhorn unit: tile data and beat data equal model/attention/sinkhorn.h bit for
// bit, under stalls too, and every beat lies where a scratchpad can serve it.
#include "hw/engines/sinkhorn/sinkhorn_engine.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <random>
#include <vector>

#include "model/numerics/integers.h"
#include "testbench/common/environment.h"
#include "testbench/common/sinkhorn_case.h"

namespace quadrille {
namespace {

using namespace hw;
using namespace testbench;
using model::SinkhornForm;
using model::SinkhornUpdate;
using Random = std::mt19937_64;

TEST(SinkhornEngine, ScaleEqualsTheSpecification) {
  const std::uint64_t seed = test_seed(20250701);
  Random random(seed);
  int held = 0, streamed = 0, damped = 0, stopped = 0, blocks = 0, clamped = 0;
  const int cases = random_cases(1500);
  for (int trial = 0; trial < cases; ++trial) {
    const ScaleCase c = random_scale_case(random);
    SCOPED_TRACE("QUADRILLE_SEED=" + std::to_string(seed) + ", trial " + std::to_string(trial) +
                 ": " + c.describe());
    const SinkhornExpected expected = expected_scale(c);
    expect_sinkhorn_equal(random, c.config, c.operation, c.memory, expected);
    if (testing::Test::HasFailure()) return;
    held += c.operation.form != SinkhornForm::kScaling;
    streamed +=
        !sinkhorn_resident(c.config, c.operation.rows, c.operation.columns, c.operation.form);
    damped += c.operation.update == SinkhornUpdate::kDamped;
    stopped += expected.course.half_steps < c.operation.half_steps;
    blocks += expected.course.block_sweeps.size() > 1;
    clamped += expected.saturated > 0;
  }
  // Every kind of command was there.
  for (const int count : {held, streamed, damped, stopped, blocks, clamped})
    EXPECT_GE(count, cases / 50);
}

// --- apply ------------------------------------------------------------------------

/// The rows first_row .. of a scaled matrix, and V.
struct ApplyCase {
  SinkhornConfig config;
  SinkhornApply operation;
  std::vector<std::uint8_t> memory;
  SinkhornExpected expected;
};

ApplyCase random_apply(Random& random) {
  ScaleCase scale = random_scale_case(random);
  while (scale.operation.batch > 1) scale = random_scale_case(random);
  const SinkhornScale& s = scale.operation;
  const auto fixed = model::sinkhorn_fixed(scale.codes, scale.problem, scale.g0, scale.f0);
  ApplyCase c;
  c.config = scale.config;
  SinkhornApply& o = c.operation;
  o.first_row = pick(random, 0, s.rows - 1);
  o.rows = pick(random, 1, s.rows - o.first_row);
  o.columns = s.columns;
  o.causal = s.causal;
  o.from = s.form == SinkhornForm::kScaling ? SinkhornSource::kElements : SinkhornSource::kKernel;
  o.element_bytes = o.from == SinkhornSource::kElements ? s.element_bytes : 4;
  o.factor = s.factor;
  o.logit_fraction_bits = s.logit_fraction_bits;
  o.value_width = one_in(random, 5) ? 0 : pick(random, 1, 20);
  o.kernel_wanted = o.value_width == 0 || one_in(random, 2);
  o.value_bytes = 1 << pick(random, 0, 2);
  const auto v = random_codes(random, static_cast<std::size_t>(o.columns * o.value_width),
                              std::min(20, 8 * o.value_bytes));
  // A group's columns of V and of out must not straddle words.
  if (!one_in(random, 4)) c.config.value_columns = 1 << pick(random, 0, 3);
  const auto aligned = [](std::int64_t bytes) { return model::round_up(bytes, Beat::kBytes); };
  Arena arena;
  o.source_pitch_bytes = aligned(std::int64_t{o.columns} * o.element_bytes);
  o.source = arena.take(o.rows * o.source_pitch_bytes);
  o.row_scalings = arena.take(std::int64_t{4} * o.rows);
  o.column_scalings = arena.take(std::int64_t{4} * o.columns);
  o.kernel_pitch_bytes = aligned(std::int64_t{4} * o.columns);
  o.kernel = arena.take(o.rows * o.kernel_pitch_bytes);
  o.value_pitch_bytes = aligned(std::int64_t{o.value_width} * o.value_bytes);
  o.values = arena.take(o.columns * o.value_pitch_bytes);
  o.destination_pitch_bytes = aligned(std::int64_t{4} * o.value_width);
  o.destination = arena.take(o.rows * o.destination_pitch_bytes);
  c.memory.assign(arena.end, 0xEE);
  const Bytes bytes(c.memory.data(), c.memory.size());
  const auto rows_of = [&](const std::vector<std::int32_t>& all, std::int64_t width) {
    const auto first = all.begin() + o.first_row * width;
    return std::vector<std::int32_t>(first, first + o.rows * width);
  };
  const auto k = words_of(fixed.k_q);
  const bool elements = o.from == SinkhornSource::kElements;
  store(bytes, o.source, o.source_pitch_bytes, o.columns,
        rows_of(elements ? scale.codes : k, o.columns), o.element_bytes);
  if (elements) {
    store(bytes, o.row_scalings, 4, 1, rows_of(words_of(fixed.f_q), 1), 4);
    store(bytes, o.column_scalings, 4, 1, words_of(fixed.g_q), 4);
  }
  if (o.value_width > 0)
    store(bytes, o.values, o.value_pitch_bytes, o.value_width, v, o.value_bytes);
  c.expected.memory = c.memory;
  const Bytes after(c.expected.memory.data(), c.expected.memory.size());
  if (o.kernel_wanted)
    store(after, o.kernel, o.kernel_pitch_bytes, o.columns, rows_of(k, o.columns), 4);
  model::SinkhornShape rows_shape{1, o.rows, o.columns, false};  // K is masked already.
  const auto rows = rows_of(k, o.columns);
  const auto out = model::sinkhorn_apply_fixed({rows.begin(), rows.end()}, v, rows_shape,
                                               o.value_width, c.expected.saturated);
  if (o.value_width > 0)
    store(after, o.destination, o.destination_pitch_bytes, o.value_width, words_of(out), 4);
  if (elements) {
    for (const std::int32_t word : rows) c.expected.saturated += word == INT32_MAX ? 1 : 0;
  }
  return c;
}

TEST(SinkhornEngine, ApplyEqualsTheSpecification) {
  const std::uint64_t seed = test_seed(20250702);
  Random random(seed);
  const int cases = random_cases(700);
  for (int trial = 0; trial < cases; ++trial) {
    const ApplyCase c = random_apply(random);
    const SinkhornApply& o = c.operation;
    SCOPED_TRACE("QUADRILLE_SEED=" + std::to_string(seed) + ", trial " + std::to_string(trial) +
                 ": " + std::to_string(c.config.lanes) + " lanes, " + std::to_string(o.rows) +
                 " rows from " + std::to_string(o.first_row) + " x " + std::to_string(o.columns) +
                 ", V " + std::to_string(o.value_width) + " in " +
                 std::to_string(c.config.value_columns) + (o.kernel_wanted ? ", with K" : "") +
                 (o.from == SinkhornSource::kKernel ? ", from K" : ""));
    expect_sinkhorn_equal(random, c.config, c.operation, c.memory, c.expected);
    if (testing::Test::HasFailure()) return;
  }
}

// --- counters ---------------------------------------------------------------------

/// A command without addresses.
SinkhornScale plain_scale(int rows, int columns, SinkhornForm form) {
  SinkhornScale o;
  o.rows = rows;
  o.columns = columns;
  o.form = form;
  o.kernel_wanted = form != SinkhornForm::kScaling;
  o.half_steps = 5;
  o.source_pitch_bytes = 2 * columns;
  o.matrix_stride_bytes = rows * o.source_pitch_bytes;
  o.kernel_pitch_bytes = 4 * columns;
  o.kernel_stride_bytes = rows * o.kernel_pitch_bytes;
  return o;
}

Activity activity_of(const SinkhornConfig& config, const SinkhornOperation& operation) {
  const SinkhornEngine engine(config);
  return engine.activity(operation, engine.course(operation));
}

TEST(SinkhornEngine, CountsTheVisibleElementsOfEverySweep) {
  for (const auto& [rows, columns] : {std::pair{7, 7}, {9, 4}, {4, 9}, {50, 40}}) {
    for (const bool causal : {false, true}) {
      for (const int batch : {1, 6}) {
        std::int64_t seen = 0;
        for (int i = 0; i < rows; ++i)
          for (int j = 0; j < columns; ++j) seen += !causal || j <= i ? batch : 0;
        const std::int64_t all = std::int64_t{batch} * rows * columns;
        std::int64_t seen_columns = 0;
        for (int j = 0; j < columns; ++j) seen_columns += !causal || j < rows ? batch : 0;
        const std::int64_t lines = 3 * batch * rows + 2 * seen_columns;  // 5 half-steps.
        SinkhornScale o = plain_scale(rows, columns, SinkhornForm::kScaling);
        o.causal = causal;
        o.batch = batch;
        const Activity scaling = activity_of({}, o);
        EXPECT_EQ(scaling.exponentials, 5 * seen);
        EXPECT_EQ(scaling.additions, 2 * 5 * seen);
        EXPECT_EQ(scaling.reciprocals, lines);
        EXPECT_EQ(scaling.multiplies, seen);
        // Every logit once, and nothing but scalings afterwards.
        EXPECT_EQ(scaling.local_write_bytes, 2 * all + 4 * lines);
        o.kernel_wanted = true;
        const Activity with_kernel = activity_of({}, o);
        EXPECT_EQ(with_kernel.exponentials, 6 * seen);
        EXPECT_EQ(with_kernel.local_read_bytes, scaling.local_read_bytes + 10 * all);
        EXPECT_EQ(with_kernel.local_write_bytes, scaling.local_write_bytes);
        o.kernel_wanted = false;
        o.verify = true;
        o.update = SinkhornUpdate::kDamped;
        EXPECT_EQ(activity_of({}, o).exponentials, 12 * seen);
        EXPECT_EQ(activity_of({}, o).reciprocals, 6 * (batch * rows + seen_columns));
        SinkhornScale held = plain_scale(rows, columns, SinkhornForm::kKernel);
        held.causal = causal;
        held.batch = batch;
        const Activity kernel = activity_of({}, held);
        EXPECT_EQ(kernel.macs_dynamic, 5 * seen);
        EXPECT_EQ(kernel.macs_wide, 5 * seen);
        EXPECT_EQ(kernel.exponentials, seen);
        EXPECT_EQ(kernel.compares, seen);
        EXPECT_EQ(kernel.local_write_bytes, 8 * all + 4 * lines);
        held.form = SinkhornForm::kMatrix;
        const Activity matrix = activity_of({}, held);
        EXPECT_EQ(matrix.additions, 5 * seen);
        EXPECT_EQ(matrix.multiplies, seen + 5 * seen + 2 * seen_columns);
        EXPECT_EQ(matrix.local_write_bytes, 8 * all + 5 * 4 * all + 4 * lines);
      }
    }
  }
}

TEST(SinkhornEngine, CountsAnApplyByVisibleElementsAndColumnsOfV) {
  SinkhornApply o;
  o.rows = 5;
  o.first_row = 2;
  o.columns = 40;
  o.causal = true;
  o.value_width = 20;
  const Activity activity = activity_of({}, o);
  const std::int64_t seen = 3 + 4 + 5 + 6 + 7;
  EXPECT_EQ(activity.macs_dynamic, seen * 20);
  EXPECT_EQ(activity.macs_wide, seen * 20);
  // 2 beats of 32 lanes per row, 2 groups of 16 columns.
  EXPECT_EQ(activity.macs_dynamic + activity.macs_wasted, 5 * 64 * 32);
  EXPECT_EQ(activity.exponentials, 2 * seen);
  EXPECT_EQ(activity.requantises, 5 * 20);
}

// A column of 32 neighbours in one bank takes 32 cycles; the skew takes one.
TEST(SinkhornEngine, OnlyTheSkewServesRowsAndColumnsAlike) {
  SinkhornScale o = plain_scale(64, 64, SinkhornForm::kScaling);
  SinkhornConfig config;
  EXPECT_EQ(activity_of(config, o).local_conflict_cycles, 0);
  config.skewed = false;
  EXPECT_EQ(activity_of(config, o).local_conflict_cycles, 3 * 2 * 64 * 31);
}

TEST(SinkhornEngine, RefusesWhatDoesNotFit) {
  SinkhornConfig config;
  config.lanes = 65;
  EXPECT_THROW(SinkhornEngine{config}, InvariantError);
  config = {};
  config.log_units = 33;
  EXPECT_THROW(SinkhornEngine{config}, InvariantError);
  const SinkhornEngine engine({});
  const auto refused = [&](const SinkhornOperation& o) {
    EXPECT_THROW(engine.alone_cycles(o, {}), InvariantError);
    EXPECT_THROW(std::visit([](const auto& v) { return input_stream(SinkhornConfig{}, v); }, o),
                 InvariantError);
  };
  refused(plain_scale(4097, 4, SinkhornForm::kScaling));
  refused(plain_scale(128, 65, SinkhornForm::kKernel));  // 128 x 96 words of 32 bits.
  SinkhornScale o = plain_scale(200, 200, SinkhornForm::kScaling);
  o.batch = 2;
  refused(o);
  o = plain_scale(4, 4, SinkhornForm::kKernel);
  o.update = SinkhornUpdate::kDamped;
  refused(o);
  o.update = SinkhornUpdate::kAlternate;
  o.warm = true;
  refused(o);
  o = plain_scale(4, 4, SinkhornForm::kScaling);
  o.half_steps = 0;
  refused(o);
  SinkhornApply apply;
  apply.rows = apply.columns = 4;
  refused(apply);  // It wants neither K nor V.
  apply.kernel_wanted = true;
  apply.from = SinkhornSource::kKernel;
  refused(apply);  // Elements of 2 bytes.
}

}  // namespace
}  // namespace quadrille
