#include "app/operators/operator.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

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
  if (error != std::errc() || end != text.data() + text.size() || !std::isnormal(scale) ||
      !(scale > 0.0)) {
    throw InputError(source.path(), place,
                     fmt::format("{} is not a finite number above zero", in_quotes(found->second)));
  }
  return scale;
}

}  // namespace

const std::vector<std::string>& operator_names() {
  static const std::vector<std::string> names = {"softmax", "damf", "sinkhorn", "linear", "matmul"};
  return names;
}

std::unique_ptr<Operator> make_operator(const std::string& name, const TensorSource& source,
                                        Settings settings, const OperatorOptions& options) {
  if (name == "softmax") return make_softmax_operator(source, std::move(settings), options);
  if (name == "damf") return make_damf_operator(source, std::move(settings));
  if (name == "sinkhorn") return make_sinkhorn_operator(source, std::move(settings), options);
  if (name == "linear") return make_linear_operator(source, std::move(settings), options);
  if (name == "matmul") return make_matmul_operator(source, std::move(settings));
  throw InputError(
      "eval", in_quotes(name),
      fmt::format("unknown operator, expected one of {}{}", fmt::join(operator_names(), ", "),
                  did_you_mean(name, operator_names())));
}

InputTensor::InputTensor(const TensorSource& source, const std::string& name, const Shape& expected)
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
  require_usual_magnitude(file_, place_, reals_);
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

model::Codes InputTensor::codes(int bits) const {
  if (!is_integer_) return model::quantise_absmax(reals_, bits);
  const std::int64_t least = -(std::int64_t{1} << (bits - 1));
  const std::int64_t largest = bits == 1 ? 0 : -least - 1;
  model::Codes codes;
  codes.scale = scale_;
  codes.q.reserve(integers_.size());
  for (std::size_t i = 0; i < integers_.size(); ++i) {
    if (integers_[i] < least || integers_[i] > largest) {
      throw InputError(
          file_, place_,
          fmt::format("code {} at {}, expected {}-bit codes from {} to {}", integers_[i],
                      index_text(static_cast<std::int64_t>(i), shape_), bits, least, largest));
    }
    codes.q.push_back(static_cast<std::int32_t>(integers_[i]));
  }
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

model::Multiplier input_multiplier(const std::string& file, const std::string& what,
                                   double factor) {
  // The hardware's range, with room for the rounding of the mantissa.
  if (std::isfinite(factor) && factor >= std::ldexp(1.0, -46) && factor < std::ldexp(1.0, 15)) {
    return model::make_multiplier(factor);
  }
  throw InputError(
      file, what,
      fmt::format("the tensors' scales need the factor {:g}, expected 2^-46 to 2^15", factor));
}

void add_integer(OperatorResult& result, const std::string& name, const Shape& shape,
                 std::vector<std::int64_t> codes, double scale) {
  RealTensor real{shape, {}};
  real.values.reserve(codes.size());
  for (const std::int64_t code : codes) real.values.push_back(static_cast<double>(code) * scale);
  result.reals.insert_or_assign(name, std::move(real));
  result.integers.insert_or_assign(name, IntegerTensor{shape, std::move(codes), scale, {}, false});
}

void add_passing(OperatorResult& result, const std::string& name, const Shape& shape,
                 const model::Codes& codes) {
  add_integer(result, name, shape, widen(codes.q), codes.scale);
  result.integers.at(name).passes_through = true;
}

std::vector<std::int64_t> widen(const std::vector<std::int32_t>& codes) {
  return {codes.begin(), codes.end()};
}

}  // namespace quadrille::app
