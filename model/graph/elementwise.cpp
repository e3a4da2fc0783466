// The operators Activation, Add and Multiply.
#include <algorithm>
#include <cmath>

#include "model/graph/node.h"

namespace quadrille::model {
namespace {

enum Slot : std::size_t { kX, kOther };
constexpr std::size_t kY = 0;

double out_scale(const QuantiseNode& at) { return at.scales(at.node.output(kY)).front(); }

int out_bits(const IntegerNode& at) { return 8 * bytes_of(at.output(kY).format); }

void check_pair(const NodeView& at) {
  at.require_input(kX, -1, -1);
  at.require_input(kOther, at.input(kX).rows, at.input(kX).columns);
  at.require_output(kY, at.input(kX).rows, at.input(kX).columns);
}

}  // namespace

void check(const Activation&, const NodeView& at) {
  at.require_input(kX, -1, -1);
  at.require_output(kY, at.input(kX).rows, at.input(kX).columns);
}

void evaluate(const Activation& op, const FloatNode& at) {
  std::vector<double> y = at.in(kX);
  for (double& value : y) value = activation_float(op.kind, value);
  at.put(kY, std::move(y));
}

IntegerForm quantise(const Activation& op, QuantiseNode& at) {
  ActivationInteger form;
  const double x_scale = at.in_scale(kX);
  if (op.kind == ActivationKind::kRelu) {
    form.out = at.multiplier(x_scale / out_scale(at));
    return form;
  }
  form.fraction_bits = activation_fraction_bits(x_scale);
  form.in = at.multiplier(std::ldexp(x_scale, form.fraction_bits));
  // An output far below the table's resolution is 0, which no factor changes.
  constexpr double kMostFactor = 16384.0;
  form.out =
      at.multiplier(std::min(std::ldexp(1.0, -form.fraction_bits) / out_scale(at), kMostFactor));
  return form;
}

void evaluate(const Activation& op, const IntegerNode& at) {
  at.put(kY,
         activation_fixed(op.kind, at.in(kX), std::get<ActivationInteger>(at.form), out_bits(at)));
}

void check(const Add&, const NodeView& at) { check_pair(at); }

void evaluate(const Add&, const FloatNode& at) {
  std::vector<double> sum = at.in(kX);
  const std::vector<double>& y = at.in(kOther);
  for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += y[i];
  at.put(kY, std::move(sum));
}

IntegerForm quantise(const Add&, QuantiseNode& at) {
  const double x_factor = at.in_scale(kX) / out_scale(at);
  const double y_factor = at.in_scale(kOther) / out_scale(at);
  return make_add_factors(x_factor, y_factor, at.multiplier(std::max(x_factor, y_factor)));
}

void evaluate(const Add&, const IntegerNode& at) {
  at.put(kY, add_fixed(at.in(kX), at.in(kOther), std::get<AddFactors>(at.form), out_bits(at)));
}

void check(const Multiply&, const NodeView& at) { check_pair(at); }

void evaluate(const Multiply&, const FloatNode& at) {
  std::vector<double> product = at.in(kX);
  const std::vector<double>& y = at.in(kOther);
  for (std::size_t i = 0; i < product.size(); ++i) product[i] *= y[i];
  at.put(kY, std::move(product));
}

IntegerForm quantise(const Multiply&, QuantiseNode& at) {
  return MultiplyInteger{at.multiplier(at.in_scale(kX) * at.in_scale(kOther) / out_scale(at))};
}

void evaluate(const Multiply&, const IntegerNode& at) {
  at.put(kY, multiply_fixed(at.in(kX), at.in(kOther), std::get<MultiplyInteger>(at.form).out,
                            out_bits(at)));
}

std::optional<Work> count(const Activation&, const NodeView&, const LinearTiling&) {
  return Work{};
}
std::optional<Work> count(const Add&, const NodeView&, const LinearTiling&) { return Work{}; }
std::optional<Work> count(const Multiply&, const NodeView&, const LinearTiling&) { return Work{}; }

}  // namespace quadrille::model
