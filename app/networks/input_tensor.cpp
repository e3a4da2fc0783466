#include "app/networks/input_tensor.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "app/files/suggest.h"
#include "model/errors.h"

namespace quadrille::app {
namespace {

// A side of a tensor: everything below it is addressed with `int`s.
constexpr std::int64_t kLargestSide = 1 << 20;

double read_scale(const TensorSource& source, const std::string& name) {
  const std::string key = name + ".scale";
  const auto found = source.metadata().find(key);
  const std::string place = fmt::format("metadata key {}", in_quotes(key));
  if (found == source.metadata().end()) {
    throw InputError(source.path(), place,
                     fmt::format("expected the scale of the integer tensor {}", in_quotes(name)));
  }
  const std::string& text = found->second;
  double scale = 0.0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), scale);
  // Texts beyond double's range leave the number alone.
  const bool number = error != std::errc::invalid_argument && end == text.data() + text.size();
  if (!number || !std::isfinite(scale) || !(scale >= kLeastMagnitude * kLeastMagnitude) ||
      scale > kLargestMagnitude) {
    throw InputError(
        source.path(), place,
        fmt::format("{}, expected a number above zero, {:g} to {:g}", in_quotes(found->second),
                    kLeastMagnitude * kLeastMagnitude, kLargestMagnitude));
  }
  return scale;
}

}  // namespace

InputTensor::InputTensor(const TensorSource& source, const std::string& name, const Shape& expected,
                         bool any_magnitude)
    : file_(source.path()), place_(source.place(name)) {
  source.require_shape(name, expected);
  shape_ = source.shape(name);
  for (const std::int64_t side : shape_) {
    if (side > kLargestSide) {
      throw InputError(
          file_, place_,
          fmt::format("a side of {} elements, expected at most {}", side, kLargestSide));
    }
  }
  if (!source.has_values()) return;
  is_integer_ = source.is_integer(name);
  if (is_integer_) {
    integers_ = source.read_i64(name);
    scale_ = read_scale(source, name);
    reals_.reserve(integers_.size());
    for (const std::int64_t code : integers_) reals_.push_back(static_cast<double>(code) * scale_);
  } else {
    reals_ = source.read_f64(name);
  }
  if (!any_magnitude) require_usual_magnitude(file_, place_, reals_);
}

void require_usual_magnitude(const std::string& file, const std::string& place,
                             const std::vector<double>& values) {
  double largest = 0.0;
  for (const double value : values) largest = std::max(largest, std::fabs(value));
  if (largest == 0.0 || (largest >= kLeastMagnitude && largest <= kLargestMagnitude)) return;
  throw InputError(file, place,
                   fmt::format("largest magnitude {:g}, expected all zeros or {:g} to {:g}",
                               largest, kLeastMagnitude, kLargestMagnitude));
}

void InputTensor::require_codes(int bits) const {
  const std::int64_t least = -(std::int64_t{1} << (bits - 1));
  const std::int64_t largest = bits == 1 ? 0 : -least - 1;
  for (std::size_t i = 0; i < integers_.size(); ++i) {
    if (integers_[i] >= least && integers_[i] <= largest) continue;
    throw InputError(
        file_, place_,
        fmt::format("code {} at {}, expected {}-bit codes from {} to {}", integers_[i],
                    index_text(static_cast<std::int64_t>(i), shape_), bits, least, largest));
  }
}

model::Codes InputTensor::codes(int bits) const {
  if (!is_integer_) return model::quantise_absmax(reals_, bits);
  require_codes(bits);
  model::Codes codes;
  codes.scale = scale_;
  codes.q.assign(integers_.begin(), integers_.end());
  return codes;
}

void refuse_other_tensors(const TensorSource& source, const std::vector<std::string>& names) {
  for (const std::string& name : source.names()) {
    if (std::find(names.begin(), names.end(), name) != names.end()) continue;
    throw InputError(source.path(), source.place(name),
                     fmt::format("unknown tensor, expected one of {}{}", fmt::join(names, ", "),
                                 did_you_mean(name, names)));
  }
}

}  // namespace quadrille::app
