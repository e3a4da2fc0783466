#include "app/networks/attention_layer.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>

#include "app/files/suggest.h"
#include "app/networks/gpt2.h"
#include "app/networks/input_tensor.h"
#include "app/networks/operator.h"
#include "app/workload/random_data.h"
#include "model/errors.h"

namespace quadrille::app {
namespace {

using model::Format;
using model::kAbsent;
using model::Role;
using model::TensorId;

bool damped(const AttentionLayerWorkload& layer) {
  return layer.sinkhorn.settings.update == model::SinkhornUpdate::kDamped;
}

/// Adds tensors and nodes of one layer behind a prefix.
class LayerBuilder {
 public:
  LayerBuilder(model::Graph& graph, const AttentionLayerWorkload& layer,
               const LayerConstants& constants, std::string prefix)
      : graph_(graph), layer_(layer), constants_(constants), prefix_(std::move(prefix)) {
    heads_ = {layer.batch, layer.heads, layer.key_heads, true};
    rows_ = std::int64_t{layer.batch} * layer.tokens;
    key_rows_ = std::int64_t{layer.batch} * layer.key_tokens;
    inner_ = std::int64_t{layer.heads} * layer.head_width;
    key_inner_ = std::int64_t{layer.key_heads} * layer.head_width;
  }

  TensorId build(TensorId x) {
    const TensorId attention = layer_.mechanism == Mechanism::kDamf ? damf(x) : of_queries(x);
    const TensorId wo = tensor("WO", inner_, layer_.model_width, Role::kWeight);
    const TensorId out = tensor("out", rows_, layer_.model_width, Role::kOutput, Format::kSums32);
    node("output", model::Linear{}, {attention, wo}, out);
    return out;
  }

 private:
  TensorId tensor(const char* name, std::int64_t rows, std::int64_t columns, Role role,
                  Format format = Format::kCodes8) {
    return graph_.add({prefix_ + name, rows, columns, role, format});
  }
  void node(const char* name, model::Operator op, std::vector<TensorId> inputs, TensorId output) {
    graph_.nodes.push_back(
        {prefix_ + name, "attention", std::move(op), std::move(inputs), {output}});
  }
  TensorId project(const char* name, TensorId x, const char* weight, const char* output,
                   std::int64_t rows, std::int64_t columns) {
    const TensorId w = tensor(weight, layer_.model_width, columns, Role::kWeight);
    const TensorId made = tensor(output, rows, columns, Role::kValue);
    node(name, model::Linear{}, {x, w}, made);
    return made;
  }

  TensorId damf(TensorId x) {
    const TensorId u = tensor("u", layer_.heads, layer_.model_width, Role::kWeight);
    const TensorId v = tensor("v", layer_.heads, layer_.model_width, Role::kWeight);
    const TensorId st =
        tensor("st", heads_.instances(), std::int64_t{2} * layer_.tokens, Role::kValue);
    node("scalars", model::DamfProject{layer_.batch}, {x, u, v}, st);
    const TensorId values = project("value", x, "WV", "V", rows_, inner_);
    const TensorId attention = tensor("attention", rows_, inner_, Role::kValue);
    model::DamfAttention op{heads_, layer_.damf, model::DamfEngineChoice::kDamf, constants_.sigma};
    op.settings.causal = layer_.causal;
    node("attention", std::move(op), {st, values}, attention);
    return attention;
  }

