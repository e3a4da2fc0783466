#include "model/graph/quantise.h"

#include <algorithm>
#include <cmath>

#include "model/graph/node.h"
#include "model/number_text.h"
#include "model/numerics/quantise.h"
#include "model/numerics/reciprocal.h"

namespace quadrille::model {
namespace {

std::size_t at(TensorId id) { return static_cast<std::size_t>(id); }

bool is_codes(Format format) { return format == Format::kCodes8 || format == Format::kCodes16; }

/// Which scale of a tensor an element has: the row says the head, the column of a
/// pair whether it is an s or a t.
struct ScaleLayout {
  std::size_t heads = 1;
  bool pairs = false;
  std::size_t columns = 1;

  std::size_t groups() const { return pairs ? 2 * heads : heads; }
  std::size_t group(std::size_t element) const {
    const std::size_t head = element / columns % heads;
    return pairs ? 2 * head + element % columns % 2 : head;
  }
};

ScaleLayout layout_of(const Graph& graph, TensorId tensor) {
  ScaleLayout layout;
  layout.columns = static_cast<std::size_t>(graph.tensor(tensor).columns);
  for (const Node& node : graph.nodes) {
    if (std::holds_alternative<DamfProject>(node.op)) {
      layout.pairs = node.output(0) == tensor;
      if (layout.pairs || node.input(1) == tensor || node.input(2) == tensor)
        layout.heads = static_cast<std::size_t>(graph.tensor(node.input(1)).rows);
    } else if (const auto* damf = std::get_if<DamfAttention>(&node.op)) {
      if (node.input(0) != tensor) continue;
      layout.pairs = true;
      layout.heads = static_cast<std::size_t>(damf->heads.heads);
    }
    if (layout.pairs || layout.heads > 1) break;
  }
  return layout;
}

template <typename T>
std::vector<T> group_of(const std::vector<T>& values, const ScaleLayout& layout,
                        std::size_t group) {
  std::vector<T> members;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (layout.group(i) == group) members.push_back(values[i]);
  }
  return members;
}

/// Codes at one scale, and how many had to be clamped. Given codes are the rounded
/// quotients, whatever their range.
std::vector<std::int32_t> codes_at(const std::vector<double>& values, double scale, int bits,
                                   bool given, std::int64_t& saturated) {
  if (!given) {
    const double largest = bits == 1 ? 0.0 : largest_code(bits);
    saturated += std::count_if(values.begin(), values.end(), [&](double value) {
      const double code = std::nearbyint(value / scale);
      return code > largest || code < -largest_code(bits);
    });
    return quantise(values, scale, bits).q;
  }
  std::vector<std::int32_t> codes;
  codes.reserve(values.size());
  for (const double value : values)
    codes.push_back(static_cast<std::int32_t>(std::nearbyint(value / scale)));
  return codes;
}

TensorBytes bytes_of_values(const Graph& graph, TensorId tensor, const std::vector<double>& values,
                            const std::vector<double>& scales, bool given,
                            std::int64_t& saturated) {
  const ScaleLayout layout = layout_of(graph, tensor);
  const int bits = code_bits(graph, tensor);
  const Format format = graph.tensor(tensor).format;
  if (scales.size() != layout.groups()) {
    throw InvariantError("tensor " + graph.tensor(tensor).name + " has " +
                         std::to_string(scales.size()) + " scales, expected " +
                         std::to_string(layout.groups()));
  }
  if (layout.groups() == 1)
    return pack(codes_at(values, scales[0], bits, given, saturated), format);
  std::vector<std::int32_t> codes(values.size());
  for (std::size_t group = 0; group < layout.groups(); ++group) {
    const auto members =
        codes_at(group_of(values, layout, group), scales[group], bits, given, saturated);
    auto next = members.begin();
    for (std::size_t i = 0; i < codes.size(); ++i) {
      if (layout.group(i) == group) codes[i] = *next++;
    }
  }
  return pack(codes, format);
}

double decoded(std::int64_t code, Encoding encoding) {
  if (encoding == Encoding::kLog2)
    return sinkhorn_scaling(std::ldexp(static_cast<double>(code), -16));
  const Reciprocal scaling = unpacked_reciprocal(static_cast<std::uint32_t>(code));
  return std::ldexp(static_cast<double>(scaling.mantissa), kKernelFractionBits - scaling.shift);
}

double largest_logit_of(const FloatNode& view) {
  const Operator& op = view.node.op;
  if (const auto* costs = std::get_if<Sinkhorn>(&op)) return largest_logit(*costs, view);
  if (const auto* pairs = std::get_if<SinkhornAttention>(&op)) return largest_logit(*pairs, view);
  return 0.0;
}

}  // namespace

int code_bits(const Graph& graph, TensorId tensor) {
  int bits = 8 * bytes_of(graph.tensor(tensor).format);
  for (const Node& node : graph.nodes) {
    const auto* linear = std::get_if<Linear>(&node.op);
    if (linear == nullptr) continue;
    if (node.input(0) == tensor) bits = std::min(bits, linear->input_bits);
    if (node.input(1) == tensor) bits = std::min(bits, linear->weight_bits);
  }
  return bits;
}

