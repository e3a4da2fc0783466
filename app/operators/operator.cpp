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