  TensorId of_queries(TensorId x) {
    const TensorId y =
        layer_.cross() ? tensor("Y", key_rows_, layer_.model_width, Role::kInput) : x;
    const TensorId q = project("query", x, "WQ", "Q", rows_, inner_);
    const TensorId k = project("key", y, "WK", "K", key_rows_, key_inner_);
    const TensorId v = project("value", y, "WV", "V", key_rows_, key_inner_);
    const TensorId attention = tensor("attention", rows_, inner_, Role::kValue);
    std::vector<TensorId> inputs = {q, k, v};
    const auto attend = [&](model::Operator op) {
      node("attention", std::move(op), std::move(inputs), attention);
    };
    if (layer_.mechanism == Mechanism::kSoftmax) {
      attend(model::SoftmaxAttention{heads_, layer_.causal, layer_.align, layer_.scale});
    } else if (layer_.mechanism == Mechanism::kSinkhorn) {
      const SinkhornSection& sinkhorn = layer_.sinkhorn;
      add_starts(inputs);
      attend(model::SinkhornAttention{heads_, layer_.causal, sinkhorn.settings, layer_.scale,
                                      sinkhorn.epsilon, sinkhorn.assumed_half_steps});
    } else {
      const model::LinearAttention op{heads_, layer_.causal, layer_.align,
                                      constants_.positions_per_head};
      add_tables(op.tables(), inputs);
      attend(op);
    }
    return attention;
  }

  void add_starts(std::vector<TensorId>& inputs) {
    if (!layer_.sinkhorn.warm_start) return;
    const int instances = heads_.instances();
    inputs.push_back(tensor("g0", instances, layer_.key_tokens, Role::kInput, Format::kSums32));
    if (damped(layer_))
      inputs.push_back(tensor("f0", instances, layer_.tokens, Role::kInput, Format::kSums32));
  }

  void add_tables(std::int64_t tables, std::vector<TensorId>& inputs) {
    const std::int64_t positions = tables * (2 * constants_.horizon + 1);
    inputs.push_back(constants_.horizon < 0
                         ? kAbsent
                         : tensor("RP", positions, layer_.head_width, Role::kWeight));
    inputs.push_back(tensor("tables", 3, 256, Role::kWeight));
  }