Calibration calibrate(const Graph& graph, const Values& values, Calibration given) {
  for (std::size_t i = 0; i < graph.tensors.size(); ++i) {
    if (!given.scales[i].empty() || values[i].empty() || !is_codes(graph.tensors[i].format))
      continue;
    const auto id = static_cast<TensorId>(i);
    const ScaleLayout layout = layout_of(graph, id);
    const int bits = code_bits(graph, id);
    for (std::size_t group = 0; group < layout.groups(); ++group) {
      given.scales[i].push_back(layout.groups() == 1
                                    ? absmax_scale(values[i], bits)
                                    : absmax_scale(group_of(values[i], layout, group), bits));
    }
  }
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    const FloatNode view{{graph, graph.nodes[i]}, values};
    if (const auto* linear = std::get_if<LinearAttention>(&graph.nodes[i].op);
        linear != nullptr && given.largest_features[i].empty())
      given.largest_features[i] = largest_features(*linear, view);
    if (given.largest_logits[i] == 0.0) given.largest_logits[i] = largest_logit_of(view);
  }
  return given;
}

Quantised quantise(const Graph& graph, const Values& values, const Calibration& calibration) {
  Quantised made;
  made.integers.graph = graph;
  made.tensors.resize(graph.tensors.size());
  made.scales = calibration.scales;
  made.encodings.assign(graph.tensors.size(), Encoding::kScaled);
  for (std::size_t i = 0; i < graph.tensors.size(); ++i) {
    const Tensor& tensor = graph.tensors[i];
    const bool constant = tensor.role == Role::kInput || tensor.role == Role::kWeight;
    if (!constant || values[i].empty() || !is_codes(tensor.format)) continue;
    made.tensors[i] = bytes_of_values(graph, static_cast<TensorId>(i), values[i], made.scales[i],
                                      calibration.given_codes[i], made.saturated);
  }
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    QuantiseNode view{{graph, graph.nodes[i]},
                      values,
                      made,
                      calibration.largest_logits[i],
                      calibration.largest_features[i]};
    try {
      made.integers.forms.push_back(
          std::visit([&](const auto& op) { return quantise(op, view); }, graph.nodes[i].op));
    } catch (const InvariantError& error) {  // The scales come from the user's data.
      view.refuse(error.what());
    }
  }
  return made;
}

std::vector<double> dequantise(const Quantised& quantised, TensorId tensor,
                               const TensorBytes& bytes) {
  const Graph& graph = quantised.integers.graph;
  const std::vector<std::int64_t> codes = unpack64(bytes, graph.tensor(tensor).format);
  const std::vector<double>& scales = quantised.scales[at(tensor)];
  const Encoding encoding = quantised.encodings[at(tensor)];
  const ScaleLayout layout = layout_of(graph, tensor);
  std::vector<double> values;
  values.reserve(codes.size());
  for (std::size_t i = 0; i < codes.size(); ++i) {
    if (encoding != Encoding::kScaled) {
      values.push_back(decoded(codes[i], encoding));
      continue;
    }
    const double scale = scales.empty()       ? 1.0
                         : scales.size() == 1 ? scales.front()
                                              : scales[layout.group(i)];
    values.push_back(static_cast<double>(codes[i]) * scale);
  }
  return values;
}

const std::vector<double>& QuantiseNode::scales(TensorId tensor) const {
  const std::vector<double>& found = made.scales[at(tensor)];
  if (found.empty()) throw InvariantError("tensor " + graph.tensor(tensor).name + " has no scale");
  return found;
}

const std::vector<double>& QuantiseNode::value(std::size_t slot) const {
  return values[at(node.input(slot))];
}

void QuantiseNode::store(std::size_t slot, TensorBytes bytes) const {
  made.tensors[at(node.input(slot))] = std::move(bytes);
}

void QuantiseNode::encode(TensorId tensor, Encoding encoding) const {
  made.encodings[at(tensor)] = encoding;
}

std::vector<std::int32_t> QuantiseNode::codes(std::size_t slot) const {
  return unpack32(made.tensors[at(node.input(slot))], input(slot).format);
}

Multiplier QuantiseNode::out(std::size_t slot, double sums_scale) const {
  if (!has_output(slot)) return {};
  if (is_codes(output(slot).format))
    return multiplier(sums_scale / scales(node.output(slot)).front());
  made.scales[at(node.output(slot))] = {sums_scale};
  return {};
}

Multiplier QuantiseNode::multiplier(double factor, const std::string& settings) const {
  // The hardware's range, with room for the rounding of the mantissa.
  if (std::isfinite(factor) && factor >= std::ldexp(1.0, -46) && factor < std::ldexp(1.0, 15))
    return make_multiplier(factor);
  refuse_values(values, "their scales" + (settings.empty() ? "" : " and " + settings) +
                            " need the factor " + number_text(factor) + " in node '" + node.name +
                            "', expected 2^-46 to 2^15");
}

}  // namespace quadrille::model
