// The operator SoftmaxAttention.
#include <cmath>

#include "model/graph/heads.h"
#include "model/graph/node.h"

namespace quadrille::model {
namespace {

enum Slot : std::size_t { kQ, kK, kV };
enum Out : std::size_t { kOut, kWeights };

SoftmaxShape shape_of(const SoftmaxAttention& op, const AttentionTensors& tensors) {
  return {tensors.queries,     tensors.keys, tensors.width,
          tensors.value_width, op.causal,    tensors.offset(op.causal, op.align)};
}

// At both levels: `attend` makes one head's weights and out.
template <typename Number, typename Node, typename Attend>
std::pair<std::vector<Number>, std::vector<Number>> by_head(const SoftmaxAttention& op,
                                                            const Node& at, const Attend& attend) {
  const AttentionTensors tensors(op.heads, at);
  const auto &q = at.in(kQ), &k = at.in(kK), &v = at.in(kV);
  std::vector<Number> weights;
  std::vector<Number> out = tensors.empty_out<Number>(op.heads);
  for (int i = 0; i < op.heads.instances(); ++i) {
    const int key = op.heads.key_instance(i);
    auto head = attend(tensors.q.take(q, i), tensors.k.take(k, key), tensors.v.take(v, key),
                       shape_of(op, tensors));
    if (at.has_output(kWeights))
      weights.insert(weights.end(), head.first.begin(), head.first.end());
    tensors.out.put(out, i, std::move(head.second));
  }
  return {std::move(weights), std::move(out)};
}

}  // namespace

void check(const SoftmaxAttention& op, const NodeView& at) {
  check_attention(op.heads, op.causal, op.align, at);
  const AttentionTensors tensors(op.heads, at);
  at.require_output(kWeights, std::int64_t{op.heads.instances()} * tensors.queries, tensors.keys);
}

void evaluate(const SoftmaxAttention& op, const FloatNode& at) {
  auto [weights, out] = by_head<double>(
      op, at, [&](const auto& q, const auto& k, const auto& v, const SoftmaxShape& shape) {
        SoftmaxResult head = softmax_float(q, k, v, shape, op.scale);
        return std::pair(std::move(head.weights), std::move(head.out));
      });
  at.put(kWeights, std::move(weights));
  at.put(kOut, std::move(out));
}

IntegerForm quantise(const SoftmaxAttention& op, QuantiseNode& at) {
  at.out(kWeights, std::ldexp(1.0, -kWeightFractionBits));
  return SoftmaxInteger{at.multiplier(exponent_factor(at.in_scale(kQ), at.in_scale(kK), op.scale),
                                      setting_text("scale", op.scale)),
                        at.out(kOut, std::ldexp(at.in_scale(kV), -kSoftmaxOutputFractionBits))};
}

void evaluate(const SoftmaxAttention& op, const IntegerNode& at) {
  const auto& form = std::get<SoftmaxInteger>(at.form);
  const auto [weights, out] = by_head<std::int64_t>(
      op, at, [&](const auto& q, const auto& k, const auto& v, const SoftmaxShape& shape) {
        SoftmaxFixedResult head = softmax_fixed(q, k, v, shape, form.exponent);
        return std::pair(std::move(head.weights_q), std::move(head.out_q));
      });
  at.put(kWeights, weights);
  at.put(kOut, out, form.out);
}

std::optional<Work> count(const SoftmaxAttention& op, const NodeView& at, const LinearTiling&) {
  const AttentionTensors tensors(op.heads, at);
  const std::int64_t pairs = tensors.visible_pairs(op.causal, op.align);
  return Work{0, op.heads.instances() * pairs * (tensors.width + tensors.value_width)};
}

}  // namespace quadrille::model
