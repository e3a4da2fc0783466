#include "app/error_figures.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "model/errors.h"
#include "model/graph/heads.h"

namespace quadrille::app {
namespace {

using model::Operator;

/// The instances of an attention; null for other operators.
const model::Heads* heads_of(const Operator& op) {
  return std::visit(
      [](const auto& each) -> const model::Heads* {
        using Op = std::decay_t<decltype(each)>;
        if constexpr (std::is_same_v<Op, model::SoftmaxAttention> ||
                      std::is_same_v<Op, model::DamfAttention> ||
                      std::is_same_v<Op, model::SinkhornAttention> ||
                      std::is_same_v<Op, model::LinearAttention>)
          return &each.heads;
        return nullptr;
      },
      op);
}

std::string formula(const model::SoftmaxAttention&) { return "softmax(scale Q K^T) V"; }
std::string formula(const model::DamfAttention& op) {
  switch (op.settings.mode) {
    case model::DamfMode::kMaclaurin:
      return "DAMF, first-order softmax (13) of the rank-one scores s t^T, times V";
    case model::DamfMode::kShift:
      return "DAMF, first-order softmax in powers of two (15)-(17) of the rank-one scores s t^T, "
             "times V";
    case model::DamfMode::kCollapsed:
      return "DAMF, first-order softmax (13) of the rank-one scores s t^T in two prefix sums, "
             "times V";
  }
  return "";
}
std::string formula(const model::Sinkhorn&) { return "Sinkhorn normalisation K of exp(C/epsilon)"; }
std::string formula(const model::SinkhornAttention&) {
  return "Sinkhorn normalisation K of exp(scale Q K^T / epsilon), times V";
}
std::string formula(const model::LinearAttention& op) {
  return op.positions_per_head
             ? "linear attention, phi(x) = elu(x) + 1, relative positions per head"
             : "linear attention, phi(x) = elu(x) + 1";
}
template <typename Op>
std::string formula(const Op&) {
  return "";
}

}  // namespace

ErrorFigures error_figures(const std::vector<double>& expected, const std::vector<double>& found) {
  ErrorFigures figures;
  double largest = 0.0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double difference = found[i] - expected[i];
    if (!std::isfinite(expected[i]) || !std::isfinite(difference))
      throw InvariantError(fmt::format("error figures of {} against {}", found[i], expected[i]));
    figures.max_abs = std::max(figures.max_abs, std::fabs(difference));
    largest = std::max(largest, std::fabs(expected[i]));
  }
  if (largest == 0.0 || figures.max_abs == 0.0) return figures;
  // Relative to the largest ones, whose squares neither under- nor overflow.
  double signal = 0.0;
  double noise = 0.0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double value = expected[i] / largest;
    const double difference = (found[i] - expected[i]) / figures.max_abs;
    signal += value * value;
    noise += difference * difference;
  }
  figures.sqnr_db =
      10.0 * std::log10(signal / noise) + 20.0 * std::log10(largest / figures.max_abs);
  return figures;
}

std::vector<HeadError> head_errors(const model::Graph& graph, const model::Values& expected,
                                   const model::Quantised& quantised,
                                   const model::ByteTensors& fixed) {
  std::vector<HeadError> errors;
  for (const model::Node& node : graph.nodes) {
    const model::Heads* heads = heads_of(node.op);
    const model::TensorId out = node.output(0);
    if (heads == nullptr || out == model::kAbsent) continue;
    const auto at = static_cast<std::size_t>(out);
    const std::vector<double> found = model::dequantise(quantised, out, fixed[at]);
    const auto layout = model::HeadLayout::queries(*heads, graph.tensor(out));
    for (int instance = 0; instance < heads->instances(); ++instance) {
      errors.push_back(
          {node.name, instance / heads->heads, instance % heads->heads,
           error_figures(layout.take(expected[at], instance), layout.take(found, instance))});
    }
  }
  return errors;
}

std::string formula_of(const model::Graph& graph) {
  std::vector<std::string> formulas;
  for (const model::Node& node : graph.nodes) {
    const std::string text = std::visit([](const auto& each) { return formula(each); }, node.op);
    if (!text.empty() && std::find(formulas.begin(), formulas.end(), text) == formulas.end())
      formulas.push_back(text);
  }
  return formulas.empty() ? "X W" : fmt::format("{}", fmt::join(formulas, "; "));
}

}  // namespace quadrille::app
