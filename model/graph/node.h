// What every operator must answer for a node of its kind, and what it sees of
// the node. The five functions of an operator are one file of this folder; the
// loops over a graph (graph.h, evaluate.h, quantise.h, work.h) call them and know
// no operator. Whoever adds an operator to the variant is told by the compiler
// which of the five are missing.
//
//   check     refuses tensors whose shapes do not fit
//   evaluate  level `float`: the formulas in double precision
//   quantise  the integer form, from the scales of the node's tensors
//   evaluate  level `fixed`: the bit-level specification
//   count     multiply-accumulates in closed form
#pragma once

#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "model/errors.h"
#include "model/graph/evaluate.h"
#include "model/graph/quantise.h"
#include "model/graph/work.h"

namespace quadrille::model {

/// "scale 0.5": how messages name a setting that has a part in a number.
std::string setting_text(const char* name, double value);

struct NodeView {
  const Graph& graph;
  const Node& node;

  bool has_input(std::size_t slot) const { return node.input(slot) != kAbsent; }
  bool has_output(std::size_t slot) const { return node.output(slot) != kAbsent; }
  const Tensor& input(std::size_t slot) const { return graph.tensor(node.input(slot)); }
  const Tensor& output(std::size_t slot) const { return graph.tensor(node.output(slot)); }

  /// InputError "SOURCE: node 'NAME': EXPECTATION".
  [[noreturn]] void refuse(const std::string& expectation) const;
  /// InputError "SOURCE: tensors 'X' (up to 1e+30), 'WQ' (up to 0.5): EXPECTATION": the
  /// inputs and weights that the node's inputs are made of, whose numbers are at fault.
  [[noreturn]] void refuse_values(const Values& values, const std::string& expectation) const;
  /// refuse() unless the tensor in the slot is there and has this shape, where -1
  /// stands for any size.
  void require_input(std::size_t slot, std::int64_t rows, std::int64_t columns) const;
  /// The same, but an output may be absent.
  void require_output(std::size_t slot, std::int64_t rows, std::int64_t columns) const;
};

struct FloatNode : NodeView {
  const Values& values;
  Values* made = nullptr;  ///< Where outputs go.

  /// InvariantError if nobody has made it.
  const std::vector<double>& in(std::size_t slot) const;
  /// Nothing happens where nobody wants the output.
  void put(std::size_t slot, std::vector<double> output) const;
};

struct QuantiseNode : NodeView {
  const Values& values;
  Quantised& made;
  double largest_logit;
  const std::vector<double>& largest_features;  ///< As Calibration has them.

  double in_scale(std::size_t slot) const { return scales(node.input(slot)).front(); }
  const std::vector<double>& scales(TensorId tensor) const;
  /// Codes of an input; empty while they are not known (the output of a node).
  std::vector<std::int32_t> codes(std::size_t slot) const;
  /// An output of sums has the scale of its sums; for one of codes this gives the
  /// factor that requantises them to the scale which the output has.
  Multiplier out(std::size_t slot, double sums_scale) const;
  /// Values of an input.
  const std::vector<double>& value(std::size_t slot) const;
  /// Gives an input its bytes, where the operator makes them.
  void store(std::size_t slot, TensorBytes bytes) const;
  void encode(TensorId tensor, Encoding encoding) const;
  /// What a Multiplier can be. Beyond it InputError, naming the tensors and the settings
  /// ("scale 0.5, epsilon 1e-06") that ask for such a factor.
  Multiplier multiplier(double factor, const std::string& settings = "") const;
};

struct IntegerNode : NodeView {
  const IntegerForm& form;
  FixedRun& run;
  std::vector<SinkhornResidual>& residuals;

  std::vector<std::int32_t> in(std::size_t slot) const;
  /// Stores sums, requantised first where the output is one of codes.
  void put(std::size_t slot, const std::vector<std::int64_t>& sums,
           const Multiplier& factor = {}) const;
  /// Stores what has the output's format already.
  void put_codes(std::size_t slot, const std::vector<std::int64_t>& codes) const;
  /// The same of the vector unit's result, whose clamped elements count.
  void put(std::size_t slot, const VectorFixedResult& result) const;
  /// A sum as a code of `bits` bits; clamped ones are counted.
  std::int64_t requantised(std::int64_t sum, const Multiplier& factor, int bits) const;
};

#define QUADRILLE_OPERATOR(Op)                          \
  void check(const Op& op, const NodeView& at);         \
  void evaluate(const Op& op, const FloatNode& at);     \
  IntegerForm quantise(const Op& op, QuantiseNode& at); \
  void evaluate(const Op& op, const IntegerNode& at);   \
  std::optional<Work> count(const Op& op, const NodeView& at, const LinearTiling& tiling)

QUADRILLE_OPERATOR(Linear);
QUADRILLE_OPERATOR(DamfProject);
QUADRILLE_OPERATOR(SoftmaxAttention);
QUADRILLE_OPERATOR(DamfAttention);
QUADRILLE_OPERATOR(Sinkhorn);
QUADRILLE_OPERATOR(SinkhornAttention);
QUADRILLE_OPERATOR(LinearAttention);
QUADRILLE_OPERATOR(LayerNorm);
QUADRILLE_OPERATOR(RmsNorm);
QUADRILLE_OPERATOR(Activation);
QUADRILLE_OPERATOR(Add);
QUADRILLE_OPERATOR(Multiply);
QUADRILLE_OPERATOR(Rotary);
#undef QUADRILLE_OPERATOR

/// The largest values of Q, K and the positions, as Calibration has them; empty
/// without their values.
std::vector<double> largest_features(const LinearAttention& op, const FloatNode& at);

/// The largest magnitude of the logits in nats, over all instances.
double largest_logit(const Sinkhorn& op, const FloatNode& at);
double largest_logit(const SinkhornAttention& op, const FloatNode& at);

// An operator of the level `float` alone has no integer form and no work on the chip.
void check(const Embedding& op, const NodeView& at);
void evaluate(const Embedding& op, const FloatNode& at);

template <typename Op>
using FloatOnly = std::enable_if_t<std::is_same_v<Op, Embedding>>;

template <typename Op, typename = FloatOnly<Op>>
IntegerForm quantise(const Op&, QuantiseNode&) {
  return {};
}
template <typename Op, typename = FloatOnly<Op>>
void evaluate(const Op&, const IntegerNode& at) {
  throw InvariantError("node " + at.node.name + " has no integer form");
}
template <typename Op, typename = FloatOnly<Op>>
std::optional<Work> count(const Op&, const NodeView&, const LinearTiling&) {
  return Work{};
}

}  // namespace quadrille::model
