#include "hw/mapper/operators/stage.h"

#include <algorithm>
#include <string>
#include <type_traits>

#include "hw/engines/cim/exact_product.h"
#include "hw/mapper/operators/scores.h"
#include "model/errors.h"

namespace quadrille::hw {
namespace {

template <typename Op, typename... Others>
constexpr bool kIsOneOf = (std::is_same_v<Op, Others> || ...);

/// The operators that no engine does yet.
template <typename Op>
constexpr bool kHasNoEngine =
    kIsOneOf<Op, model::LayerNorm, model::RmsNorm, model::Activation, model::Add, model::Multiply,
             model::Rotary, model::Embedding>;

/// Refusals of one node: "CHIP: KEY: node NAME: expected ...".
class Limits {
 public:
  Limits(const ChipConfig& config, const model::Graph& graph, const model::Node& node)
      : config_(config), graph_(graph), node_(node) {}

  template <typename Op>
  void operator()(const Op&) const {
    static_assert(kHasNoEngine<Op>, "every operator of an engine has its limits here");
    throw InputError(config_.source(), "node " + node_.name,
                     std::string("expected an operator that the chip has, but no engine does '") +
                         model::name_of(node_.op) + "' yet");
  }

  void operator()(const model::Linear& op) const {
    if (op.transposed || node_.input(2) != model::kAbsent)
      refuse("cim", "a product without bias and transposition, which the chip does not have");
    bits("cim.input_bits", op.input_bits, config_.cim.input_bits);
    bits("cim.weight_bits", op.weight_bits, config_.cim.weight_bits);
    sum_terms(tensor(1).rows);
    if (tensor(1).rows != tensor(0).columns)
      throw InvariantError("node " + node_.name + ": X and W do not fit");
  }

  void operator()(const model::DamfProject& op) const {
    needs("damf.max_model_width", tensor(0).columns, config_.damf.max_model_width,
          "elements of a token");
    at_most("damf", std::max(tensor(0).columns, tensor(0).rows / op.batch), kDamfLargestCount,
            "tokens, or elements of a token, in a command");
  }

  void operator()(const model::SoftmaxAttention& op) const {
    codes();
    const std::int64_t keys = key_grid(op.heads, tensor(1)).rows;
    needs("softmax.max_keys", keys, config_.softmax.max_keys, "keys");
    at_most("softmax", keys, kSoftmaxLargestCount, "keys in a command");
    at_most("softmax", query_grid(op.heads, tensor(0)).rows, kSoftmaxLargestCount,
            "queries of a head");
    sum_terms(key_grid(op.heads, tensor(1)).columns);
    sum_terms(keys);
  }

  void operator()(const model::DamfAttention& op) const {
    const Grid grid = key_grid(op.heads, tensor(1));
    if (op.engine == model::DamfEngineChoice::kLinear) {
      if (op.settings.mode != model::DamfMode::kCollapsed ||
          op.settings.negative != model::DamfNegative::kSigned) {
        throw InputError("settings", "engine",
                         "linear, expected with mode=collapsed and negative=signed");
      }
      return;
    }
    needs("damf.max_tokens", grid.rows, config_.damf.max_tokens, "tokens");
    at_most("damf", std::max(grid.rows, grid.columns), kDamfLargestCount,
            "tokens, or columns of V, in a command");
  }

  void operator()(const model::Sinkhorn& op) const { sinkhorn(op.shape, op.settings.form); }

  void operator()(const model::SinkhornAttention& op) const {
    codes();
    const Grid keys = key_grid(op.heads, tensor(1));
    sum_terms(keys.columns);
    sinkhorn({1, static_cast<int>(query_grid(op.heads, tensor(0)).rows),
              static_cast<int>(keys.rows), op.causal},
             op.settings.form);
  }

  void operator()(const model::LinearAttention& op) const {
    const Grid keys = key_grid(op.heads, tensor(1));
    needs("linear.max_width", keys.columns, config_.linear.max_width, "columns of a key");
    if (op.causal && op.align == model::CausalAlign::kEnd &&
        keys.rows != query_grid(op.heads, tensor(0)).rows) {
      throw InputError(graph_.source, "causal_align",
                       "node " + node_.name +
                           ": end with other keys than queries, expected start: "
                           "the linear engine counts positions from the first token");
    }
    if (node_.input(3) == model::kAbsent) return;
    needs("linear.max_horizon", op.horizon(tensor(3).rows), config_.linear.max_horizon,
          "positions on a side");
  }

 private:
  const model::Tensor& tensor(std::size_t slot) const { return graph_.tensor(node_.input(slot)); }

