// Question: do the float building blocks give the numbers that "Transformers
// from scratch" prints?
#include "model/transformer/language_model.h"

#include <gtest/gtest.h>

#include <cmath>

namespace quadrille::model {
namespace {

void expect_printed(const std::vector<double>& values, const std::vector<double>& printed,
                    double half_digit) {
  ASSERT_EQ(values.size(), printed.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    EXPECT_NEAR(values[i], printed[i], half_digit) << "element " << i;
  }
}

TEST(TransformersFromScratch, CrossEntropyIsInNats) {
  EXPECT_NEAR(cross_entropy({0.0465, 0.2514, -0.6639, -0.5434, -0.0025}, 0), 1.4411, 5e-5);
}

TEST(CrossEntropy, SurvivesLargeLogits) {
  EXPECT_DOUBLE_EQ(cross_entropy({1e4, -1e4}, 0), 0.0);
  EXPECT_DOUBLE_EQ(cross_entropy({1e4, -1e4}, 1), 2e4);
}

TEST(LayerNorm, UsesTheBiasedVariance) {
  const std::vector<double> y = layer_norm({1, 2, 3, 4}, {1, 1, 1, 2}, {0, 0, 0.5, 0});
  const double factor = 1.0 / std::sqrt(1.25 + 1e-5);
  expect_printed(y, {-1.5 * factor, -0.5 * factor, 0.5 * factor + 0.5, 3.0 * factor}, 1e-14);
}

TEST(LayerNorm, ConstantRowsGiveBeta) {
  const std::vector<double> beta = {0.25, -7.0, 3.0};
  for (const double constant : {0.0, 0.1, -1e9, 1e300})
    EXPECT_EQ(layer_norm({constant, constant, constant}, {1, 2, 3}, beta), beta) << constant;
}

TEST(Gelu, TanhForm) {
  EXPECT_EQ(gelu_tanh(0.0), 0.0);
  EXPECT_NEAR(gelu_tanh(1.0), 0.841191990608276, 1e-12);
  EXPECT_NEAR(gelu_tanh(-1.0), -0.158808009391724, 1e-12);
  EXPECT_DOUBLE_EQ(gelu_tanh(50.0), 50.0);
}

// A model of one block small enough to think through: attention and MLP
// weights are zero, so the stream is the embedding alone.
LanguageModel bare_model() {
  LanguageModel model;
  model.vocabulary = 3;
  model.context = 4;
  model.width = 2;
  model.token_embedding = {1, -1, 2, 0, 0, 5};
  model.position_embedding = {0, 0, 1, 0, 0, 1, 0, 0};
  model.ln_f_gamma = {1, 1};
  model.ln_f_beta = {0, 0};
  TransformerBlock block;
  block.ln_1_gamma = block.ln_2_gamma = {1, 1};
  block.ln_1_beta = block.ln_2_beta = {0, 0};
  block.attention.wq = block.attention.wk = block.attention.wv = block.attention.wo = {0, 0, 0, 0};
  block.fc = {0, 0};
  block.fc_bias = {0};
  block.proj = {0, 0};
  block.proj_bias = {0, 0};
  model.blocks = {block};
  return model;
}

AttentionShape bare_shape() {
  AttentionShape shape;
  shape.model_width = 2;
  shape.heads = 1;
  shape.head_width = 2;
  shape.causal = true;
  return shape;
}

TEST(LanguageModelRun, EmbedsEarlierTokensInsideTheWindowOnly) {
  LanguageModel model = bare_model();
  model.earlier_embedding = {{10, 0, 0, 20, 0, 0}};
  const LanguageModelRun run = run_language_model(model, bare_shape(), {0, 1, 2});
  // Rows before LN: (1,-1), (2,0)+(1,0)+(10,0), (0,5)+(0,1)+(0,20).
  const std::vector<double> rows = {1, -1, 13, 0, 0, 26};
  EXPECT_EQ(run.attention_inputs.at(0), layer_norm(rows, {1, 1}, {0, 0}));
}

TEST(LanguageModelRun, ReplacedOutputEntersTheStream) {
  const LanguageModel model = bare_model();
  AttentionReplacement replacement;
  replacement.block = 0;
  replacement.out = {3, 0, 0, 0};
  const LanguageModelRun run = run_language_model(model, bare_shape(), {0, 1}, replacement);
  const std::vector<double> last = layer_norm({4, -1, 3, 0}, {1, 1}, {0, 0});
  EXPECT_DOUBLE_EQ(run.logits[0], last[0] * 1 + last[1] * -1);
  EXPECT_DOUBLE_EQ(run.logits[5], last[2] * 0 + last[3] * 5);
  ASSERT_EQ(run.losses.size(), 1U);
  EXPECT_DOUBLE_EQ(run.loss, cross_entropy({run.logits[0], run.logits[1], run.logits[2]}, 1));
}

}  // namespace
}  // namespace quadrille::model
