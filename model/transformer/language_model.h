// A GPT-2-shaped language model in double precision: what turns a trained
// checkpoint and a text into the input of one attention layer, and the output
// of that layer, whoever computed it, into a loss.
//
// Shape: token and position embedding, pre-LN blocks x += attention(LN_1(x)),
// x += MLP(LN_2(x)) with the tanh form of GELU, a final LN, and the output
// layer tied to the token embedding. A model may add embeddings of earlier
// tokens: position i gets sum_j earlier[j-1][token[i-j]], j = 1, 2, ...
// The attention projections have no bias.
#pragma once

#include <vector>

#include "model/transformer/attention_layer.h"

namespace quadrille::model {

/// (x - mean) / sqrt(variance + 1e-5) * gamma + beta for each row of x[L, d],
/// with the biased variance. A constant row gives beta.
std::vector<double> layer_norm(const std::vector<double>& x, const std::vector<double>& gamma,
                               const std::vector<double>& beta);

/// x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))), GPT-2's GELU.
double gelu_tanh(double x);

/// -ln softmax(logits)[target], in nats.
double cross_entropy(const std::vector<double>& logits, int target);

struct TransformerBlock {
  std::vector<double> ln_1_gamma, ln_1_beta;
  AttentionWeights attention;
  std::vector<double> ln_2_gamma, ln_2_beta;
  std::vector<double> fc, fc_bias;      ///< [d, f], [f]
  std::vector<double> proj, proj_bias;  ///< [f, d], [d]
};

struct LanguageModel {
  int vocabulary = 0;
  int context = 0;                                     ///< Positions.
  int width = 0;                                       ///< d
  std::vector<double> token_embedding;                 ///< [vocabulary, d]
  std::vector<std::vector<double>> earlier_embedding;  ///< Each [vocabulary, d].
  std::vector<double> position_embedding;              ///< [context, d]
  std::vector<TransformerBlock> blocks;
  std::vector<double> ln_f_gamma, ln_f_beta;
};

/// Takes the place of one block's attention output [L, d].
struct AttentionReplacement {
  int block = -1;  ///< -1: none.
  std::vector<double> out;
};

struct LanguageModelRun {
  std::vector<std::vector<double>> attention_inputs;  ///< LN_1(x) of every block, [L, d].
  std::vector<double> logits;                         ///< [L, vocabulary]
  /// -ln p(token[i+1] | token[0..i]), i = 0 .. L-2, and their mean (0 if L < 2).
  std::vector<double> losses;
  double loss = 0.0;
};

/// `shape` describes every block's attention (tokens is taken from `tokens`).
/// 1 <= tokens.size() <= context, tokens in 0..vocabulary-1.
LanguageModelRun run_language_model(const LanguageModel& model, AttentionShape shape,
                                    const std::vector<int>& tokens,
                                    const AttentionReplacement& replacement = {});

}  // namespace quadrille::model
