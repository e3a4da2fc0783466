#include "model/analytic/linear_counts.h"

#include <algorithm>

#include "model/numerics/integers.h"

namespace quadrille::model {
namespace {

/// Queries i in [0, queries) with a visible key in the set that weight r has:
/// exactly i + r for |r| < k, all keys up to i - k for r = -k, from i + k for k.
std::int64_t queries_using(std::int64_t r, const LinearShape& shape) {
  const std::int64_t k = shape.horizon;
  const std::int64_t queries = shape.queries;
  if (k == 0) return queries;
  if (r == -k) return std::max<std::int64_t>(queries - k, 0);
  // i + r >= 0 and i + r <= Lk - 1.
  const std::int64_t begin = std::max<std::int64_t>(0, -r);
  const std::int64_t end = std::min<std::int64_t>(queries, shape.keys - r);
  return std::max<std::int64_t>(end - begin, 0);
}

}  // namespace

std::int64_t pairs_inside_chunks(std::int64_t queries, std::int64_t keys,
                                 std::int64_t chunk_tokens) {
  // All pairs j <= i of the square part, chunk by chunk; then the chunk in which
  // the keys end, whose later queries see all of its keys.
  const std::int64_t both = std::min(queries, keys);
  const std::int64_t full = both / chunk_tokens;
  const std::int64_t rest = both % chunk_tokens;
  std::int64_t pairs = full * chunk_tokens * (chunk_tokens + 1) / 2 + rest * (rest + 1) / 2;
  if (queries > keys && rest > 0) {
    const std::int64_t later = std::min(queries, (full + 1) * chunk_tokens) - keys;
    pairs += later * rest;
  }
  return pairs;
}

LinearCounts linear_counts(const LinearShape& shape, int chunk_tokens, int group_columns) {
  const std::int64_t groups = ceil_div(shape.value_width, group_columns);
  const std::int64_t queries = shape.queries;
  const std::int64_t keys = shape.keys;
  const std::int64_t width = shape.width;
  const std::int64_t columns = shape.value_width;
  const std::int64_t pairs =
      shape.causal ? pairs_inside_chunks(queries, keys - shape.offset, chunk_tokens) : 0;
  LinearCounts counts;
  counts.macs_dynamic = (keys + queries) * width * columns + groups * queries * width +
                        pairs * (groups * width + columns);
  if (shape.horizon < 0) return counts;
  const std::int64_t last = shape.causal ? 0 : shape.horizon;
  for (std::int64_t r = -std::int64_t{shape.horizon}; r <= last; ++r) {
    counts.macs_static += groups * queries * width;
    counts.macs_dynamic += queries_using(r, shape) * columns;
  }
  return counts;
}

LinearCounts damf_linear_counts(int tokens, int value_width, bool causal, int chunk_tokens,
                                int group_columns) {
  const std::int64_t groups = ceil_div(value_width, group_columns);
  const std::int64_t pairs = causal ? pairs_inside_chunks(tokens, tokens, chunk_tokens) : 0;
  LinearCounts counts;
  counts.macs_dynamic = std::int64_t{3} * tokens * value_width + pairs * (groups + value_width);
  return counts;
}

}  // namespace quadrille::model
