// The operators LayerNorm and RmsNorm.
#include "model/graph/node.h"
#include "model/number_text.h"

namespace quadrille::model {
namespace {

enum Slot : std::size_t { kX, kGamma, kBeta };
constexpr std::size_t kY = 0;

void check_norm(double epsilon, const NodeView& at) {
  at.require_input(kX, -1, -1);
  const Tensor& x = at.input(kX);
  at.require_input(kGamma, 1, x.columns);
  if (at.has_input(kBeta)) at.require_input(kBeta, 1, x.columns);
  at.require_output(kY, x.rows, x.columns);
  if (!(epsilon >= 0.0)) at.refuse(setting_text("epsilon", epsilon) + ", expected zero or above");
}

template <typename Node>
std::vector<double> beta_of(const Node& at,
                            const std::vector<double>& (Node::*read)(std::size_t) const) {
  return at.has_input(kBeta) ? (at.*read)(kBeta) : std::vector<double>{};
}

void evaluate_norm(NormKind kind, double epsilon, const FloatNode& at) {
  at.put(kY, norm_float(kind, at.in(kX), at.in(kGamma), beta_of(at, &FloatNode::in), epsilon));
}

IntegerForm quantise_norm(NormKind kind, double epsilon, const QuantiseNode& at) {
  return make_norm_integer(kind, 8 * bytes_of(at.input(kX).format), at.in_scale(kX),
                           at.scales(at.node.output(kY)).front(), at.value(kGamma),
                           beta_of(at, &QuantiseNode::value), epsilon);
}

void evaluate_norm(const IntegerNode& at) {
  at.put(kY,
         norm_fixed(at.in(kX), std::get<NormInteger>(at.form), 8 * bytes_of(at.output(kY).format)));
}

}  // namespace

void check(const LayerNorm& op, const NodeView& at) { check_norm(op.epsilon, at); }
void check(const RmsNorm& op, const NodeView& at) { check_norm(op.epsilon, at); }

void evaluate(const LayerNorm& op, const FloatNode& at) {
  evaluate_norm(NormKind::kLayerNorm, op.epsilon, at);
}
void evaluate(const RmsNorm& op, const FloatNode& at) {
  evaluate_norm(NormKind::kRmsNorm, op.epsilon, at);
}

IntegerForm quantise(const LayerNorm& op, QuantiseNode& at) {
  return quantise_norm(NormKind::kLayerNorm, op.epsilon, at);
}
IntegerForm quantise(const RmsNorm& op, QuantiseNode& at) {
  return quantise_norm(NormKind::kRmsNorm, op.epsilon, at);
}

void evaluate(const LayerNorm&, const IntegerNode& at) { evaluate_norm(at); }
void evaluate(const RmsNorm&, const IntegerNode& at) { evaluate_norm(at); }

std::optional<Work> count(const LayerNorm&, const NodeView&, const LinearTiling&) { return Work{}; }
std::optional<Work> count(const RmsNorm&, const NodeView&, const LinearTiling&) { return Work{}; }

}  // namespace quadrille::model
