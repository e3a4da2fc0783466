// The operators of the level `float` alone: Embedding, LayerNorm, Activation, Add.
#include <cmath>

#include "model/graph/node.h"

namespace quadrille::model {
namespace {

constexpr std::size_t kOut = 0;

double gelu_tanh(double x) {
  const double root_two_over_pi = 0.79788456080286535588;
  return 0.5 * x * (1.0 + std::tanh(root_two_over_pi * (x + 0.044715 * x * x * x)));
}

namespace embedding {
enum Slot : std::size_t { kIds, kTable, kPositions, kEarlier };
}

}  // namespace

void check(const Embedding&, const NodeView& at) {
  at.require_input(embedding::kIds, -1, -1);
  at.require_input(embedding::kTable, -1, -1);
  const Tensor& table = at.input(embedding::kTable);
  if (at.has_input(embedding::kPositions)) {
    at.require_input(embedding::kPositions, -1, table.columns);
    if (at.input(embedding::kPositions).rows < at.input(embedding::kIds).columns)
      at.refuse("expected a position for every token");
  }
  for (std::size_t slot = embedding::kEarlier; slot < at.node.inputs.size(); ++slot)
    at.require_input(slot, table.rows, table.columns);
  at.require_output(kOut, at.input(embedding::kIds).elements(), table.columns);
}

void evaluate(const Embedding&, const FloatNode& at) {
  const std::vector<double>& ids = at.in(embedding::kIds);
  const auto length = static_cast<std::size_t>(at.input(embedding::kIds).columns);
  const auto width = static_cast<std::size_t>(at.input(embedding::kTable).columns);
  const auto row = [&](std::size_t slot, double id) {
    return at.in(slot).data() + static_cast<std::size_t>(id) * width;
  };
  std::vector<double> x(ids.size() * width);
  for (std::size_t token = 0; token < ids.size(); ++token) {
    const std::size_t position = token % length;
    for (std::size_t c = 0; c < width; ++c) {
      double sum = row(embedding::kTable, ids[token])[c];
      if (at.has_input(embedding::kPositions))
        sum += at.in(embedding::kPositions)[position * width + c];
      for (std::size_t j = 1; j <= position; ++j) {
        const std::size_t slot = embedding::kEarlier + j - 1;
        if (slot >= at.node.inputs.size()) break;
        sum += row(slot, ids[token - j])[c];
      }
      x[token * width + c] = sum;
    }
  }
  at.put(kOut, std::move(x));
}

void check(const LayerNorm&, const NodeView& at) {
  at.require_input(0, -1, -1);
  const Tensor& x = at.input(0);
  at.require_input(1, 1, x.columns);
  at.require_input(2, 1, x.columns);
  at.require_output(kOut, x.rows, x.columns);
}

void evaluate(const LayerNorm& op, const FloatNode& at) {
  const std::vector<double>&x = at.in(0), &gamma = at.in(1), &beta = at.in(2);
  const std::size_t width = gamma.size();
  const auto count = static_cast<double>(width);
  std::vector<double> y(x.size());
  for (std::size_t row = 0; row < x.size(); row += width) {
    // Measured from the row's first element, a constant row has mean and
    // variance exactly 0, however large the constant.
    const double origin = x[row];
    double mean = 0.0;
    for (std::size_t c = 0; c < width; ++c) mean += x[row + c] - origin;
    mean /= count;
    double variance = 0.0;
    for (std::size_t c = 0; c < width; ++c) {
      const double difference = x[row + c] - origin - mean;
      variance += difference * difference;
    }
    const double factor = 1.0 / std::sqrt(variance / count + op.epsilon);
    for (std::size_t c = 0; c < width; ++c)
      y[row + c] = (x[row + c] - origin - mean) * factor * gamma[c] + beta[c];
  }
  at.put(kOut, std::move(y));
}

void check(const Activation&, const NodeView& at) {
  at.require_input(0, -1, -1);
  at.require_output(kOut, at.input(0).rows, at.input(0).columns);
}

void evaluate(const Activation&, const FloatNode& at) {
  std::vector<double> y = at.in(0);
  for (double& value : y) value = gelu_tanh(value);
  at.put(kOut, std::move(y));
}

void check(const Add&, const NodeView& at) {
  at.require_input(0, -1, -1);
  at.require_input(1, at.input(0).rows, at.input(0).columns);
  at.require_output(kOut, at.input(0).rows, at.input(0).columns);
}

void evaluate(const Add&, const FloatNode& at) {
  std::vector<double> sum = at.in(0);
  const std::vector<double>& y = at.in(1);
  for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += y[i];
  at.put(kOut, std::move(sum));
}

}  // namespace quadrille::model