  [[noreturn]] void refuse(const std::string& key, const std::string& expectation) const {
    throw InputError(config_.source(), key, "node " + node_.name + ": expected " + expectation);
  }
  /// A parameter of the chip that another value would mend.
  void needs(const std::string& key, std::int64_t wanted, std::int64_t there,
             const std::string& what) const {
    if (wanted <= there) return;
    refuse(key, "at least " + std::to_string(wanted) + ", its " + what + ", found " +
                    std::to_string(there));
  }
  /// What no chip of this kind has.
  void at_most(const std::string& key, std::int64_t found, std::int64_t most,
               const std::string& what) const {
    if (found <= most) return;
    refuse(key,
           "at most " + std::to_string(most) + " " + what + ", found " + std::to_string(found));
  }
  void bits(const std::string& key, int wanted, int there) const {
    if (wanted > there) refuse(key, "at least " + std::to_string(wanted));
  }
  /// Products of 8-bit codes on the CIM bank.
  void codes() const {
    bits("cim.input_bits", 8, config_.cim.input_bits);
    bits("cim.weight_bits", 8, config_.cim.weight_bits);
  }
  void sum_terms(std::int64_t terms) const {
    at_most("cim", terms, ExactProduct::kMaxTerms, "terms of a product, which 32-bit sums hold");
  }

  void sinkhorn(const model::SinkhornShape& shape, model::SinkhornForm form) const {
    const SinkhornConfig& unit = config_.sinkhorn;
    const int lines = std::max(shape.rows, shape.columns);
    at_most("sinkhorn", lines, kSinkhornMostLines, "rows and columns of a matrix on any chip");
    needs("sinkhorn.max_lines", lines, unit.max_lines, "rows and columns of a matrix");
    if (sinkhorn_resident(unit, shape.rows, shape.columns, form)) return;
    const std::string matrix = std::to_string(shape.rows) + " x " + std::to_string(shape.columns);
    if (form != model::SinkhornForm::kScaling)
      refuse("sinkhorn.tile_elements",
             "room for a matrix of " + matrix + " with held K, two elements each");
    if (shape.columns == 1)
      refuse("sinkhorn.tile_elements",
             "room for a matrix of " + matrix + ", since one column is not streamed");
  }

  const ChipConfig& config_;
  const model::Graph& graph_;
  const model::Node& node_;
};

}  // namespace

bool has_engines(const model::Graph& graph) {
  return std::none_of(graph.nodes.begin(), graph.nodes.end(), [](const model::Node& node) {
    return std::visit([](const auto& op) { return kHasNoEngine<std::decay_t<decltype(op)>>; },
                      node.op);
  });
}

void check_limits(const ChipConfig& config, const model::Graph& graph, const model::Node& node) {
  std::visit(Limits(config, graph, node), node.op);
}

int attention_macros(const ChipConfig& config, const model::Graph& graph, const model::Node& node,
                     const Choices& choices) {
  const int copies = std::max(1, choices.copies);
  if (const auto* softmax = std::get_if<model::SoftmaxAttention>(&node.op)) {
    const Grid keys = key_grid(softmax->heads, graph.tensor(node.input(1)));
    const Grid values = key_grid(softmax->heads, graph.tensor(node.input(2)));
    const int groups = softmax->causal && node.output(1) == model::kAbsent ? choices.key_groups : 1;
    return copies * (Scores::macros_of(config, keys.columns, keys.rows, groups) +
                     DynamicMatrix::macros_of(config.cim, values.rows, values.columns));
  }
  if (const auto* sinkhorn = std::get_if<model::SinkhornAttention>(&node.op)) {
    const Grid keys = key_grid(sinkhorn->heads, graph.tensor(node.input(1)));
    return copies * Scores::macros_of(config, keys.columns, keys.rows, 1);
  }
  return 0;
}

int least_attention_macros(const ChipConfig& config, const model::Graph& graph,
                           const model::Node& node) {
  const auto tiles = [&](std::int64_t rows) {
    return static_cast<int>(divide_up(rows, config.cim.rows));
  };
  if (const auto* softmax = std::get_if<model::SoftmaxAttention>(&node.op)) {
    const Grid keys = key_grid(softmax->heads, graph.tensor(node.input(1)));
    return tiles(keys.columns) + tiles(keys.rows);
  }
  if (const auto* sinkhorn = std::get_if<model::SinkhornAttention>(&node.op))
    return tiles(key_grid(sinkhorn->heads, graph.tensor(node.input(1))).columns);
  return 0;
}

}  // namespace quadrille::hw