  model::Graph& graph_;
  const AttentionLayerWorkload& layer_;
  const LayerConstants& constants_;
  std::string prefix_;
  model::Heads heads_;
  std::int64_t rows_ = 0, key_rows_ = 0, inner_ = 0, key_inner_ = 0;
};

/// Refuses settings that do not go together, by the keys of the workload.
void check_settings(const std::string& path, const AttentionLayerWorkload& layer) {
  const auto refuse = [&](const char* key, const std::string& expectation) {
    throw InputError(path, key, expectation);
  };
  const bool end = layer.causal && layer.align == model::CausalAlign::kEnd;
  if (layer.key_heads > layer.heads) {
    refuse("key_heads",
           fmt::format("{}, expected at most heads = {}", layer.key_heads, layer.heads));
  }
  if (layer.mechanism == Mechanism::kDamf && layer.cross())
    refuse("key_tokens", "expected as many as tokens: damf's scores are of one sequence");
  if (layer.mechanism == Mechanism::kDamf && layer.key_heads != layer.heads)
    refuse("key_heads", "expected as many as heads: damf fuses the weights of a head's pair");
  if (end && layer.tokens > layer.key_tokens) {
    refuse("causal_align", fmt::format("end with {} tokens and {} key tokens, expected no more "
                                       "tokens than key tokens: the first would see no key",
                                       layer.tokens, layer.key_tokens));
  }
  if (layer.mechanism == Mechanism::kSinkhorn && layer.causal &&
      (layer.key_tokens > layer.tokens || (end && layer.cross()))) {
    refuse("causal",
           "true with more key tokens than tokens, expected no more: no row sees the "
           "last ones, and the unit's mask starts with the first key");
  }
  if (layer.mechanism == Mechanism::kLinear && layer.relative_positions && end && layer.cross()) {
    refuse("causal_align",
           "end with more key tokens than tokens and relative positions, expected "
           "start: offsets count from the first key");
  }
}

/// The numbers of a layer by the names of its tensors.
using Numbers = std::map<std::string, std::vector<double>>;

Numbers numbers_from_seed(const AttentionLayerWorkload& layer, std::uint64_t seed,
                          const LayerConstants& constants) {
  const std::int64_t rows = std::int64_t{layer.batch} * layer.tokens;
  const std::int64_t width = layer.model_width;
  const std::int64_t inner = std::int64_t{layer.heads} * layer.head_width;
  const std::int64_t key_inner = std::int64_t{layer.key_heads} * layer.head_width;
  const double deviation = 1.0 / std::sqrt(static_cast<double>(width));
  RandomData random(seed);
  Numbers made;
  const auto draw = [&](const char* name, std::int64_t count, std::int64_t columns, double sigma) {
    made[name] = random.normal(static_cast<std::size_t>(count * columns), sigma);
  };
  const auto draw_positive = [&](const char* name, std::int64_t count) {
    draw(name, layer.heads, count, 1.0);
    for (double& value : made[name]) value = std::exp(value);
  };
  draw("X", rows, width, 1.0);
  draw("WQ", width, inner, deviation);
  draw("WK", width, key_inner, deviation);
  draw("WV", width, key_inner, deviation);
  draw("WO", inner, width, 1.0 / std::sqrt(static_cast<double>(inner)));
  if (layer.cross()) draw("Y", std::int64_t{layer.batch} * layer.key_tokens, width, 1.0);
  if (layer.mechanism == Mechanism::kSinkhorn && layer.sinkhorn.warm_start) {
    draw_positive("c0", layer.key_tokens);
    if (damped(layer)) draw_positive("r0", layer.tokens);
  }
  if (constants.horizon >= 0) {
    const int tables = constants.positions_per_head ? layer.heads : 1;
    draw("RP", std::int64_t{tables} * (2 * constants.horizon + 1), layer.head_width, 1.0);
  }
  return made;
}

/// A bias that the layer does not have, or a name misspelt, must not go unnoticed.
void refuse_unread(const SafetensorsFile& file, const Numbers& read) {
  std::vector<std::string> names;
  for (const auto& entry : read) names.push_back(entry.first);
  for (const std::string& name : file.names()) {
    if (read.count(name) != 0) continue;
    throw InputError(file.path(), "tensor " + in_quotes(name),
                     fmt::format("this layer has none of this name, expected only {}{}",
                                 fmt::join(names, ", "), did_you_mean(name, names)));
  }
}

Numbers numbers_from_file(const AttentionLayerWorkload& layer, const SafetensorsFile& file) {
  const std::int64_t width = layer.model_width;
  const std::int64_t inner = std::int64_t{layer.heads} * layer.head_width;
  const std::int64_t key_inner = std::int64_t{layer.key_heads} * layer.head_width;
  Numbers made;
  const auto read_any = [&](const char* name, const Shape& shape) {
    file.require_shape(name, shape);
    made[name] = file.read_f64(name);
  };
  const auto read = [&](const char* name, const Shape& shape) {
    read_any(name, shape);
    require_usual_magnitude(file.path(), fmt::format("tensor '{}'", name), made[name]);
  };
  const auto read_positive = [&](const char* name, const Shape& shape) {
    read_any(name, shape);
    for (std::size_t i = 0; i < made[name].size(); ++i) {
      if (made[name][i] > 0.0) continue;
      throw InputError(file.path(), fmt::format("tensor '{}'", name),
                       fmt::format("{} at {}, expected scalings above zero", made[name][i],
                                   index_text(static_cast<std::int64_t>(i), shape)));
    }
  };
  read("X", {std::int64_t{layer.batch} * layer.tokens, width});
  read("WQ", {width, inner});
  read("WK", {width, key_inner});
  read("WV", {width, key_inner});
  read("WO", {inner, width});
  if (layer.cross()) read("Y", {std::int64_t{layer.batch} * layer.key_tokens, width});
  if (layer.mechanism == Mechanism::kSinkhorn && layer.sinkhorn.warm_start) {
    read_positive("c0", {layer.heads, layer.key_tokens});
    if (damped(layer) && file.has("r0")) read_positive("r0", {layer.heads, layer.tokens});
  }
  if (layer.relative_positions) read("RP", file.info("RP").shape);
  refuse_unread(file, made);
  return made;
}

/// The tables' form: of a file its header says, otherwise the workload.
LayerConstants constants_of(const AttentionLayerWorkload& layer, const SafetensorsFile* file) {
  LayerConstants constants;
  if (layer.mechanism != Mechanism::kLinear || !layer.relative_positions) return constants;
  constants.horizon = layer.horizon;
  if (file == nullptr) return constants;
  const Shape& shape = file->info("RP").shape;
  constants.positions_per_head = shape.size() == 3;
  file->require_shape("RP", constants.positions_per_head ? Shape{layer.heads, -1, layer.head_width}
                                                         : Shape{-1, layer.head_width});
  const std::int64_t rows = shape[constants.positions_per_head ? 1 : 0];
  if (rows % 2 == 0) {
    throw InputError(
        file->path(), "tensor 'RP'",
        fmt::format("{} rows, expected an odd number: 2k + 1 offsets from -k to k", rows));
  }
  constants.horizon = static_cast<int>((rows - 1) / 2);
  return constants;
}

/// Starting scalings of every instance from those of the heads.
void add_starts(const AttentionLayerWorkload& layer, Numbers& numbers) {
  const model::SinkhornShape shape{layer.batch * layer.heads, layer.tokens, layer.key_tokens,
                                   layer.causal};
  std::vector<double> c0, r0;
  for (int entry = 0; entry < layer.batch; ++entry) {
    c0.insert(c0.end(), numbers["c0"].begin(), numbers["c0"].end());
    r0.insert(r0.end(), numbers["r0"].begin(), numbers["r0"].end());
  }
  complete_starts(shape, damped(layer), c0, r0);
  numbers["g0"] = std::move(c0);
  numbers["f0"] = std::move(r0);
}

/// Replaces the weights of queries and keys by the vectors of DAMF.
void fuse(const AttentionLayerWorkload& layer, Numbers& numbers, LayerConstants& constants) {
  for (const model::SingularTriple& triple : fuse_heads(numbers["WQ"], numbers["WK"], layer)) {
    numbers["u"].insert(numbers["u"].end(), triple.u.begin(), triple.u.end());
    numbers["v"].insert(numbers["v"].end(), triple.v.begin(), triple.v.end());
    constants.sigma.push_back(triple.sigma);
  }
}

/// The workload's scales, of tensors by their names and of s and t as pairs.
void give_scales(const std::string& path, const AttentionLayerWorkload& layer, Task& task) {
  for (const auto& [name, scales] : layer.scales) {
    const TensorId tensor = task.graph.find(name == "s" || name == "t" ? "st" : name);
    if (name == "largest_logit") {
      for (double& largest : task.given.largest_logits) largest = scales.front();
    } else if (tensor == kAbsent) {
      throw InputError(path, "scales." + name, "expected a tensor of this layer");
    } else if (name != "s" && name != "t") {
      task.given.scales[static_cast<std::size_t>(tensor)] = scales;
    }
  }
  const auto s = layer.scales.find("s"), t = layer.scales.find("t");
  if (s == layer.scales.end() && t == layer.scales.end()) return;
  if (s == layer.scales.end() || t == layer.scales.end() || s->second.size() != t->second.size())
    throw InputError(path, "scales", "expected s and t together, one of each per head");
  auto& pairs = task.given.scales[static_cast<std::size_t>(task.graph.find("st"))];
  for (std::size_t head = 0; head < s->second.size(); ++head)
    pairs.insert(pairs.end(), {s->second[head], t->second[head]});
}

}  // namespace

TensorId add_attention_layer(model::Graph& graph, const AttentionLayerWorkload& layer,
                             const LayerConstants& constants, const std::string& prefix,
                             TensorId x) {
  return LayerBuilder(graph, layer, constants, prefix).build(x);
}

Task layer_without_values(const std::string& path, const AttentionLayerWorkload& layer,
                          const LayerConstants& constants) {
  model::Graph graph;
  graph.name = "attention";
  graph.source = path;
  const std::int64_t rows = std::int64_t{layer.batch} * layer.tokens;
  const TensorId x = graph.add({"X", rows, layer.model_width, Role::kInput, Format::kCodes8});
  const TensorId out = add_attention_layer(graph, layer, constants, "", x);
  model::check(graph);
  Task task(std::move(graph));
  task.outputs = {{"out", out, {rows, layer.model_width}, 0, 1}};
  task.judged = "out";
  if (layer.causal && layer.mechanism != Mechanism::kDamf)
    task.metadata["causal_align"] = word_of(kCausalAlignChoices, layer.align);
  give_scales(path, layer, task);
  return task;
}

Task attention_layer_task(const std::string& path, const AttentionLayerWorkload& given, bool data,
                          bool values_follow) {
  check_settings(path, given);
  AttentionLayerWorkload layer = given;
  if (layer.mechanism == Mechanism::kSinkhorn) {
    layer.sinkhorn.assumed_half_steps = assumed_half_steps(
        path, layer.sinkhorn.assumed_half_steps, layer.sinkhorn.settings, data || values_follow);
  }
  const auto* trained = std::get_if<TrainedData>(&layer.data);
  if (trained != nullptr && data) return gpt2_attention_task(path, layer, *trained);
  const auto* from_file = std::get_if<FileData>(&layer.data);
  std::optional<SafetensorsFile> file;
  if (from_file != nullptr && (data || layer.relative_positions))
    file.emplace(SafetensorsFile::open(from_file->tensors));
  LayerConstants constants = constants_of(layer, file ? &*file : nullptr);
  if (!data) return layer_without_values(path, layer, constants);

  Numbers numbers =
      file ? numbers_from_file(layer, *file)
           : numbers_from_seed(layer, std::get<RandomSource>(layer.data).seed, constants);
  if (layer.mechanism == Mechanism::kDamf) fuse(layer, numbers, constants);
  if (layer.mechanism == Mechanism::kSinkhorn && layer.sinkhorn.warm_start)
    add_starts(layer, numbers);
  Task task = layer_without_values(path, layer, constants);
  for (const model::Tensor& tensor : task.graph.tensors)
    task.values.push_back(std::move(numbers[tensor.name]));
  if (file) {
    task.files = {{"tensors", from_file->tensors}};
    task.graph.source = from_file->tensors;  // Whatever is wrong from here on, are its numbers.
  }
  return task;
}

std::vector<model::SingularTriple> fuse_heads(const std::vector<double>& wq,
                                              const std::vector<double>& wk,
                                              const AttentionLayerWorkload& layer) {
  const auto head_width = static_cast<std::size_t>(layer.head_width);
  const std::size_t inner = static_cast<std::size_t>(layer.heads) * head_width;
  std::vector<model::SingularTriple> triples;
  for (std::size_t first = 0; first < inner; first += head_width) {
    triples.push_back(model::leading_singular_triple(columns_of(wq, inner, first, head_width),
                                                     columns_of(wk, inner, first, head_width),
                                                     layer.model_width, layer.head_width));
  }
  return triples;
}

std::vector<double> columns_of(const std::vector<double>& matrix, std::size_t row_width,
                               std::size_t first, std::size_t count) {
  std::vector<double> columns;
  columns.reserve(matrix.size() / row_width * count);
  for (std::size_t row = 0; row < matrix.size(); row += row_width) {
    const auto begin = matrix.begin() + static_cast<std::ptrdiff_t>(row + first);
    columns.insert(columns.end(), begin, begin + static_cast<std::ptrdiff_t>(count));
  }
  return columns;
}

}  // namespace quadrille::app
