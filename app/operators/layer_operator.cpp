#include "app/operators/layer_operator.h"

#include "hw/mapper/shim.h"
#include "model/analytic/attention_counts.h"
#include "model/analytic/linear_counts.h"
#include "model/errors.h"

namespace quadrille::app {
namespace {

/// The layer's MACs by closed form. The analytic counts are of square
/// projections; here the heads together may be wider or narrower than d.
hw::ExpectedWork expected_work(const hw::ChipConfig& chip, const model::AttentionShape& shape) {
  const std::int64_t tokens = shape.tokens;
  const std::int64_t width = shape.model_width;
  const std::int64_t inner = shape.inner_width();
  const model::LayerDimensions heads{tokens, inner, shape.heads};
  const std::int64_t projections = 4 * tokens * width * inner;
  switch (shape.mechanism) {
    case model::Mechanism::kSoftmax:
    case model::Mechanism::kSinkhorn:  // The same two products around other weights.
      return {projections, model::softmax_counts(heads, shape.causal).macs_dynamic()};
    case model::Mechanism::kLinear: {
      const model::LinearShape head = {shape.tokens,     shape.tokens, shape.head_width,
                                       shape.head_width, shape.causal, -1};
      return {
          projections,
          shape.heads *
              model::linear_counts(head, chip.linear.chunk_tokens, chip.linear.lanes).macs_dynamic};
    }
    case model::Mechanism::kDamf:
      break;
  }
  return {2 * tokens * width * (inner + shape.heads),
          model::damf_counts(heads, shape.damf).macs_dynamic()};
}

/// A layer with the right shape and nothing in it, for runs without data.
model::AttentionInteger empty_layer(const model::AttentionShape& shape) {
  model::AttentionInteger layer;
  layer.shape = shape;
  const auto heads = static_cast<std::size_t>(shape.heads);
  layer.s_factor.resize(heads);
  layer.t_factor.resize(heads);
  layer.rules.resize(heads);
  layer.sinkhorn.shape = {1, shape.tokens, shape.tokens, shape.causal};
  layer.sinkhorn.settings = shape.sinkhorn;
  return layer;
}

/// phi of Q, K and (here of no use) relative positions.
std::vector<std::int64_t> phi_tables(const model::AttentionInteger& layer) {
  std::vector<std::int64_t> tables(layer.phi_q.begin(), layer.phi_q.end());
  for (int i = 0; i < 2; ++i) tables.insert(tables.end(), layer.phi_k.begin(), layer.phi_k.end());
  return tables;
}

model::AttentionScales scales_of(const std::map<std::string, std::vector<double>>& given) {
  model::AttentionScales scales;
  const std::pair<const char*, double*> numbers[] = {{"X", &scales.x},
                                                     {"WQ", &scales.wq},
                                                     {"WK", &scales.wk},
                                                     {"WV", &scales.wv},
                                                     {"WO", &scales.wo},
                                                     {"Q", &scales.q},
                                                     {"K", &scales.k},
                                                     {"V", &scales.v},
                                                     {"attention", &scales.attention},
                                                     {"largest_logit", &scales.largest_logit}};
  for (const auto& [name, scale] : numbers) {
    if (const auto found = given.find(name); found != given.end()) *scale = found->second[0];
  }
  const std::pair<const char*, std::vector<double>*> lists[] = {
      {"u", &scales.u}, {"v", &scales.v_vector}, {"s", &scales.s}, {"t", &scales.t}};
  for (const auto& [name, list] : lists) {
    if (const auto found = given.find(name); found != given.end()) *list = found->second;
  }
  return scales;
}

CodeMap inputs_of(const model::AttentionInteger& layer) {
  CodeMap inputs = {{"X", widen(layer.x.q)}, {"WV", widen(layer.wv.q)}, {"WO", widen(layer.wo.q)}};
  if (model::has_queries(layer.shape.mechanism)) {
    inputs["WQ"] = widen(layer.wq.q);
    inputs["WK"] = widen(layer.wk.q);
    if (layer.shape.mechanism == model::Mechanism::kLinear) inputs["tables"] = phi_tables(layer);
  } else {
    inputs["u"] = widen(layer.u);
    inputs["v"] = widen(layer.v);
  }
  return inputs;
}

ChipJob lower_integer(const hw::ChipConfig& chip, const model::AttentionInteger& layer) {
  ChipJob job;
  job.mapping = hw::map_attention_layer(chip, layer);
  job.expected = expected_work(chip, layer.shape);
  return job;
}

}  // namespace

LayerOperator::LayerOperator(const Workload& workload) : data_(load_layer_data(workload)) {
  const auto& layer = std::get<AttentionLayerWorkload>(workload.what);
  shape_ = shape_of(workload.path, layer);
  real_ = model::attention_float(shape_, data_.x, data_.weights, data_.triples, layer.scale);
  const model::AttentionScales scales =
      layer.scales.empty() ? model::calibrate(shape_, data_.x, data_.weights, data_.triples, real_)
                           : scales_of(layer.scales);
  try {
    layer_ =
        model::quantise_layer(shape_, data_.x, data_.weights, data_.triples, scales, layer.scale);
  } catch (const InvariantError& error) {
    // The factors come from the user's data and scales.
    throw InputError(workload.path, "scales", error.what());
  }
}

OperatorResult LayerOperator::run_float() const {
  OperatorResult result;
  result.reals["out"] = {out_shape(), real_.out};
  return result;
}

OperatorResult LayerOperator::run_fixed() const {
  return collect({{"out", model::attention_fixed(layer_).out_q}});
}

ChipJob LayerOperator::lower(const hw::ChipConfig& chip) const {
  ChipJob job = lower_integer(chip, layer_);
  job.inputs = inputs_of(layer_);
  return job;
}

OperatorResult LayerOperator::collect(const CodeMap& outputs) const {
  OperatorResult result;
  add_integer(result, "out", out_shape(), outputs.at("out"), layer_.out_scale);
  return result;
}

std::map<std::string, double> LayerOperator::scales() const {
  return {{"X", layer_.x.scale}, {"WV", layer_.wv.scale}, {"WO", layer_.wo.scale}};
}

ChipJob lower_shape(const hw::ChipConfig& chip, const model::AttentionShape& shape) {
  return lower_integer(chip, empty_layer(shape));
}

}  // namespace quadrille::app
