// Named tensors as a user sees them: what a level of a task gives.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "app/files/safetensors.h"

namespace quadrille::app {

/// A tensor of the level `float`.
struct RealTensor {
  Shape shape;
  std::vector<double> values;
};

/// A tensor of the integer levels; value = code * scale.
struct IntegerTensor {
  Shape shape;
  std::vector<std::int64_t> codes;
  double scale = 1.0;
  std::string encoding;  ///< Not empty: what the codes are instead of multiples of a scale.
  /// The operator itself put the codes in, at every level: their equality says
  /// nothing about an engine.
  bool passes_through = false;
};

/// What a level gives. At the integer levels every name of `integers` is also
/// one of `reals`, the value of its codes.
struct OperatorResult {
  std::map<std::string, RealTensor> reals;
  std::map<std::string, IntegerTensor> integers;
  std::int64_t saturated = 0;  ///< Values that the level `fixed` clamped, where it counts them.
};

}  // namespace quadrille::app
