// What the vector unit's operators give at the level `fixed`.
#pragma once

#include <cstdint>
#include <vector>

#include "model/numerics/rounding.h"

namespace quadrille::model {

struct VectorFixedResult {
  std::vector<std::int64_t> out_q;  ///< Codes of the output's format.
  std::int64_t saturated = 0;       ///< Elements that were clamped.

  explicit VectorFixedResult(std::size_t elements) { out_q.reserve(elements); }
  /// Appends x, clamped to `bits` signed bits.
  void add(std::int64_t x, int bits) {
    out_q.push_back(saturate(x, bits));
    saturated += out_q.back() != x ? 1 : 0;
  }
};

}  // namespace quadrille::model
