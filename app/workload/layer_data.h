// The numbers of one attention layer: drawn from a seed, or taken from a
// trained model reading a text.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "app/config/workload_file.h"
#include "model/transformer/language_model.h"

namespace quadrille::app {

/// What is needed to turn the layer's output into the model's loss.
struct ModelContext {
  model::LanguageModel language_model;
  std::vector<int> tokens;
  int layer = 0;
  double float_loss = 0.0;  ///< Nats per token, every layer at level `float`.
};

struct LayerData {
  std::vector<double> x;  ///< [L, d]
  model::AttentionWeights weights;
  std::vector<model::SingularTriple> triples;  ///< DAMF only.
  std::optional<ModelContext> context;         ///< Trained workloads only.
  std::map<std::string, std::string> inputs;   ///< Role -> path of the files read.
};

/// The part of a layer that today's lowering knows. InputError (file = `path`) for
/// a layer beyond it.
model::AttentionShape shape_of(const std::string& path, const AttentionLayerWorkload& layer);

/// X ~ N(0, 1), W ~ N(0, 1/d) and N(0, 1/(H h)), in the order X WQ WK WV WO.
/// InputError for files that do not fit the workload.
LayerData load_layer_data(const Workload& workload);

/// Loss with the layer's output replaced, nats per token.
double loss_with(const ModelContext& context, const model::AttentionShape& shape,
                 const std::vector<double>& out);

}  // namespace quadrille::app
