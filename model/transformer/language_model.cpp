#include "model/transformer/language_model.h"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>

#include "model/errors.h"

namespace quadrille::model {
namespace {

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using MatrixView = Eigen::Map<const Matrix>;

constexpr double kEpsilon = 1e-5;

MatrixView view(const std::vector<double>& values, std::size_t columns) {
  return {values.data(), static_cast<Eigen::Index>(values.size() / columns),
          static_cast<Eigen::Index>(columns)};
}

/// x[L, k] * w[k, n]
std::vector<double> multiply(const std::vector<double>& x, const std::vector<double>& w,
                             std::size_t k, std::size_t n) {
  std::vector<double> result(x.size() / k * n);
  Eigen::Map<Matrix>(result.data(), static_cast<Eigen::Index>(x.size() / k),
                     static_cast<Eigen::Index>(n))
      .noalias() = view(x, k) * view(w, n);
  return result;
}

void add(std::vector<double>& x, const std::vector<double>& y) {
  std::transform(x.begin(), x.end(), y.begin(), x.begin(), std::plus<>());
}

void add_bias(std::vector<double>& x, const std::vector<double>& bias) {
  for (std::size_t i = 0; i < x.size(); ++i) x[i] += bias[i % bias.size()];
}

void require_size(const std::vector<double>& values, std::size_t expected, const char* name) {
  if (values.size() != expected) {
    throw InvariantError(std::string("language model: ") + name + " has " +
                         std::to_string(values.size()) + " elements, expected " +
                         std::to_string(expected));
  }
}

std::vector<double> embed(const LanguageModel& model, const std::vector<int>& tokens) {
  const auto width = static_cast<std::size_t>(model.width);
  std::vector<double> x(tokens.size() * width);
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    for (std::size_t c = 0; c < width; ++c) {
      double sum = model.token_embedding[static_cast<std::size_t>(tokens[i]) * width + c] +
                   model.position_embedding[i * width + c];
      for (std::size_t j = 1; j <= model.earlier_embedding.size() && j <= i; ++j)
        sum += model.earlier_embedding[j - 1][static_cast<std::size_t>(tokens[i - j]) * width + c];
      x[i * width + c] = sum;
    }
  }
  return x;
}

std::vector<double> perceptron(const TransformerBlock& block, const std::vector<double>& x,
                               std::size_t width) {
  const std::size_t hidden_width = block.fc_bias.size();
  std::vector<double> hidden = multiply(x, block.fc, width, hidden_width);
  add_bias(hidden, block.fc_bias);
  std::transform(hidden.begin(), hidden.end(), hidden.begin(), gelu_tanh);
  std::vector<double> out = multiply(hidden, block.proj, hidden_width, width);
  add_bias(out, block.proj_bias);
  return out;
}

}  // namespace

std::vector<double> layer_norm(const std::vector<double>& x, const std::vector<double>& gamma,
                               const std::vector<double>& beta) {
  const std::size_t width = gamma.size();
  const auto count = static_cast<double>(width);
  std::vector<double> result(x.size());
  for (std::size_t row = 0; row + width <= x.size(); row += width) {
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
    const double factor = 1.0 / std::sqrt(variance / count + kEpsilon);
    for (std::size_t c = 0; c < width; ++c)
      result[row + c] = (x[row + c] - origin - mean) * factor * gamma[c] + beta[c];
  }
  return result;
}

double gelu_tanh(double x) {
  const double root_two_over_pi = 0.79788456080286535588;
  return 0.5 * x * (1.0 + std::tanh(root_two_over_pi * (x + 0.044715 * x * x * x)));
}

double cross_entropy(const std::vector<double>& logits, int target) {
  const double largest = *std::max_element(logits.begin(), logits.end());
  double sum = 0.0;
  for (const double logit : logits) sum += std::exp(logit - largest);
  return std::log(sum) + largest - logits[static_cast<std::size_t>(target)];
}

LanguageModelRun run_language_model(const LanguageModel& model, AttentionShape shape,
                                    const std::vector<int>& tokens,
                                    const AttentionReplacement& replacement) {
  if (tokens.empty() || tokens.size() > static_cast<std::size_t>(model.context)) {
    throw InvariantError("language model: " + std::to_string(tokens.size()) +
                         " tokens, expected 1.." + std::to_string(model.context));
  }
  const auto width = static_cast<std::size_t>(model.width);
  shape.tokens = static_cast<int>(tokens.size());
  const double scale = 1.0 / std::sqrt(static_cast<double>(shape.head_width));
  std::vector<double> x = embed(model, tokens);
  LanguageModelRun run;
  for (std::size_t i = 0; i < model.blocks.size(); ++i) {
    const TransformerBlock& block = model.blocks[i];
    std::vector<double> input = layer_norm(x, block.ln_1_gamma, block.ln_1_beta);
    if (replacement.block == static_cast<int>(i)) {
      require_size(replacement.out, x.size(), "the replaced attention output");
      add(x, replacement.out);
    } else {
      const auto triples = shape.mechanism == Mechanism::kDamf ? fuse_heads(shape, block.attention)
                                                               : std::vector<SingularTriple>{};
      add(x, attention_float(shape, input, block.attention, triples, scale).out);
    }
    run.attention_inputs.push_back(std::move(input));
    add(x, perceptron(block, layer_norm(x, block.ln_2_gamma, block.ln_2_beta), width));
  }
  const std::vector<double> last = layer_norm(x, model.ln_f_gamma, model.ln_f_beta);
  const auto vocabulary = static_cast<std::size_t>(model.vocabulary);
  run.logits.resize(tokens.size() * vocabulary);
  Eigen::Map<Matrix>(run.logits.data(), static_cast<Eigen::Index>(tokens.size()),
                     static_cast<Eigen::Index>(vocabulary))
      .noalias() = view(last, width) * view(model.token_embedding, width).transpose();
  for (std::size_t i = 0; i + 1 < tokens.size(); ++i) {
    const auto row = run.logits.begin() + static_cast<std::ptrdiff_t>(i * vocabulary);
    run.losses.push_back(cross_entropy(
        std::vector<double>(row, row + static_cast<std::ptrdiff_t>(vocabulary)), tokens[i + 1]));
    run.loss += run.losses.back();
  }
  if (!run.losses.empty()) run.loss /= static_cast<double>(run.losses.size());
  return run;
}

}  // namespace quadrille::model
