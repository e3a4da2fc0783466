#include "testbench/common/sinkhorn_apply_case.h"

#include <algorithm>
#include <cmath>
#include <sstream>

#include "model/numerics/integers.h"
#include "model/numerics/logarithm.h"
#include "model/numerics/rounding.h"

namespace quadrille::testbench {
namespace {

using hw::SinkhornApply;
using hw::SinkhornSource;
using Random = std::mt19937_64;
using Codes = std::vector<std::int32_t>;

std::size_t count_of(int rows, int columns) {
  return static_cast<std::size_t>(rows) * static_cast<std::size_t>(columns);
}

Codes draw(Random& random, std::size_t count, int bits, ApplyCodes kind) {
  const auto largest = static_cast<std::int32_t>((std::int64_t{1} << (bits - 1)) - 1);
  switch (kind) {
    case ApplyCodes::kUniform:
      return random_codes(random, count, bits);
    case ApplyCodes::kSmall:
      return random_codes(random, count, std::min(bits, 5));
    case ApplyCodes::kLargest:
      return Codes(count, largest);
    case ApplyCodes::kLowest:
      return Codes(count, -largest - 1);
  }
  return {};
}

/// The operands of a command, and K as the specification has it.
struct Operands {
  Codes elements, row_scalings, column_scalings, values;
  std::vector<std::int64_t> kernel;
};

std::int64_t kernel_word(const SinkhornApply& o, const Operands& operands, int row, int column,
                         std::int64_t& saturated) {
  if (o.causal && column > o.first_row + row) return 0;
  const std::int64_t element =
      operands.elements[count_of(row, o.columns) + static_cast<std::size_t>(column)];
  if (o.from == SinkhornSource::kKernel) return element;
  const std::int64_t logit = model::saturate(
      model::round_shift(element * std::int64_t{o.factor.mantissa}, o.factor.shift), 16);
  const std::int64_t x = logit * (std::int64_t{1} << (16 - o.logit_fraction_bits)) +
                         operands.row_scalings[static_cast<std::size_t>(row)] +
                         operands.column_scalings[static_cast<std::size_t>(column)];
  return model::power_code(x, model::kKernelFractionBits, saturated);
}

Operands draw_operands(Random& random, const SinkhornApply& o, ApplyCodes kind) {
  Operands result;
  const std::size_t elements = count_of(o.rows, o.columns);
  if (o.from == SinkhornSource::kKernel) {
    // A held K is never negative; the engine multiplies any word above -2^31.
    result.elements = draw(random, elements, kind == ApplyCodes::kUniform ? 31 : 32, kind);
    if (kind == ApplyCodes::kLowest) result.elements.assign(elements, INT32_MAX);
  } else {
    result.elements = draw(random, elements, 8 * o.element_bytes, kind);
  }
  // K is mostly neither 0 nor clamped everywhere.
  const int bits =
      kind != ApplyCodes::kUniform ? 20 : (one_in(random, 4) ? 32 : pick(random, 4, 22));
  result.row_scalings = random_codes(random, static_cast<std::size_t>(o.rows), bits);
  result.column_scalings = random_codes(random, static_cast<std::size_t>(o.columns), bits);
  result.values =
      draw(random, count_of(o.columns, o.value_width), std::min(20, 8 * o.value_bytes), kind);
  return result;
}

std::int64_t aligned(std::int64_t bytes) { return model::round_up(bytes, hw::Beat::kBytes); }

void place(SinkhornApply& o, Arena& arena) {
  o.source_pitch_bytes = aligned(std::int64_t{o.columns} * o.element_bytes);
  o.source = arena.take(o.rows * o.source_pitch_bytes);
  o.row_scalings = arena.take(std::int64_t{4} * o.rows);
  o.column_scalings = arena.take(std::int64_t{4} * o.columns);
  o.kernel_pitch_bytes = aligned(std::int64_t{4} * o.columns);
  o.kernel = arena.take(o.kernel_wanted ? o.rows * o.kernel_pitch_bytes : 0);
  o.value_pitch_bytes = aligned(std::int64_t{o.value_width} * o.value_bytes);
  o.values = arena.take(o.columns * o.value_pitch_bytes);
  o.destination_pitch_bytes = aligned(std::int64_t{4} * o.value_width);
  o.destination = arena.take(o.rows * o.destination_pitch_bytes);
}

std::string describe(const SinkhornApply& o, ApplyCodes kind) {
  std::ostringstream text;
  text << o.rows << " rows from " << o.first_row << " x " << o.columns
       << (o.causal ? ", causal" : "") << (o.from == SinkhornSource::kKernel ? ", held K" : "")
       << ", elements of " << o.element_bytes << " bytes, V " << o.value_width << " of "
       << o.value_bytes << " bytes" << (o.kernel_wanted ? ", with K" : "") << ", codes "
       << static_cast<int>(kind);
  return text.str();
}

}  // namespace

ApplyCase make_apply_case(Random& random, const SinkhornApply& operation, ApplyCodes kind) {
  ApplyCase c;
  c.operation = operation;
  SinkhornApply& o = c.operation;
  c.description = describe(o, kind);
  Operands operands = draw_operands(random, o, kind);
  Arena arena;
  place(o, arena);
  c.before.assign(arena.end, 0xEE);
  const hw::Bytes bytes(c.before.data(), c.before.size());
  store(bytes, o.source, o.source_pitch_bytes, o.columns, operands.elements, o.element_bytes);
  store(bytes, o.row_scalings, 4, 1, operands.row_scalings, 4);
  store(bytes, o.column_scalings, 4, 1, operands.column_scalings, 4);
  if (o.value_width > 0)
    store(bytes, o.values, o.value_pitch_bytes, o.value_width, operands.values, o.value_bytes);

  std::int64_t saturated = 0;
  for (int row = 0; row < o.rows; ++row)
    for (int column = 0; column < o.columns; ++column)
      operands.kernel.push_back(kernel_word(o, operands, row, column, saturated));
  c.expected.memory = c.before;
  const hw::Bytes after(c.expected.memory.data(), c.expected.memory.size());
  if (o.kernel_wanted)
    store(after, o.kernel, o.kernel_pitch_bytes, o.columns, words_of(operands.kernel), 4);
  if (o.value_width > 0) {
    const model::SinkhornShape shape{1, o.rows, o.columns, false};  // K is masked already.
    const auto out = model::sinkhorn_apply_fixed(operands.kernel, operands.values, shape,
                                                 o.value_width, saturated);
    store(after, o.destination, o.destination_pitch_bytes, o.value_width, words_of(out), 4);
  }
  c.expected.saturated = saturated;
  return c;
}

ApplyCase random_apply_case(Random& random, const hw::SinkhornConfig& config) {
  SinkhornApply o;
  const auto lines = [&](int most) {
    return pick(random, 1, std::min(config.max_lines, one_in(random, 3) ? 3 : most));
  };
  o.rows = one_in(random, 20) ? lines(3 * config.lanes) : lines(6);
  o.columns = one_in(random, 60) ? std::min(config.max_lines, 40 * config.lanes)
                                 : lines(3 * config.lanes + 2);
  o.causal = one_in(random, 3);
  o.first_row = one_in(random, 8) ? pick(random, 0, INT32_MAX / 2) : pick(random, 0, o.columns);
  o.from = one_in(random, 3) ? SinkhornSource::kKernel : SinkhornSource::kElements;
  o.element_bytes = o.from == SinkhornSource::kKernel || one_in(random, 2) ? 4 : 2;
  o.logit_fraction_bits = pick(random, 8, 14);
  const int bits = 8 * o.element_bytes;
  const int octaves = one_in(random, 8) ? 300 : pick(random, 1, 20);
  o.factor = model::make_multiplier(
      std::ldexp(octaves * (1.0 + pick(random, 0, 999) / 1000.0), o.logit_fraction_bits - bits));
  o.value_width = one_in(random, 5) ? 0 : pick(random, 1, 3 * config.value_columns + 1);
  o.kernel_wanted = o.value_width == 0 || one_in(random, 2);
  o.value_bytes = 1 << pick(random, 0, 2);
  const int kind = pick(random, 0, 15);
  return make_apply_case(random, o,
                         kind < 12 ? ApplyCodes::kUniform : static_cast<ApplyCodes>(kind - 12));
}

}  // namespace quadrille::testbench
