// Sinkhorn unit: tile data and beat data equal model/attention/sinkhorn.h bit for
// bit, under stalls too, and every beat lies where a scratchpad can serve it.
#include "hw/engines/sinkhorn/sinkhorn_engine.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <random>
#include <vector>

#include "hw/memory/traffic.h"
#include "model/numerics/logarithm.h"
#include "model/numerics/rounding.h"
#include "testbench/common/drive.h"
#include "testbench/common/seed.h"

namespace quadrille {
namespace {

using namespace hw;
using model::SinkhornForm;
using model::SinkhornUpdate;
using testbench::draw_surroundings;
using testbench::drive;
using Random = std::mt19937_64;

int pick(Random& random, int low, int high) {
  return std::uniform_int_distribution<int>(low, high)(random);
}
bool one_in(Random& random, int n) { return pick(random, 1, n) == 1; }

/// QUADRILLE_RANDOM_CASES, or `fallback`.
int random_cases(int fallback) {
  const char* text = std::getenv("QUADRILLE_RANDOM_CASES");
  return text != nullptr ? std::stoi(text) : fallback;
}

/// Buffers one after the other, each at a multiple of the largest beat.
struct Arena {
  std::uint64_t end = 0;
  std::uint64_t take(std::int64_t bytes) {
    const std::uint64_t address = end;
    end += (static_cast<std::uint64_t>(bytes) + Beat::kBytes - 1) / Beat::kBytes * Beat::kBytes;
    return address;
  }
};

SinkhornConfig random_config(Random& random) {
  const int lanes[] = {1, 3, 4, 8, 32};
  SinkhornConfig config;
  config.lanes = lanes[pick(random, 0, 4)];
  config.tile_elements = 2 * config.lanes * config.lanes * pick(random, 1, 4) + pick(random, 0, 9);
  config.max_lines = std::max(config.lanes, pick(random, 64, 300));
  config.log_units = pick(random, 1, config.lanes);
  config.value_columns = pick(random, 1, 9);
  config.skewed = !one_in(random, 4);
  return config;
}

int random_lines(Random& random) {
  if (one_in(random, 3)) return pick(random, 1, 6);
  return one_in(random, 6) ? pick(random, 1, 64) : pick(random, 1, 24);
}

std::vector<std::int32_t> random_codes(Random& random, std::size_t count, int bits) {
  std::vector<std::int32_t> codes(count);
  for (std::int32_t& code : codes)
    code = static_cast<std::int32_t>(static_cast<std::uint32_t>(random())) >> (32 - bits);
  return codes;
}

void store(const Bytes& memory, std::uint64_t address, std::int64_t pitch, std::int64_t width,
           const std::vector<std::int32_t>& values, int bytes) {
  for (std::size_t k = 0; k < values.size(); ++k) {
    const auto at = static_cast<std::int64_t>(k);
    std::memcpy(
        memory.at(address + static_cast<std::uint64_t>(at / width * pitch + at % width * bytes),
                  static_cast<std::uint64_t>(bytes)),
        &values[k], static_cast<std::size_t>(bytes));
  }
}

/// A pitch of a row (or of a matrix): without a gap, or a multiple of the largest
/// beat.
std::int64_t random_pitch(Random& random, std::int64_t bytes) {
  if (!one_in(random, 3)) return bytes;
  return (bytes + Beat::kBytes - 1) / Beat::kBytes * Beat::kBytes +
         Beat::kBytes * pick(random, 0, 1);
}

/// Every beat lies in the access that its reader or writer makes.
void expect_beats_fit(const Stream& stream, std::int64_t word_bytes) {
  StreamCursor beats(stream);
  AccessCursor accesses(stream, word_bytes);
  while (!beats.done()) {
    ASSERT_FALSE(accesses.done());
    const std::uint64_t end = beats.address() + static_cast<std::uint64_t>(beats.bytes());
    const std::uint64_t access_end =
        accesses.address() + static_cast<std::uint64_t>(accesses.bytes());
    ASSERT_GE(beats.address(), accesses.address());
    ASSERT_LE(end, access_end) << "a beat of " << beats.bytes() << " bytes at " << beats.address()
                               << " with words of " << word_bytes;
    if (end == access_end) accesses.advance();
    beats.advance();
  }
  EXPECT_TRUE(accesses.done());
}

void expect_beats_fit(const SinkhornConfig& config, const Stream& stream) {
  for (const int size : {config.lanes, config.value_columns})
    if ((size & (size - 1)) != 0) return;  // No chip has these.
  for (const std::int64_t word_bytes : {16, 128}) expect_beats_fit(stream, word_bytes);
}

/// A matrix or a batch, as tensors, as the specification takes it and as a command.
struct ScaleCase {
  SinkhornConfig config;
  SinkhornScale operation;
  model::SinkhornInteger problem;
  std::vector<std::int32_t> codes, f0, g0;
  std::vector<std::uint8_t> memory;

