// How many pairs of a query and a key a causal mask leaves: the closed form that
// the engines count their work by.
#pragma once

#include <algorithm>
#include <cstdint>

namespace quadrille::model {

/// The pairs of `rows` rows and `columns` columns with column <= first_row + row.
/// first_row may be negative (columns of a later strip): then the first rows see
/// nothing. rows, columns >= 0.
constexpr std::int64_t causal_pairs(std::int64_t rows, std::int64_t columns,
                                    std::int64_t first_row) {
  const std::int64_t blind = std::clamp<std::int64_t>(-first_row - 1, 0, rows);
  rows -= blind;
  first_row += blind;
  // Rows until the last column is in sight form an arithmetic series.
  const std::int64_t growing = std::clamp<std::int64_t>(columns - first_row - 1, 0, rows);
  return growing * (first_row + 1) + growing * (growing - 1) / 2 + (rows - growing) * columns;
}

}  // namespace quadrille::model
