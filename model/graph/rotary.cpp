// The operator Rotary.
#include <cmath>

#include "model/graph/heads.h"
#include "model/graph/node.h"

namespace quadrille::model {
namespace {

constexpr std::size_t kX = 0;
constexpr std::size_t kY = 0;

HeadLayout layout_of(const Rotary& op, const NodeView& at) {
  return HeadLayout::queries(op.heads, at.input(kX));
}

RotaryShape shape_of(const Rotary& op, const NodeView& at) {
  const HeadLayout layout = layout_of(op, at);
  return {layout.length(), layout.width(), op.layout};
}

/// `turn` makes the rows of one instance from its rows of X.
template <typename Number, typename Node, typename Turn>
std::vector<Number> by_instance(const Rotary& op, const Node& at, const Turn& turn) {
  const HeadLayout layout = layout_of(op, at);
  const auto& x = at.in(kX);
  std::vector<Number> y(x.size());
  for (int i = 0; i < op.heads.instances(); ++i) layout.put(y, i, turn(layout.take(x, i)));
  return y;
}

}  // namespace

void check(const Rotary& op, const NodeView& at) {
  at.require_input(kX, -1, -1);
  at.require_output(kY, at.input(kX).rows, at.input(kX).columns);
  const HeadLayout layout = layout_of(op, at);
  if (!layout.fits()) at.refuse("expected a tensor that divides into the heads");
  if (layout.width() % 2 != 0) {
    at.refuse("rows of " + std::to_string(layout.width()) +
              " elements, expected an even number: they are turned in pairs");
  }
  if (!(op.theta > 0.0)) at.refuse(setting_text("theta", op.theta) + ", expected above zero");
}

void evaluate(const Rotary& op, const FloatNode& at) {
  const RotaryShape shape = shape_of(op, at);
  const std::vector<double> turns = rotations(shape, op.theta);
  at.put(kY, by_instance<double>(op, at, [&](const std::vector<double>& x) {
           return rotary_float(x, shape, turns);
         }));
}

IntegerForm quantise(const Rotary& op, QuantiseNode& at) {
  const double sums_scale = std::ldexp(at.in_scale(kX), -kRotationFractionBits);
  return RotaryInteger{rotation_codes(rotations(shape_of(op, at), op.theta)),
                       at.out(kY, sums_scale)};
}

void evaluate(const Rotary& op, const IntegerNode& at) {
  const auto& form = std::get<RotaryInteger>(at.form);
  const RotaryShape shape = shape_of(op, at);
  VectorFixedResult all(0);
  all.out_q = by_instance<std::int64_t>(op, at, [&](const std::vector<std::int32_t>& x) {
    VectorFixedResult one =
        rotary_fixed(x, shape, form.rotations, form.out, 8 * bytes_of(at.output(kY).format));
    all.saturated += one.saturated;
    return std::move(one.out_q);
  });
  at.put(kY, all);
}

std::optional<Work> count(const Rotary&, const NodeView&, const LinearTiling&) { return Work{}; }

}  // namespace quadrille::model
