// Question: do the embedding and the vector unit's operators in double precision give the numbers
// that "Transformers from scratch" prints, and does a replaced value enter the stream?
#include <gtest/gtest.h>

#include <cmath>

#include "app/networks/task.h"
#include "model/errors.h"
#include "model/graph/evaluate.h"

namespace quadrille::model {
namespace {

/// A tensor of a graph with its values.
struct Given {
  std::int64_t rows, columns;
  std::vector<double> values;
};

/// The output of one node on the given inputs.
std::vector<double> apply(Operator op, const std::vector<Given>& inputs, std::int64_t rows,
                          std::int64_t columns) {
  Graph graph;
  Node node{"node", "node", std::move(op), {}, {}};
  Values values;
  for (const Given& input : inputs) {
    const std::string name = "input " + std::to_string(node.inputs.size());
    node.inputs.push_back(
        graph.add({name, input.rows, input.columns, Role::kInput, Format::kSums32}));
    values.push_back(input.values);
  }
  const TensorId out = graph.add({"out", rows, columns, Role::kOutput, Format::kSums32});
  node.outputs = {out};
  graph.nodes = {node};
  check(graph);
  return evaluate(graph, values)[static_cast<std::size_t>(out)];
}

std::vector<double> layer_norm(const std::vector<double>& x, const std::vector<double>& gamma,
                               const std::vector<double>& beta) {
  const auto width = static_cast<std::int64_t>(gamma.size());
  const auto rows = static_cast<std::int64_t>(x.size()) / width;
  return apply(LayerNorm{}, {{rows, width, x}, {1, width, gamma}, {1, width, beta}}, rows, width);
}

std::vector<double> rms_norm(const std::vector<double>& x, const std::vector<double>& gamma,
                             double epsilon) {
  const auto width = static_cast<std::int64_t>(gamma.size());
  const auto rows = static_cast<std::int64_t>(x.size()) / width;
  return apply(RmsNorm{epsilon}, {{rows, width, x}, {1, width, gamma}}, rows, width);
}

double activation(ActivationKind kind, double x) {
  return apply(Activation{kind}, {{1, 1, {x}}}, 1, 1).front();
}

double gelu(double x) { return apply(Activation{}, {{1, 1, {x}}}, 1, 1).front(); }

TEST(TransformersFromScratch, CrossEntropyIsInNats) {
  EXPECT_NEAR(app::cross_entropy({0.0465, 0.2514, -0.6639, -0.5434, -0.0025}, 0), 1.4411, 5e-5);
}

TEST(CrossEntropy, SurvivesLargeLogits) {
  EXPECT_DOUBLE_EQ(app::cross_entropy({1e4, -1e4}, 0), 0.0);
  EXPECT_DOUBLE_EQ(app::cross_entropy({1e4, -1e4}, 1), 2e4);
}

TEST(LayerNorm, UsesTheBiasedVariance) {
  const std::vector<double> y = layer_norm({1, 2, 3, 4}, {1, 1, 1, 2}, {0, 0, 0.5, 0});
  const double factor = 1.0 / std::sqrt(1.25 + 1e-5);
  const std::vector<double> expected = {-1.5 * factor, -0.5 * factor, 0.5 * factor + 0.5,
                                        3.0 * factor};
  for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(y[i], expected[i], 1e-14) << i;
}

TEST(LayerNorm, ConstantRowsGiveBeta) {
  const std::vector<double> beta = {0.25, -7.0, 3.0};
  for (const double constant : {0.0, 0.1, -1e9, 1e300})
    EXPECT_EQ(layer_norm({constant, constant, constant}, {1, 2, 3}, beta), beta) << constant;
}

TEST(LayerNorm, ConstantRowsGiveBetaWithoutEpsilon) {
  EXPECT_EQ(apply(LayerNorm{0.0}, {{1, 2, {4, 4}}, {1, 2, {1, 2}}, {1, 2, {0.25, -7.0}}}, 1, 2),
            (std::vector<double>{0.25, -7.0}));
}

TEST(RmsNorm, DividesByTheRootOfTheMeanSquare) {
  const double root = std::sqrt(12.5);
  const std::vector<double> y = rms_norm({3, 4, 0, 0}, {1, -2}, 0.0);
  const std::vector<double> expected = {3 / root, -8 / root, 0, 0};
  for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(y[i], expected[i], 1e-15) << i;
  EXPECT_NEAR(rms_norm({3, 4}, {1, 1}, 3.5)[0], 3 / 4.0, 1e-15);
}

// Printed digits of x Phi(x) and x / (1 + e^-x).
TEST(Activations, OfOneAndMinusOne) {
  EXPECT_NEAR(activation(ActivationKind::kGelu, 1.0), 0.841344746068543, 1e-14);
  EXPECT_NEAR(activation(ActivationKind::kGelu, -1.0), -0.158655253931457, 1e-14);
  EXPECT_NEAR(activation(ActivationKind::kSilu, 1.0), 0.731058578630005, 1e-14);
  EXPECT_NEAR(activation(ActivationKind::kSilu, -1.0), -0.268941421369995, 1e-14);
  EXPECT_EQ(activation(ActivationKind::kRelu, 3.0), 3.0);
  EXPECT_EQ(activation(ActivationKind::kRelu, -3.0), 0.0);
  for (const ActivationKind kind : {ActivationKind::kGelu, ActivationKind::kGeluTanh,
                                    ActivationKind::kRelu, ActivationKind::kSilu}) {
    EXPECT_EQ(activation(kind, -1e30), 0.0);
    EXPECT_EQ(activation(kind, 1e30), 1e30);
  }
}

TEST(Multiply, ByElement) {
  EXPECT_EQ(apply(Multiply{}, {{1, 3, {1, 2, 3}}, {1, 3, {4, -5, 0}}}, 1, 3),
            (std::vector<double>{4, -10, 0}));
}

/// Row 1 of width 4 is turned by 1 and by theta^(-1/2) = 0.01 radians.
TEST(Rotary, TurnsPairsByTheirPosition) {
  const double c = std::cos(1.0), s = std::sin(1.0), d = std::cos(0.01), t = std::sin(0.01);
  const Given x = {2, 4, {9, 8, 7, 6, 1, 2, 3, 4}};
  const auto turned = [&](RotaryLayout layout) {
    Rotary op;
    op.layout = layout;
    return apply(op, {x}, 2, 4);
  };
  const std::vector<double> half = {9, 8, 7, 6, c - 3 * s, 2 * d - 4 * t, s + 3 * c, 2 * t + 4 * d};
  const std::vector<double> interleaved = {
      9, 8, 7, 6, c - 2 * s, s + 2 * c, 3 * d - 4 * t, 3 * t + 4 * d};
  const std::vector<double> found_half = turned(RotaryLayout::kHalf);
  const std::vector<double> found_interleaved = turned(RotaryLayout::kInterleaved);
  for (std::size_t i = 0; i < 8; ++i) {
    EXPECT_NEAR(found_half[i], half[i], 1e-14) << i;
    EXPECT_NEAR(found_interleaved[i], interleaved[i], 1e-14) << i;
  }
}

// Positions count from 0 in every head and entry of a batch, however these lie.
TEST(Rotary, TurnsEveryInstanceAlike) {
  const std::vector<double> one = {1, 2, 3, 4};  // Two rows of one instance.
  Rotary alone;
  const std::vector<double> expected = apply(alone, {{2, 2, one}}, 2, 2);
  Rotary stacked;
  stacked.heads = {1, 2, 2, false};
  EXPECT_EQ(apply(stacked, {{4, 2, {1, 2, 3, 4, 1, 2, 3, 4}}}, 4, 2),
            (std::vector<double>{expected[0], expected[1], expected[2], expected[3], expected[0],
                                 expected[1], expected[2], expected[3]}));
  Rotary columns;
  columns.heads = {1, 2, 2, true};
  EXPECT_EQ(apply(columns, {{2, 4, {1, 2, 1, 2, 3, 4, 3, 4}}}, 2, 4),
            (std::vector<double>{expected[0], expected[1], expected[0], expected[1], expected[2],
                                 expected[3], expected[2], expected[3]}));
  EXPECT_THROW(apply(Rotary{}, {{1, 3, {1, 2, 3}}}, 1, 3), InputError);
}

TEST(Gelu, TanhForm) {
  EXPECT_EQ(gelu(0.0), 0.0);
  EXPECT_NEAR(gelu(1.0), 0.841191990608276, 1e-12);
  EXPECT_NEAR(gelu(-1.0), -0.158808009391724, 1e-12);
  EXPECT_DOUBLE_EQ(gelu(50.0), 50.0);
}

const Given kTable = {3, 2, {1, -1, 2, 0, 0, 5}};
const Given kPositions = {4, 2, {0, 0, 1, 0, 0, 1, 0, 0}};

TEST(Embedding, AddsEarlierTokensInsideTheWindowOnly) {
  const Given earlier = {3, 2, {10, 0, 0, 20, 0, 0}};
  // (1,-1), (2,0)+(1,0)+(10,0), (0,5)+(0,1)+(0,20).
  EXPECT_EQ(apply(Embedding{}, {{1, 3, {0, 1, 2}}, kTable, kPositions, earlier}, 3, 2),
            (std::vector<double>{1, -1, 13, 0, 0, 26}));
}

TEST(Embedding, CountsPositionsFromTheStartOfEveryEntryOfABatch) {
  const Given earlier = {3, 2, {10, 0, 0, 20, 0, 0}};
  EXPECT_EQ(apply(Embedding{}, {{2, 1, {0, 1}}, kTable, kPositions, earlier}, 2, 2),
            (std::vector<double>{1, -1, 2, 0}));
}

TEST(Linear, AddsItsBiasAndReadsATransposedMatrix) {
  const Given x = {2, 2, {1, 2, 3, 4}}, bias = {1, 3, {0.5, 0, -1}};
  const Given w = {2, 3, {1, 0, 2, 0, 1, 1}}, transposed = {3, 2, {1, 0, 0, 1, 2, 1}};
  const std::vector<double> expected = {1.5, 2, 3, 3.5, 4, 9};
  EXPECT_EQ(apply(Linear{}, {x, w, bias}, 2, 3), expected);
  Linear tied;
  tied.transposed = true;
  EXPECT_EQ(apply(tied, {x, transposed, bias}, 2, 3), expected);
}

// x + f(x) with f the activation: a replaced f(x) enters the sum, and nothing else
// is evaluated again.
TEST(Evaluate, ReplacedValuesEnterTheStream) {
  Graph graph;
  const TensorId x = graph.add({"x", 1, 2, Role::kInput, Format::kSums32});
  const TensorId f = graph.add({"f", 1, 2, Role::kValue, Format::kSums32});
  const TensorId y = graph.add({"y", 1, 2, Role::kOutput, Format::kSums32});
  graph.nodes = {{"activation", "", Activation{}, {x}, {f}}, {"add", "", Add{}, {x, f}, {y}}};
  Values values = evaluate(graph, {{1.0, 50.0}});
  EXPECT_DOUBLE_EQ(values[2][1], 100.0);
  values[1] = {3.0, 0.0};
  forget_dependents(graph, f, values);
  EXPECT_TRUE(values[2].empty());
  EXPECT_EQ(evaluate(graph, values)[2], (std::vector<double>{4.0, 50.0}));
}

TEST(NextTokenLosses, PredictEveryTokenButTheFirst) {
  const std::vector<double> logits = {1, 2, 3, 0, 0, 0};
  const std::vector<double> losses = app::next_token_losses(logits, {0, 1});
  ASSERT_EQ(losses.size(), 1U);
  EXPECT_DOUBLE_EQ(losses[0], app::cross_entropy({1, 2, 3}, 1));
  EXPECT_DOUBLE_EQ(app::mean_loss(losses), losses[0]);
  EXPECT_THROW(app::mean_loss({}), InvariantError) << "the mean of nothing is no number";
}

}  // namespace
}  // namespace quadrille::model
