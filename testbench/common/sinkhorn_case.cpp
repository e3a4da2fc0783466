#include "testbench/common/sinkhorn_case.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "hw/memory/traffic.h"
#include "model/numerics/integers.h"
#include "model/numerics/logarithm.h"
#include "model/numerics/rounding.h"
#include "testbench/common/drive.h"

namespace quadrille::testbench {

using namespace hw;
using model::SinkhornForm;
using model::SinkhornUpdate;
using Random = std::mt19937_64;

bool one_in(Random& random, int n) { return pick(random, 1, n) == 1; }

std::uint64_t Arena::take(std::int64_t bytes) {
  const std::uint64_t address = end;
  end += static_cast<std::uint64_t>(model::round_up(bytes, Beat::kBytes));
  return address;
}

SinkhornConfig random_sinkhorn_config(Random& random) {
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

SinkhornScale random_scale_shape(Random& random, const SinkhornConfig& config, int few, int many) {
  SinkhornScale o;
  const int most = one_in(random, 2) ? few : many;
  o.rows = pick(random, 1, most);
  o.columns = one_in(random, 3) ? o.rows : pick(random, 1, most);
  if (!sinkhorn_resident(config, o.rows, o.columns, SinkhornForm::kScaling))
    o.columns = std::max(o.columns, 2);
  o.form = static_cast<SinkhornForm>(pick(random, 0, 2));
  if (!sinkhorn_resident(config, o.rows, o.columns, o.form)) o.form = SinkhornForm::kScaling;
  const bool scaling = o.form == SinkhornForm::kScaling;
  const bool resident = sinkhorn_resident(config, o.rows, o.columns, o.form);
  o.kernel_wanted = !scaling || (resident && one_in(random, 2));
  o.causal = one_in(random, 3);
  o.warm = scaling && one_in(random, 3);
  if (scaling && one_in(random, 3)) o.update = SinkhornUpdate::kDamped;
  return o;
}

CommandCourse random_course(Random& random, const SinkhornConfig& config,
                            const SinkhornScale& operation) {
  CommandCourse course = SinkhornEngine(config).course(operation);
  for (std::int64_t& sweeps : course.block_sweeps)
    sweeps = pick(random, 1, static_cast<int>(sweeps));
  if (!sinkhorn_resident(config, operation.rows, operation.columns, operation.form))
    course.input_passes = course.block_sweeps.front();
  return course;
}

namespace {

int random_lines(Random& random) {
  if (one_in(random, 3)) return pick(random, 1, 6);
  return one_in(random, 6) ? pick(random, 1, 64) : pick(random, 1, 24);
}

}  // namespace

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

namespace {

/// A pitch of a row (or of a matrix): without a gap, or a multiple of the largest
/// beat.
std::int64_t random_pitch(Random& random, std::int64_t bytes) {
  if (!one_in(random, 3)) return bytes;
  return model::round_up(bytes, Beat::kBytes) + Beat::kBytes * pick(random, 0, 1);
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

}  // namespace

std::string ScaleCase::describe() const {
  const SinkhornScale& o = operation;
  return std::to_string(config.lanes) + (config.skewed ? " lanes, " : " lanes (not skewed), ") +
         std::to_string(config.log_units) + " log units, " + std::to_string(config.tile_elements) +
         " words, batch " + std::to_string(o.batch) + " of " + std::to_string(o.rows) + " x " +
         std::to_string(o.columns) + ", form " + std::to_string(static_cast<int>(o.form)) +
         ", update " + std::to_string(static_cast<int>(o.update)) + (o.causal ? ", causal" : "") +
         (o.warm ? ", warm" : "") + (o.verify ? ", verify" : "") + ", half-steps " +
         std::to_string(o.half_steps) + ", tolerance " +
         std::to_string(o.stop ? o.tolerance_code : -1);
}

namespace {

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

}  // namespace

void complete(Random& random, ScaleCase& c) {
  SinkhornScale& o = c.operation;
  model::SinkhornInteger& p = c.problem;
  p.shape = {o.batch, o.rows, o.columns, o.causal};
  p.settings = {o.half_steps, o.stop ? 1.0 : 0.0, o.form, o.update};
  p.factor = o.factor;
  p.fraction_bits = o.logit_fraction_bits;
  p.tolerance_code = o.tolerance_code;
  o.column_target = model::sinkhorn_column_target(p.shape);
  o.column_target_inverse = model::make_multiplier(static_cast<double>(o.columns) / o.rows);
  place(random, c);
}

ScaleCase random_scale_case(Random& random) {
  return random_scale_case(random, random_sinkhorn_config(random));
}

ScaleCase random_scale_case(Random& random, const SinkhornConfig& config) {
  ScaleCase c;
  c.config = config;
  SinkhornScale& o = c.operation;
  o.rows = std::min(random_lines(random), c.config.max_lines);
  o.columns = one_in(random, 2) ? o.rows : std::min(random_lines(random), c.config.max_lines);
  if (one_in(random, 16)) {
    // Streamed for its length: one side within the lanes, or within a chunk.
    o.rows = pick(random, 1, c.config.lanes);
    o.columns = pick(random, c.config.max_lines / 2, c.config.max_lines);
    if (one_in(random, 2)) std::swap(o.rows, o.columns);
  }
  if (o.columns == 1 && !sinkhorn_resident(c.config, o.rows, 1, SinkhornForm::kScaling))
    o.columns = 2;  // One column would be refused.
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
  complete(random, c);
  return c;
}

namespace {

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

}  // namespace

std::vector<std::int32_t> words_of(const std::vector<std::int64_t>& codes) {
  std::vector<std::int32_t> words;
  for (const std::int64_t code : codes) words.push_back(static_cast<std::int32_t>(code));
  return words;
}

SinkhornExpected expected_scale(const ScaleCase& c) {
  const SinkhornScale& o = c.operation;
  const auto fixed = model::sinkhorn_fixed(c.codes, c.problem, c.g0, c.f0);
  SinkhornExpected expected;
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

namespace {

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

}  // namespace

void expect_sinkhorn_equal(Random& random, const SinkhornConfig& config,
                           const SinkhornOperation& operation,
                           const std::vector<std::uint8_t>& memory,
                           const SinkhornExpected& expected) {
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
    const auto surroundings = round == 1 ? Surroundings{} : draw_surroundings(random);
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

}  // namespace quadrille::testbench
