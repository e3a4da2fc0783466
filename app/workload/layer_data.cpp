#include "app/workload/layer_data.h"

#include <fmt/format.h>

#include <cmath>

#include "app/files/hash.h"
#include "app/files/safetensors.h"
#include "app/workload/checkpoint.h"
#include "app/workload/random_data.h"
#include "model/errors.h"

namespace quadrille::app {
namespace {

std::vector<int> read_tokens(const TrainedData& trained, std::int64_t length,
                             const model::LanguageModel& model) {
  const std::string text = read_bytes(trained.text);
  const auto available = static_cast<std::int64_t>(text.size()) - trained.offset_bytes;
  if (available < length) {
    throw InputError(trained.text, fmt::format("offset {}", trained.offset_bytes),
                     fmt::format("{} bytes to the end of the text, expected at least {}",
                                 std::max<std::int64_t>(available, 0), length));
  }
  std::vector<int> tokens;
  for (std::int64_t i = 0; i < length; ++i) {
    const int token =
        static_cast<unsigned char>(text[static_cast<std::size_t>(trained.offset_bytes + i)]);
    if (token >= model.vocabulary) {
      throw InputError(trained.text, fmt::format("byte {}", trained.offset_bytes + i),
                       fmt::format("token {}, expected below the model's vocabulary of {}", token,
                                   model.vocabulary));
    }
    tokens.push_back(token);
  }
  return tokens;
}

LayerData from_model(const std::string& path, const model::AttentionShape& shape,
                     const TrainedData& trained) {
  const SafetensorsFile file = SafetensorsFile::open(trained.checkpoint);
  ModelContext context;
  context.language_model = read_checkpoint(file, shape);
  const model::LanguageModel& model = context.language_model;
  const auto index = static_cast<std::size_t>(trained.layer);
  if (index >= model.blocks.size()) {
    throw InputError(path, "data.layer",
                     fmt::format("{}, expected 0..{} for this checkpoint", trained.layer,
                                 model.blocks.size() - 1));
  }
  if (shape.tokens > model.context) {
    throw InputError(path, "tokens",
                     fmt::format("{}, expected at most the checkpoint's context of {}",
                                 shape.tokens, model.context));
  }
  context.tokens = read_tokens(trained, shape.tokens, model);
  context.layer = trained.layer;
  model::LanguageModelRun run = run_language_model(model, shape, context.tokens);
  context.float_loss = run.loss;
  LayerData data;
  data.x = std::move(run.attention_inputs[index]);
  data.weights = model.blocks[index].attention;
  data.inputs = {{"checkpoint", trained.checkpoint}, {"text", trained.text}};
  data.context = std::move(context);
  return data;
}

LayerData from_file(const model::AttentionShape& shape, const FileData& given) {
  const SafetensorsFile file = SafetensorsFile::open(given.tensors);
  const auto read = [&](const std::string& name, std::int64_t rows, std::int64_t columns) {
    file.require_shape(name, {rows, columns});
    return file.read_f64(name);
  };
  LayerData data;
  const std::int64_t inner = shape.inner_width();
  data.x = read("X", shape.tokens, shape.model_width);
  data.weights.wq = read("WQ", shape.model_width, inner);
  data.weights.wk = read("WK", shape.model_width, inner);
  data.weights.wv = read("WV", shape.model_width, inner);
  data.weights.wo = read("WO", inner, shape.model_width);
  data.inputs = {{"tensors", given.tensors}};
  return data;
}

LayerData from_seed(const model::AttentionShape& shape, const RandomSource& source) {
  const auto tokens = static_cast<std::size_t>(shape.tokens);
  const auto width = static_cast<std::size_t>(shape.model_width);
  const auto inner = static_cast<std::size_t>(shape.inner_width());
  const double deviation = 1.0 / std::sqrt(static_cast<double>(width));
  RandomData random(source.seed);
  LayerData data;
  data.x = random.normal(tokens * width, 1.0);
  data.weights.wq = random.normal(width * inner, deviation);
  data.weights.wk = random.normal(width * inner, deviation);
  data.weights.wv = random.normal(width * inner, deviation);
  data.weights.wo = random.normal(inner * width, 1.0 / std::sqrt(static_cast<double>(inner)));
  return data;
}

}  // namespace

model::AttentionShape shape_of(const std::string& path, const AttentionLayerWorkload& layer) {
  const auto refuse = [&](bool given, const char* key) {
    if (given) throw InputError(path, key, "layers do not have it yet, expected none");
  };
  refuse(layer.cross(), "key_tokens");
  refuse(layer.key_heads != layer.heads, "key_heads");
  refuse(layer.batch != 1, "batch");
  refuse(layer.relative_positions, "linear.relative_positions");
  refuse(layer.damf_engine != model::DamfEngineChoice::kDamf, "damf.engine");
  refuse(layer.sinkhorn.settings.tolerance > 0.0, "sinkhorn.tolerance");
  refuse(layer.sinkhorn.settings.form != model::SinkhornForm::kScaling, "sinkhorn.form");
  refuse(layer.sinkhorn.epsilon != 1.0, "sinkhorn.epsilon");
  refuse(layer.sinkhorn.warm_start, "sinkhorn.warm_start");
  model::AttentionShape shape;
  shape.tokens = layer.tokens;
  shape.model_width = layer.model_width;
  shape.heads = layer.heads;
  shape.head_width = layer.head_width;
  shape.causal = layer.causal;
  shape.mechanism = layer.mechanism;
  shape.damf = layer.damf;
  shape.sinkhorn = layer.sinkhorn.settings;
  return shape;
}

LayerData load_layer_data(const Workload& workload) {
  const auto& layer = std::get<AttentionLayerWorkload>(workload.what);
  const model::AttentionShape shape = shape_of(workload.path, layer);
  LayerData data;
  if (const auto* trained = std::get_if<TrainedData>(&layer.data)) {
    data = from_model(workload.path, shape, *trained);
  } else if (const auto* file = std::get_if<FileData>(&layer.data)) {
    data = from_file(shape, *file);
  } else {
    data = from_seed(shape, std::get<RandomSource>(layer.data));
  }
  if (shape.mechanism == model::Mechanism::kDamf)
    data.triples = model::fuse_heads(shape, data.weights);
  return data;
}

double loss_with(const ModelContext& context, const model::AttentionShape& shape,
                 const std::vector<double>& out) {
  return run_language_model(context.language_model, shape, context.tokens, {context.layer, out})
      .loss;
}

}  // namespace quadrille::app
