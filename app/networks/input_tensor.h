// A tensor of the user's, read and checked.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "app/operators/tensor_source.h"
#include "model/numerics/quantise.h"

namespace quadrille::app {

/// A tensor as the user gave it: real, or codes with a scale.
class InputTensor {
 public:
  /// `expected`: negative entries stand for any size from 1 up. The values have a usual
  /// magnitude, unless `any_magnitude` says that their logarithms are taken.
  InputTensor(const TensorSource& source, const std::string& name, const Shape& expected,
              bool any_magnitude = false);

  const Shape& shape() const { return shape_; }
  std::size_t dim(std::size_t axis) const { return static_cast<std::size_t>(shape_[axis]); }
  int side(std::size_t axis) const { return static_cast<int>(shape_[axis]); }
  /// The values as the level `float` sees them.
  const std::vector<double>& reals() const { return reals_; }
  std::vector<double> take_reals() { return std::move(reals_); }
  /// Whether the user gave codes, whose scale this then is.
  bool is_integer() const { return is_integer_; }
  double scale() const { return scale_; }
  /// InputError unless given codes fit `bits` bits.
  void require_codes(int bits) const;
  /// The given codes (which must fit `bits` bits), or the values quantised.
  model::Codes codes(int bits) const;

 private:
  std::string file_;
  std::string place_;
  Shape shape_;
  std::vector<double> reals_;
  std::vector<std::int64_t> integers_;
  bool is_integer_ = false;
  double scale_ = 1.0;
};

/// Products of up to four tensors' scales must stay far inside double's range.
inline constexpr double kLeastMagnitude = 1e-30;
inline constexpr double kLargestMagnitude = 1e30;

/// InputError unless `values` are all zero or their largest magnitude lies in
/// that range.
void require_usual_magnitude(const std::string& file, const std::string& place,
                             const std::vector<double>& values);

/// Refuses every tensor of the source whose name is not in `names`.
void refuse_other_tensors(const TensorSource& source, const std::vector<std::string>& names);

}  // namespace quadrille::app
