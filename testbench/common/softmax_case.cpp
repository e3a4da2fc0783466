#include "testbench/common/softmax_case.h"

#include <algorithm>
#include <climits>
#include <cstdint>

#include "model/numerics/exp2.h"
#include "model/numerics/reciprocal.h"
#include "model/numerics/rounding.h"
#include "testbench/common/portable_random.h"

namespace quadrille::testbench {
namespace {

/// A draw of `kind`; `magnitude` and `common` hold for the whole case.
std::int32_t draw_score(std::mt19937_64& random, Scores kind, int magnitude, std::int32_t common) {
  const auto any = static_cast<std::int32_t>(random() & 0xFFFFFFFFU);
  switch (kind) {
    case Scores::kEqual:
      return common;
    case Scores::kExtreme:
      if (random() % 3 != 0) return random() % 2 == 0 ? INT32_MIN : INT32_MAX;
      return any;
    case Scores::kOctaves:
      // Whole octaves with factor 2^15 >> 15, and their neighbours.
      return -256 * static_cast<std::int32_t>(random() % 12) + static_cast<std::int32_t>(any % 3);
    case Scores::kMagnitude:
      break;
  }
  return any >> (32 - magnitude);
}

std::int64_t score(Image& image, const hw::SoftmaxRows& op, int row, int key) {
  return image.bytes().read_i32(op.source +
                                static_cast<std::uint64_t>(row * op.source_pitch_bytes + 4 * key));
}

/// One row by the scalar functions.
void give_row(SoftmaxCase& c, int row) {
  const hw::SoftmaxRows& op = c.operation;
  const std::int64_t reach = std::int64_t{op.first_query} + row + 1;
  const int visible =
      op.causal ? static_cast<int>(std::min<std::int64_t>(reach, op.keys)) : op.keys;
  std::int64_t largest = INT32_MIN;
  for (int j = 0; j < visible; ++j) largest = std::max(largest, score(c.before, op, row, j));
  std::uint64_t sum = 0;
  for (int j = 0; j < op.keys; ++j) {
    std::uint32_t code = 0;
    if (j < visible) {
      const std::int64_t x = model::round_shift(
          (largest - score(c.before, op, row, j)) * std::int64_t{op.factor.mantissa},
          op.factor.shift);
      code = model::exp2_code(static_cast<std::uint64_t>(x));
    }
    sum += code;
    const auto at =
        op.destination + static_cast<std::uint64_t>(row * op.destination_pitch_bytes + j);
    *c.after.bytes().at(at, 1) = static_cast<std::uint8_t>(code);
  }
  const model::Reciprocal r = model::reciprocal(sum);
  c.after.bytes().write_i32(
      op.reciprocals + 4 * static_cast<std::uint64_t>(row),
      static_cast<std::int32_t>(r.mantissa | static_cast<unsigned>(r.shift) << 24));
}

}  // namespace

SoftmaxCase softmax_case_of(const hw::SoftmaxRows& operation,
                            const std::function<std::int32_t(int row, int key)>& score) {
  SoftmaxCase c;
  c.operation = operation;
  hw::SoftmaxRows& op = c.operation;
  op.source_pitch_bytes = std::max<std::int64_t>(op.source_pitch_bytes, 4 * op.keys);
  op.destination_pitch_bytes = std::max<std::int64_t>(op.destination_pitch_bytes, op.keys);
  const auto rows = static_cast<std::uint64_t>(op.queries);
  op.source = 0;
  op.destination = rows * static_cast<std::uint64_t>(op.source_pitch_bytes);
  op.reciprocals =
      (op.destination + rows * static_cast<std::uint64_t>(op.destination_pitch_bytes) + 3) / 4 * 4;
  c.before = Image(op.reciprocals + 4 * rows);
  for (int row = 0; row < op.queries; ++row) {
    for (int key = 0; 4 * key < op.source_pitch_bytes; ++key)
      c.before.bytes().write_i32(static_cast<std::uint64_t>(row * op.source_pitch_bytes + 4 * key),
                                 score(row, key));
  }
  c.after = c.before;
  for (int row = 0; row < op.queries; ++row) give_row(c, row);
  c.description = std::to_string(op.queries) + " queries x " + std::to_string(op.keys) + " keys" +
                  (op.causal ? ", causal from " + std::to_string(op.first_query) : "") +
                  ", factor " + std::to_string(op.factor.mantissa) + " >> " +
                  std::to_string(op.factor.shift);
  return c;
}

SoftmaxCase make_softmax_case(std::mt19937_64& random, const hw::SoftmaxRows& operation,
                              Scores kind) {
  hw::SoftmaxRows op = operation;
  const int magnitude = pick(random, 2, 32);
  // The codes mostly lie between both ends.
  if (op.factor.shift < 0) op.factor.shift = std::max(0, magnitude + pick(random, 1, 6));
  const auto common = static_cast<std::int32_t>(random() & 0xFFFFFFFFU);
  SoftmaxCase c =
      softmax_case_of(op, [&](int, int) { return draw_score(random, kind, magnitude, common); });
  c.description += ", scores " + std::to_string(static_cast<int>(kind));
  return c;
}

SoftmaxCase random_softmax_case(std::mt19937_64& random, const hw::SoftmaxConfig& config) {
  hw::SoftmaxRows op;
  op.queries = pick(random, 1, 9);
  const int longest = std::min(config.max_keys, 16 * config.lanes);
  op.keys = pick(random, 0, 3) == 0 ? pick(random, 1, 4) : pick(random, 1, longest);
  if (pick(random, 0, 99) == 0) {
    op.queries = pick(random, 1, 3);
    op.keys = config.max_keys;
  }
  op.causal = pick(random, 0, 1) == 1;
  op.first_query = op.causal ? pick(random, 0, op.keys) : 0;
  if (op.causal && pick(random, 0, 19) == 0)
    op.first_query = pick(random, 0, hw::kSoftmaxLargestCount);
  op.source_pitch_bytes = 4 * (op.keys + pick(random, 0, 9));
  op.destination_pitch_bytes = op.keys + pick(random, 0, 9);
  const Scores kinds[] = {Scores::kMagnitude, Scores::kEqual, Scores::kExtreme, Scores::kOctaves};
  const int which = pick(random, 0, 9);
  const Scores kind = kinds[which < 4 ? which : 0];
  op.factor.mantissa = static_cast<std::uint32_t>(pick(random, 1 << 15, (1 << 16) - 1));
  if (pick(random, 0, 7) == 0) op.factor.mantissa = 1U << 15;  // Ties.
  if (pick(random, 0, 15) == 0) op.factor.mantissa = static_cast<std::uint32_t>(random() & 0xFFFFU);
  op.factor.shift = pick(random, 0, 3) == 0 ? pick(random, 0, 62) : -1;
  if (kind == Scores::kExtreme && pick(random, 0, 1) == 0) op.factor.shift = pick(random, 33, 40);
  if (kind == Scores::kOctaves) op.factor = {1U << 15, pick(random, 14, 16)};
  return make_softmax_case(random, op, kind);
}

}  // namespace quadrille::testbench