  std::string describe() const {
    const SinkhornScale& o = operation;
    return std::to_string(config.lanes) + (config.skewed ? " lanes, " : " lanes (not skewed), ") +
           std::to_string(config.log_units) + " log units, " +
           std::to_string(config.tile_elements) + " words, batch " + std::to_string(o.batch) +
           " of " + std::to_string(o.rows) + " x " + std::to_string(o.columns) + ", form " +
           std::to_string(static_cast<int>(o.form)) + ", update " +
           std::to_string(static_cast<int>(o.update)) + (o.causal ? ", causal" : "") +
           (o.warm ? ", warm" : "") + (o.verify ? ", verify" : "") + ", half-steps " +
           std::to_string(o.half_steps) + ", tolerance " +
           std::to_string(o.stop ? o.tolerance_code : -1);
  }
};

void place(Random& random, ScaleCase& c) {
  SinkhornScale& o = c.operation;
  Arena arena;
  const bool streamed = !sinkhorn_resident(c.config, o.rows, o.columns, o.form);
  const std::int64_t row_bytes = std::int64_t{o.columns} * o.element_bytes;
  o.source_pitch_bytes = random_pitch(random, row_bytes);
  if (streamed && o.source_pitch_bytes == row_bytes)  // Rows must begin where a beat may.
    o.source_pitch_bytes = (row_bytes / Beat::kBytes + 1) * Beat::kBytes;
  o.matrix_stride_bytes = random_pitch(random, o.rows * o.source_pitch_bytes);
  o.source = arena.take(o.batch * o.matrix_stride_bytes);
  o.kernel_pitch_bytes = random_pitch(random, std::int64_t{4} * o.columns);
  o.kernel_stride_bytes = random_pitch(random, o.rows * o.kernel_pitch_bytes);
  const auto words = [&](std::int64_t each) { return arena.take(4 * each * o.batch); };
  o.warm_rows = words(o.rows);
  o.warm_columns = words(o.columns);
  o.row_scalings = words(o.rows);
  o.column_scalings = words(o.columns);
  o.counts = words(1);
  o.kernel = arena.take(o.batch * o.kernel_stride_bytes);
  c.memory.assign(arena.end, 0xEE);
  const Bytes bytes(c.memory.data(), c.memory.size());
  const auto elements = static_cast<std::size_t>(o.rows) * static_cast<std::size_t>(o.columns);
  for (int b = 0; b < o.batch; ++b) {
    const auto first = c.codes.begin() + static_cast<std::ptrdiff_t>(elements) * b;
    store(bytes, o.source + static_cast<std::uint64_t>(b * o.matrix_stride_bytes),
          o.source_pitch_bytes, o.columns, {first, first + static_cast<std::ptrdiff_t>(elements)},
          o.element_bytes);
  }
  if (o.warm) {
    store(bytes, o.warm_rows, 4, 1, c.f0, 4);
    store(bytes, o.warm_columns, 4, 1, c.g0, 4);
  }
}

/// Codes and factor so that the logits spread over about `octaves`.
void draw_elements(Random& random, ScaleCase& c, double octaves) {
  SinkhornScale& o = c.operation;
  o.element_bytes = one_in(random, 2) ? 2 : 4;
  const int bits = o.element_bytes == 2 ? pick(random, 8, 16) : pick(random, 12, 32);
  const auto count = static_cast<std::size_t>(o.batch) * static_cast<std::size_t>(o.rows) *
                     static_cast<std::size_t>(o.columns);
  c.codes = random_codes(random, count, bits);
  o.factor = model::make_multiplier(std::ldexp(octaves, o.logit_fraction_bits - bits));
}

ScaleCase random_scale(Random& random) {
  ScaleCase c;
  c.config = random_config(random);
  SinkhornScale& o = c.operation;
  o.rows = std::min(random_lines(random), c.config.max_lines);
  o.columns = one_in(random, 2) ? o.rows : std::min(random_lines(random), c.config.max_lines);
  const int form = pick(random, 0, 3);
  o.form = form < 2 ? SinkhornForm::kScaling
                    : (form == 2 ? SinkhornForm::kKernel : SinkhornForm::kMatrix);
  const bool streamed = !sinkhorn_resident(c.config, o.rows, o.columns, SinkhornForm::kScaling);
  if (!sinkhorn_resident(c.config, o.rows, o.columns, o.form)) o.form = SinkhornForm::kScaling;
  const bool scaling = o.form == SinkhornForm::kScaling;
  const int block = sinkhorn_block_matrices(c.config, o.rows, o.columns, o.form);
  o.batch = streamed ? 1 : pick(random, 1, one_in(random, 2) ? 3 : std::min(40, 3 * block + 2));
  o.kernel_wanted = !scaling || (!streamed && one_in(random, 2));
  o.causal = one_in(random, 3);
  o.warm = scaling && one_in(random, 3);
  if (scaling && one_in(random, 3)) o.update = SinkhornUpdate::kDamped;
  o.logit_fraction_bits = pick(random, 8, 14);
  o.half_steps = pick(random, 1, 9);
  o.stop = one_in(random, 2);
  o.tolerance_code = 1 << pick(random, 0, 16);
  o.verify = one_in(random, 4);
  draw_elements(random, c, scaling && one_in(random, 4) ? 300.0 : pick(random, 1, 11));
  if (o.warm) {
    const int bits = one_in(random, 5) ? 32 : pick(random, 14, 24);
    const auto lines = [&](int each) {
      return static_cast<std::size_t>(each) * static_cast<std::size_t>(o.batch);
    };
    c.f0 = random_codes(random, lines(o.rows), bits);
    c.g0 = random_codes(random, lines(o.columns), bits);
  }
  model::SinkhornInteger& p = c.problem;
  p.shape = {o.batch, o.rows, o.columns, o.causal};
  p.settings = {o.half_steps, o.stop ? 1.0 : 0.0, o.form, o.update};
  p.factor = o.factor;
  p.fraction_bits = o.logit_fraction_bits;
  p.tolerance_code = o.tolerance_code;
  o.column_target = model::sinkhorn_column_target(p.shape);
  o.column_target_inverse = model::make_multiplier(static_cast<double>(o.columns) / o.rows);
  place(random, c);
  return c;
}

/// What a command should leave: its memory, its clamped values, its course.
struct Expected {
  std::vector<std::uint8_t> memory;
  std::int64_t saturated = 0;
  CommandCourse course;
};

/// Entries of K that the specification clamps: the engine does where it gives K.
std::int64_t clamped_entries(const ScaleCase& c, const model::SinkhornFixedResult& fixed) {
  std::int64_t clamped = 0;
  const SinkhornScale& o = c.operation;
  std::size_t at = 0;
  for (int b = 0; b < o.batch; ++b) {
    for (int i = 0; i < o.rows; ++i) {
      for (int j = 0; j < o.columns; ++j, ++at) {
        if (o.causal && j > i) continue;
        const std::int64_t logit = model::saturate(
            model::round_shift(std::int64_t{c.codes[at]} * o.factor.mantissa, o.factor.shift), 16);
        const std::int64_t f = fixed.f_q[static_cast<std::size_t>(b * o.rows + i)];
        const std::int64_t g = fixed.g_q[static_cast<std::size_t>(b * o.columns + j)];
        model::power_code(logit * (1 << (16 - o.logit_fraction_bits)) + f + g, 24, clamped);
      }
    }
  }
  return clamped;
}

std::vector<std::int32_t> words_of(const std::vector<std::int64_t>& codes) {
  std::vector<std::int32_t> words;
  for (const std::int64_t code : codes) words.push_back(static_cast<std::int32_t>(code));
  return words;
}

Expected expected_scale(const ScaleCase& c) {
  const SinkhornScale& o = c.operation;
  const auto fixed = model::sinkhorn_fixed(c.codes, c.problem, c.g0, c.f0);
  Expected expected;
  expected.memory = c.memory;
  const Bytes bytes(expected.memory.data(), expected.memory.size());
  store(bytes, o.row_scalings, 4, 1, words_of(fixed.f_q), 4);
  store(bytes, o.column_scalings, 4, 1, words_of(fixed.g_q), 4);
  store(bytes, o.counts, 4, 1, fixed.iterations, 4);
  if (o.kernel_wanted) {
    const auto elements = static_cast<std::ptrdiff_t>(o.rows) * o.columns;
    const auto k = words_of(fixed.k_q);
    for (int b = 0; b < o.batch; ++b)
      store(bytes, o.kernel + static_cast<std::uint64_t>(b * o.kernel_stride_bytes),
            o.kernel_pitch_bytes, o.columns,
            {k.begin() + elements * b, k.begin() + elements * (b + 1)}, 4);
  }
  expected.saturated = fixed.saturated;
  if (!o.kernel_wanted) expected.saturated -= clamped_entries(c, fixed);
  const int block = sinkhorn_block_matrices(c.config, o.rows, o.columns, o.form);
  for (int first = 0; first < o.batch; first += block) {
    std::int64_t sweeps = 0;
    for (int b = first; b < std::min(first + block, o.batch); ++b) {
      const auto m = static_cast<std::size_t>(b);
      const bool stopped = fixed.sweeps[m] > fixed.iterations[m];
      sweeps = std::max<std::int64_t>(sweeps, fixed.sweeps[m] + (o.verify && !stopped ? 1 : 0));
    }
    expected.course.block_sweeps.push_back(sweeps);
  }
  if (!sinkhorn_resident(c.config, o.rows, o.columns, o.form))
    expected.course.input_passes = expected.course.block_sweeps.front();
  expected.course.half_steps = *std::max_element(fixed.iterations.begin(), fixed.iterations.end());
  expected.course.residuals = fixed.residuals;
  return expected;
}

/// `verify` measures one state more than the specification.
void expect_course(const CommandCourse& course, const CommandCourse& expected) {
  EXPECT_EQ(course.input_passes, expected.input_passes);
  EXPECT_EQ(course.block_sweeps, expected.block_sweeps);
  EXPECT_EQ(course.half_steps, expected.half_steps);
  std::int64_t most = 1;
  for (const std::int64_t sweeps : expected.block_sweeps) most = std::max(most, sweeps);
  ASSERT_EQ(course.residuals.size(),
            expected.block_sweeps.empty() ? 0U : static_cast<std::size_t>(most - 1));
  for (std::size_t l = 0; l < std::min(course.residuals.size(), expected.residuals.size()); ++l) {
    EXPECT_EQ(course.residuals[l].row, expected.residuals[l].row) << "state " << l + 1;
    EXPECT_EQ(course.residuals[l].column, expected.residuals[l].column) << "state " << l + 1;
  }
}

/// Tile, then beat twice on one body (a command must leave nothing behind).
void expect_all_equal(Random& random, const SinkhornConfig& config,
                      const SinkhornOperation& operation, const std::vector<std::uint8_t>& memory,
                      const Expected& expected) {
  auto tile = memory;
  Activity values;
  const SinkhornEngine engine(config);
  const CommandCourse course = engine.execute(operation, Bytes(tile.data(), tile.size()), values);
  ASSERT_EQ(tile, expected.memory);
  EXPECT_EQ(values.saturated, expected.saturated);
  expect_course(course, expected.course);
  const auto streams = std::visit(
      [&](const auto& o) { return std::pair(input_stream(config, o), output_stream(config, o)); },
      operation);
  expect_beats_fit(config, streams.first);
  expect_beats_fit(config, streams.second);
  Activity beat_values;
  auto body = make_sinkhorn_beat_body(config, &beat_values);
  for (int round = 1; round <= 2; ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    auto beat = memory;
    const auto surroundings = round == 1 ? testbench::Surroundings{} : draw_surroundings(random);
    const std::int64_t cycles = drive(*body, operation, streams.first, streams.second,
                                      Bytes(beat.data(), beat.size()), surroundings);
    ASSERT_EQ(beat, expected.memory);
    EXPECT_EQ(beat_values.saturated, round * expected.saturated);
    ASSERT_NE(body->course(), nullptr);
    expect_course(*body->course(), expected.course);
    if (round == 1) {
      EXPECT_EQ(cycles, engine.alone_cycles(operation, course));
    }
  }
}

TEST(SinkhornEngine, ScaleEqualsTheSpecification) {
  const std::uint64_t seed = testbench::test_seed(20250701);
  Random random(seed);
  int held = 0, streamed = 0, damped = 0, stopped = 0, blocks = 0, clamped = 0;
  const int cases = random_cases(1500);
  for (int trial = 0; trial < cases; ++trial) {
    const ScaleCase c = random_scale(random);
    SCOPED_TRACE("QUADRILLE_SEED=" + std::to_string(seed) + ", trial " + std::to_string(trial) +
                 ": " + c.describe());
    const Expected expected = expected_scale(c);
    expect_all_equal(random, c.config, c.operation, c.memory, expected);
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
  Expected expected;
};

ApplyCase random_apply(Random& random) {
  ScaleCase scale = random_scale(random);
  while (scale.operation.batch > 1) scale = random_scale(random);
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
  const auto aligned = [](std::int64_t bytes) {
    return (bytes + Beat::kBytes - 1) / Beat::kBytes * Beat::kBytes;
  };
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
  const std::uint64_t seed = testbench::test_seed(20250702);
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
    expect_all_equal(random, c.config, c.operation, c.memory, c.expected);
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
  refused(apply);  // Neither K nor V.
  apply.kernel_wanted = true;
  apply.from = SinkhornSource::kKernel;
  refused(apply);  // Elements of 2 bytes.
}

}  // namespace
}  // namespace quadrille
