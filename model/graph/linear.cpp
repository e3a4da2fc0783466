// The operator Linear, a product with a trained matrix.
#include "model/graph/node.h"
#include "model/numerics/product.h"

namespace quadrille::model {
namespace {

enum Slot : std::size_t { kX, kW, kBias };
constexpr std::size_t kY = 0;

std::size_t inner(const NodeView& at) { return static_cast<std::size_t>(at.input(kX).columns); }

std::size_t columns(const Linear& op, const NodeView& at) {
  return static_cast<std::size_t>(op.transposed ? at.input(kW).rows : at.input(kW).columns);
}

}  // namespace

void check(const Linear& op, const NodeView& at) {
  at.require_input(kX, -1, -1);
  const std::int64_t k = at.input(kX).columns;
  at.require_input(kW, op.transposed ? -1 : k, op.transposed ? k : -1);
  const auto n = static_cast<std::int64_t>(columns(op, at));
  if (at.has_input(kBias)) at.require_input(kBias, 1, n);
  at.require_output(kY, at.input(kX).rows, n);
}

void evaluate(const Linear& op, const FloatNode& at) {
  const std::size_t n = columns(op, at);
  std::vector<double> y = op.transposed
                              ? product_transposed_float(at.in(kX), at.in(kW), inner(at), n)
                              : product_float(at.in(kX), at.in(kW), inner(at), n);
  if (at.has_input(kBias)) {
    const std::vector<double>& bias = at.in(kBias);
    for (std::size_t i = 0; i < y.size(); ++i) y[i] += bias[i % n];
  }
  at.put(kY, std::move(y));
}

IntegerForm quantise(const Linear& op, QuantiseNode& at) {
  if (op.transposed || at.has_input(kBias)) return {};  // Level `float` alone.
  return LinearInteger{at.out(kY, at.in_scale(kX) * at.in_scale(kW))};
}

void evaluate(const Linear& op, const IntegerNode& at) {
  const auto* form = std::get_if<LinearInteger>(&at.form);
  if (form == nullptr) throw InvariantError("node " + at.node.name + " has no integer form");
  at.put(kY, product_fixed(at.in(kX), at.in(kW), inner(at), columns(op, at)), form->out);
}

std::optional<Work> count(const Linear& op, const NodeView& at, const LinearTiling&) {
  const Tensor& x = at.input(kX);
  const std::int64_t macs = x.elements() * static_cast<std::int64_t>(columns(op, at));
  return at.input(kW).role == Role::kWeight ? Work{macs, 0} : Work{0, macs};
}

}  // namespace quadrille::model
