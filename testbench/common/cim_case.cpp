#include "testbench/common/cim_case.h"

#include <algorithm>

#include "model/numerics/integers.h"
#include "model/numerics/reciprocal.h"
#include "model/numerics/rounding.h"
#include "testbench/common/portable_random.h"

namespace quadrille::testbench {
namespace {

/// 1..limit, the limit and 1 more often than others.
int pick_bits(std::mt19937_64& random, int limit) {
  const int kind = pick(random, 0, 3);
  return kind == 0 ? pick(random, 1, limit) : kind == 1 ? std::min(limit, 2) : limit;
}

/// A length of `tiles` tiles of `size`: the last one whole, of one, or drawn.
int pick_length(std::mt19937_64& random, int tiles, int size) {
  const int kind = pick(random, 0, 3);
  return (tiles - 1) * size + (kind == 0 ? size : kind == 1 ? 1 : pick(random, 1, size));
}

int code_value(std::uint8_t byte, int bits, bool is_signed) {
  const int masked = byte % (1 << bits);
  return is_signed && masked >= 1 << (bits - 1) ? masked - (1 << bits) : masked;
}

void fill(std::mt19937_64& random, CimCase& test, CimCodes codes) {
  const bool lowest_input = pick(random, 0, 1) == 0;
  for (std::size_t i = 0; i < test.before.size(); ++i) {
    std::uint8_t& byte = test.before[i];
    byte = static_cast<std::uint8_t>(random());
    if (codes == CimCodes::kExtremes) byte = byte % 2 == 0 ? 0x80 : 0x7F;
    if (codes == CimCodes::kLowest) byte = i < test.multiply.source || lowest_input ? 0x80 : 0xFF;
  }
}

/// Saturated to so many bits, and counted.
std::int64_t clamp(CimCase& test, std::int64_t x, int bits) {
  const std::int64_t most = (std::int64_t{1} << (bits - 1)) - 1;
  const std::int64_t y = std::max(-most - 1, std::min(most, x));
  test.saturated += x != y ? 1 : 0;
  return y;
}

void multiply(CimCase& test) {
  const hw::CimWrite& write = test.write;
  const hw::CimMultiply& multiply = test.multiply;
  const auto byte = [&](std::uint64_t base, std::int64_t offset) {
    return test.before[base + static_cast<std::uint64_t>(offset)];
  };
  std::vector<int> weights;
  for (int i = 0; i < write.rows; ++i)
    for (int j = 0; j < write.columns; ++j)
      weights.push_back(
          code_value(byte(write.source, write.transpose ? j * write.source_pitch_bytes + i
                                                        : i * write.source_pitch_bytes + j),
                     write.weight_bits, true));
  test.after = test.before;
  hw::Bytes out(test.after.data(), test.after.size());
  for (int t = 0; t < multiply.tokens; ++t) {
    std::vector<std::int32_t> sums(static_cast<std::size_t>(write.columns));
    for (int i = 0; i < write.rows; ++i) {
      const int input = code_value(byte(multiply.source, t * multiply.source_pitch_bytes + i),
                                   multiply.input_bits, multiply.input_signed);
      const int* row = weights.data() + static_cast<std::ptrdiff_t>(i) * write.columns;
      for (std::size_t j = 0; j < sums.size(); ++j) sums[j] += input * row[j];
    }
    const hw::CimEpilogue& epilogue = multiply.epilogue;
    const auto row = static_cast<std::uint64_t>(t * multiply.destination_pitch_bytes);
    const int bytes = epilogue.result == hw::CimResult::kCodes8    ? 1
                      : epilogue.result == hw::CimResult::kCodes16 ? 2
                                                                   : 4;
    for (std::size_t j = 0; j < sums.size(); ++j) {
      std::int64_t x = sums[j];
      if (epilogue.normalise) {
        const model::Reciprocal inverse = model::unpacked_reciprocal(
            static_cast<std::uint32_t>(out.read_i32(epilogue.reciprocals + 4U * unsigned(t))));
        x = clamp(test,
                  model::round_shift(x * inverse.mantissa, inverse.shift - epilogue.fraction_bits),
                  32);
      }
      if (bytes < 4) {
        const std::int64_t product = x * epilogue.multiplier.mantissa;
        x = clamp(test, model::round_shift(product, epilogue.multiplier.shift), 8 * bytes);
      }
      for (int b = 0; b < bytes; ++b)
        test.after[multiply.destination + row + j * static_cast<std::size_t>(bytes) +
                   static_cast<std::size_t>(b)] = static_cast<std::uint8_t>(x >> (8 * b));
    }
  }
}

/// What follows the sums: nothing, or factors that keep, round away or clamp them.
void draw_epilogue(std::mt19937_64& random, CimCase& test) {
  hw::CimEpilogue& epilogue = test.multiply.epilogue;
  const int kind = pick(random, 0, 5);
  if (kind >= 4) return;
  epilogue.result = kind == 0   ? hw::CimResult::kSums32
                    : kind == 1 ? hw::CimResult::kCodes16
                                : hw::CimResult::kCodes8;
  epilogue.normalise = kind == 0 || pick(random, 0, 1) == 1;
  epilogue.fraction_bits = pick(random, 0, 16);
  epilogue.multiplier = {static_cast<std::uint32_t>(pick(random, 1 << 15, (1 << 16) - 1)),
                         pick(random, 0, 3) == 0 ? pick(random, 0, 62) : pick(random, 14, 34)};
}

/// Reciprocals behind the results, of as many bits as there can be.
void put_reciprocals(std::mt19937_64& random, CimCase& test) {
  hw::CimEpilogue& epilogue = test.multiply.epilogue;
  if (!epilogue.normalise) return;
  epilogue.reciprocals = (test.before.size() + 3) / 4 * 4;
  test.before.resize(epilogue.reciprocals + 4 * static_cast<std::size_t>(test.multiply.tokens));
  const hw::Bytes memory(test.before.data(), test.before.size());
  for (int t = 0; t < test.multiply.tokens; ++t) {
    model::Reciprocal inverse;
    inverse.mantissa = static_cast<std::uint32_t>(pick(random, 1 << 15, 1 << 16));
    inverse.shift = pick(random, epilogue.fraction_bits,
                         pick(random, 0, 1) == 0 ? 63 : epilogue.fraction_bits + 24);
    memory.write_i32(epilogue.reciprocals + 4U * unsigned(t),
                     static_cast<std::int32_t>(packed(inverse)));
  }
}

}  // namespace

std::string CimCase::describe() const {
  return std::to_string(multiply.tokens) + " tokens x " + std::to_string(write.rows) + " x " +
         std::to_string(write.columns) + (write.transpose ? " transposed" : "") + ", macros from " +
         std::to_string(write.region.first_macro) + ", bits " +
         std::to_string(multiply.input_bits) + (multiply.input_signed ? "s x " : "u x ") +
         std::to_string(write.weight_bits) + ", results of " +
         std::to_string(hw::result_bytes(multiply.epilogue.result)) + " bytes" +
         (multiply.epilogue.normalise ? ", normalised" : "");
}

CimCase make_cim_case(std::mt19937_64& random, const hw::CimConfig& config, const CimShape& shape,
                      int first_macro, CimCodes codes) {
  CimCase test;
  test.config = config;
  hw::CimWrite& write = test.write;
  write.rows = shape.rows;
  write.columns = shape.columns;
  write.region = {first_macro, model::ceil_div(shape.rows, config.rows),
                  model::ceil_div(shape.columns, config.columns)};
  write.transpose = pick(random, 0, 1) == 1;
  write.dynamic = pick(random, 0, 1) == 1;
  write.weight_bits = pick_bits(random, config.weight_bits);
  write.source_pitch_bytes = (write.transpose ? write.rows : write.columns) + pick(random, 0, 3);
  hw::CimMultiply& multiply = test.multiply;
  multiply.region = write.region;
  multiply.rows = write.rows;
  multiply.columns = write.columns;
  multiply.weight_bits = write.weight_bits;
  multiply.dynamic = write.dynamic;
  multiply.tokens = shape.tokens;
  multiply.input_bits = pick_bits(random, config.input_bits);
  multiply.input_signed = pick(random, 0, 1) == 1;
  multiply.causal_columns = write.dynamic && pick(random, 0, 3) == 0;
  multiply.causal_rows = write.dynamic && !multiply.causal_columns && pick(random, 0, 3) == 0;
  draw_epilogue(random, test);
  multiply.source_pitch_bytes = multiply.rows + pick(random, 0, 3);
  multiply.destination_pitch_bytes =
      hw::result_bytes(multiply.epilogue.result) * (multiply.columns + pick(random, 0, 3));
  multiply.source = static_cast<std::uint64_t>((write.transpose ? write.columns : write.rows) *
                                               write.source_pitch_bytes);
  multiply.destination =
      multiply.source + static_cast<std::uint64_t>(shape.tokens * multiply.source_pitch_bytes);
  multiply.destination = (multiply.destination + 3) / 4 * 4;
  test.before.resize(multiply.destination +
                     static_cast<std::uint64_t>(shape.tokens * multiply.destination_pitch_bytes));
  fill(random, test, codes);
  put_reciprocals(random, test);
  testbench::multiply(test);
  return test;
}

CimCase random_cim_case(std::mt19937_64& random, const hw::CimConfig& config, int max_tiles,
                        int first_macro, int last_macro) {
  const int tiles = std::min(max_tiles, last_macro - first_macro + 1);
  int row_tiles = pick(random, 1, tiles);
  int column_tiles = pick(random, 1, tiles / row_tiles);
  if (pick(random, 0, 1) == 1 && column_tiles * column_tiles <= tiles)
    std::swap(row_tiles, column_tiles);
  CimShape shape;
  shape.rows = pick_length(random, row_tiles, config.rows);
  shape.columns = pick_length(random, column_tiles, config.columns);
  shape.tokens = pick(random, 1, pick(random, 0, 3) == 0 ? 13 : 4);
  const int first = pick(random, first_macro, last_macro + 1 - row_tiles * column_tiles);
  const int kind = pick(random, 0, 3);
  return make_cim_case(random, config, shape, first,
                       kind == 0   ? CimCodes::kExtremes
                       : kind == 1 ? CimCodes::kLowest
                                   : CimCodes::kUniform);
}

}  // namespace quadrille::testbench
