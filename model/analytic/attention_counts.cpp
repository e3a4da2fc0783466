#include "model/analytic/attention_counts.h"

#include <fmt/format.h>

#include <utility>

#include "model/errors.h"

namespace quadrille::model {
namespace {

constexpr std::int64_t kMaxLength = std::int64_t{1} << 22;
constexpr std::int64_t kMaxWidth = std::int64_t{1} << 16;

/// Collects the rows that are not empty.
class Bill {
 public:
  void add(std::string name, CountKind kind, std::int64_t count) {
    if (count != 0) counts_.rows.push_back({std::move(name), kind, count});
  }
  AttentionCounts take() { return std::move(counts_); }

 private:
  AttentionCounts counts_;
};

/// A_max of formula (10) from running extremes: one of the products of the
/// extremes of s and t is the largest score.
void add_maximum(Bill* bill, const LayerDimensions& shape, const DamfSettings& settings) {
  const std::int64_t tokens = shape.heads * shape.length;
  const bool magnitude = settings.maximum == DamfMaximum::kAbs;
  const bool one_per_head = !settings.causal && settings.maximum != DamfMaximum::kRow;
  if (one_per_head) {
    // max and min of s and of t (abs: max of |s| and of |t|), then the largest
    // of the four products (abs: the one product).
    bill->add("extremes of s and t", CountKind::kCompare, (magnitude ? 2 : 4) * tokens);
    bill->add("A_max candidates", CountKind::kMultiply, (magnitude ? 1 : 4) * shape.heads);
    bill->add("A_max", CountKind::kCompare, magnitude ? 0 : 4 * shape.heads);
    return;
  }
  // Extremes of t over the visible keys, times the row's own s.
  bill->add("extremes of t", CountKind::kCompare, (magnitude ? 1 : 2) * tokens);
  bill->add("A_max candidates", CountKind::kMultiply, (magnitude ? 1 : 2) * tokens);
  bill->add("A_max", CountKind::kCompare, (magnitude ? 1 : 2) * tokens);
}

}  // namespace

void check(const LayerDimensions& shape) {
  const bool in_range = shape.length >= 1 && shape.length <= kMaxLength && shape.width >= 1 &&
                        shape.width <= kMaxWidth && shape.heads >= 1;
  if (!in_range || shape.width % shape.heads != 0) {
    throw InvariantError(fmt::format("attention shape: L = {}, d = {}, n_head = {}", shape.length,
                                     shape.width, shape.heads));
  }
}

std::int64_t visible_pairs(std::int64_t length, bool causal) {
  return causal ? length * (length + 1) / 2 : length * length;
}

std::int64_t AttentionCounts::total(CountKind kind) const {
  std::int64_t sum = 0;
  for (const CountRow& row : rows) sum += row.kind == kind ? row.count : 0;
  return sum;
}

AttentionCounts softmax_counts(const LayerDimensions& shape, bool causal) {
  check(shape);
  const std::int64_t pairs = visible_pairs(shape.length, causal);
  const std::int64_t rows = shape.heads * shape.length;
  const std::int64_t projection = shape.length * shape.width * shape.width;
  Bill bill;
  bill.add("Q projection", CountKind::kStaticMac, projection);
  bill.add("K projection", CountKind::kStaticMac, projection);
  bill.add("V projection", CountKind::kStaticMac, projection);
  bill.add("Q K^T", CountKind::kDynamicMac, pairs * shape.width);
  bill.add("row maximum", CountKind::kCompare, pairs * shape.heads);
  bill.add("exponential", CountKind::kExponential, pairs * shape.heads);
  bill.add("row sum", CountKind::kAddition, pairs * shape.heads);
  bill.add("1 / row sum", CountKind::kReciprocal, rows);
  bill.add("A' V", CountKind::kDynamicMac, pairs * shape.width);
  bill.add("normalisation", CountKind::kMultiply, rows * shape.head_width());
  bill.add("output projection", CountKind::kStaticMac, projection);
  return bill.take();
}

AttentionCounts damf_counts(const LayerDimensions& shape, const DamfSettings& settings) {
  check(shape);
  const std::int64_t pairs = shape.heads * visible_pairs(shape.length, settings.causal);
  const std::int64_t rows = shape.heads * shape.length;
  const std::int64_t width = shape.head_width();
  const std::int64_t projection = shape.length * shape.width * shape.width;
  const bool collapsed = settings.mode == DamfMode::kCollapsed;
  const bool shift = settings.mode == DamfMode::kShift;
  const bool each = settings.shift_order == DamfShiftOrder::kEach;

  Bill bill;
  bill.add("X u", CountKind::kStaticMac, rows * shape.width);
  bill.add("X v", CountKind::kStaticMac, rows * shape.width);
  bill.add("V projection", CountKind::kStaticMac, projection);
  add_maximum(&bill, shape, settings);
  if (collapsed) {
    bill.add("sum of V", CountKind::kAddition, rows * width);
    bill.add("sum of t", CountKind::kAddition, rows);
    bill.add("sum of t V", CountKind::kDynamicMac, rows * width);
    bill.add("A_max sum(V) + s sum(t V)", CountKind::kDynamicMac, 2 * rows * width);
    bill.add("A_max sum(1) + s sum(t)", CountKind::kMultiply, 2 * rows);
  } else {
    bill.add("scores s t", CountKind::kDynamicMac, pairs);
    bill.add("denominator, A_max times keys", CountKind::kMultiply, rows);
    bill.add("denominator, sum of scores", CountKind::kAddition, pairs);
    if (shift) {
      // (15), (16): every score, and A_max and the denominator of every row.
      bill.add("power of two", CountKind::kLeadingOne, pairs + 2 * rows);
      bill.add("V << I_max", CountKind::kShiftAdd, pairs * width);
      bill.add("V << I_mn", CountKind::kShiftAdd, pairs * width);
      bill.add(">> I_d", CountKind::kShift, (each ? pairs : rows) * width);
    } else {
      bill.add("A_max + A_mn", CountKind::kAddition, pairs);
      bill.add("(A_max + A_mn) V", CountKind::kDynamicMac, pairs * width);
    }
  }
  if (!shift) {
    bill.add("1 / denominator", CountKind::kReciprocal, rows);
    bill.add("normalisation", CountKind::kMultiply, rows * width);
  }
  bill.add("output projection", CountKind::kStaticMac, projection);
  return bill.take();
}

}  // namespace quadrille::model
