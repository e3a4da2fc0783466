#include "app/networks/gpt2.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "app/config/choices.h"
#include "app/files/hash.h"
#include "app/files/suggest.h"
#include "app/networks/attention_layer.h"
#include "model/errors.h"

namespace quadrille::app {
namespace {

using model::Format;
using model::Role;
using model::TensorId;

/// A checkpoint's tensors, by their names without the prefix.
class Checkpoint {
 public:
  explicit Checkpoint(const SafetensorsFile& file) : file_(file) {
    if (file.has("transformer.wte.weight")) prefix_ = "transformer.";
  }

  bool has(const std::string& name) const { return file_.has(prefix_ + name); }
  /// One more than the largest N of the tensors "START N.…": a block or table of which
  /// anything is there counts, so that what it lacks is missed and not the whole of it.
  int count(const std::string& start) const {
    int most = 0;
    for (const std::string& name : file_.names()) {
      if (name.compare(0, prefix_.size() + start.size(), prefix_ + start) != 0) continue;
      const char* digits = name.data() + prefix_.size() + start.size();
      int number = 0;
      const auto [end, error] = std::from_chars(digits, name.data() + name.size(), number);
      if (error == std::errc() && end != digits && *end == '.' && number < kMostBlocks)
        most = std::max(most, number + 1);
    }
    return most;
  }
  std::int64_t side(const std::string& name, std::size_t axis) const {
    return file_.info(prefix_ + name).shape[axis];
  }
  std::vector<double> read(const std::string& name, const Shape& expected) const {
    return read_as(prefix_ + name, expected);
  }
  /// The output layer, which stands beside the rest and has no prefix. Hugging Face's
  /// files leave it out where it is the token embedding.
  bool has_head() const { return file_.has(kHead); }
  std::vector<double> read_head(const Shape& expected) const { return read_as(kHead, expected); }
  /// A tensor that nobody has read is one that the network should have used.
  void refuse_unread() const {
    for (const std::string& name : file_.names()) {
      if (read_.count(name) != 0 || is_mask(name)) continue;
      throw InputError(file_.path(), "tensor " + in_quotes(name),
                       "this network has no use for it, expected only the tensors of GPT-2, "
                       "wte_shift.N.weight and lm_head.weight" +
                           did_you_mean(name, {read_.begin(), read_.end()}));
    }
  }
  [[noreturn]] void fail(const std::string& name, const std::string& expectation) const {
    throw InputError(file_.path(), "tensor " + in_quotes(prefix_ + name), expectation);
  }
  void require_zero(const std::string& name, const Shape& expected) const {
    if (!has(name)) return;
    const std::vector<double> values = read(name, expected);
    if (std::any_of(values.begin(), values.end(), [](double v) { return v != 0.0; }))
      fail(name, "expected zeros: the chip's attention projections have no bias");
  }

 private:
  static constexpr const char* kHead = "lm_head.weight";
  static constexpr int kMostBlocks = 10000;

  std::vector<double> read_as(const std::string& name, const Shape& expected) const {
    read_.insert(name);
    file_.require_shape(name, expected);
    return file_.read_f64(name);
  }
  /// Buffers of the causal mask, which older files carry: constants, no parameters.
  static bool is_mask(const std::string& name) {
    const auto ends = [&](const std::string& end) {
      return name.size() >= end.size() &&
             name.compare(name.size() - end.size(), end.size(), end) == 0;
    };
    return ends(".attn.bias") || ends(".attn.masked_bias");
  }

  const SafetensorsFile& file_;
  std::string prefix_;
  mutable std::set<std::string> read_;
};

/// Builds the network's graph and its values at once: a tensor of the checkpoint
/// is a weight of the graph under the same name.
class Network {
 public:
  Network(const std::string& path, const AttentionLayerWorkload& layer,
          const Checkpoint& checkpoint)
      : layer_(layer), checkpoint_(checkpoint), width_(layer.model_width) {
    graph_.name = "gpt2";
    graph_.source = path;
  }

  TensorId embed() {
    ids_ = add("input_ids", 1, layer_.tokens, Role::kInput, {});
    std::vector<TensorId> inputs = {ids_, weight("wte.weight", {-1, width_}),
                                    weight("wpe.weight", {-1, width_})};
    for (int j = 1; j < checkpoint_.count("wte_shift."); ++j) {
      inputs.push_back(weight(fmt::format("wte_shift.{}.weight", j),
                              {checkpoint_.side("wte.weight", 0), width_}));
    }
    return node("embedding", model::Embedding{}, std::move(inputs), width_);
  }

  TensorId block(const std::string& name, TensorId x) {
    const TensorId normed = norm(name + "ln_1", x);
    const TensorId attention = attend(name + "attn.", normed);
    x = node(name + "add_1", model::Add{}, {x, attention}, width_);
    const TensorId hidden = linear(name + "mlp.c_fc", norm(name + "ln_2", x), {width_, -1});
    const std::int64_t wide = graph_.tensor(hidden).columns;
    const TensorId active = node(name + "mlp.act", model::Activation{}, {hidden}, wide);
    const TensorId out = linear(name + "mlp.c_proj", active, {wide, width_});
    return node(name + "add_2", model::Add{}, {x, out}, width_);
  }

  TensorId head(TensorId x) {
    model::Linear output;
    output.transposed = true;
    TensorId weights = graph_.find("wte.weight");
    const std::int64_t vocabulary = graph_.tensor(weights).rows;
    if (checkpoint_.has_head()) {
      weights = add("lm_head.weight", vocabulary, width_, Role::kWeight,
                    checkpoint_.read_head({vocabulary, width_}));
    }
    return node("logits", output, {norm("ln_f", x), weights}, vocabulary);
  }

  model::Graph& graph() { return graph_; }
  model::Values& values() { return values_; }
  void set_tokens(const std::vector<int>& tokens) {
    values_[static_cast<std::size_t>(ids_)].assign(tokens.begin(), tokens.end());
  }

 private:
  TensorId add(const std::string& name, std::int64_t rows, std::int64_t columns, Role role,
               std::vector<double> values) {
    values_.push_back(std::move(values));
    return graph_.add({name, rows, columns, role, Format::kSums32});
  }
  TensorId weight(const std::string& name, const Shape& expected) {
    std::vector<double> values = checkpoint_.read(name, expected);
    const bool vector = expected.size() == 1;
    const std::int64_t rows = vector ? 1 : checkpoint_.side(name, 0);
    return add(name, rows, checkpoint_.side(name, vector ? 0 : 1), Role::kWeight,
               std::move(values));
  }
  TensorId node(const std::string& name, model::Operator op, std::vector<TensorId> inputs,
                std::int64_t columns) {
    const TensorId out = add(name, layer_.tokens, columns, Role::kValue, {});
    graph_.nodes.push_back({name, name, std::move(op), std::move(inputs), {out}});
    return out;
  }
  TensorId norm(const std::string& name, TensorId x) {
    return node(name, model::LayerNorm{},
                {x, weight(name + ".weight", {width_}), weight(name + ".bias", {width_})}, width_);
  }
  TensorId linear(const std::string& name, TensorId x, const Shape& shape) {
    const TensorId w = weight(name + ".weight", shape);
    const std::int64_t columns = graph_.tensor(w).columns;
    return node(name, model::Linear{}, {x, w, weight(name + ".bias", {columns})}, columns);
  }

  /// The layer's own nodes, with weights cut out of the checkpoint's.
  TensorId attend(const std::string& prefix, TensorId x) {
    const std::vector<double> qkv =
        checkpoint_.read(prefix + "c_attn.weight", {width_, 3 * width_});
    checkpoint_.require_zero(prefix + "c_attn.bias", {3 * width_});
    const auto width = static_cast<std::size_t>(width_);
    const auto cut = [&](std::size_t part) {
      return columns_of(qkv, 3 * width, part * width, width);
    };
    std::map<std::string, std::vector<double>> numbers = {
        {"WQ", cut(0)}, {"WK", cut(1)}, {"WV", cut(2)}};
    numbers["WO"] = checkpoint_.read(prefix + "c_proj.weight", {width_, width_});
    checkpoint_.require_zero(prefix + "c_proj.bias", {width_});
    LayerConstants constants;
    if (layer_.mechanism == Mechanism::kDamf) {
      for (const auto& triple : fuse_heads(numbers["WQ"], numbers["WK"], layer_)) {
        numbers["u"].insert(numbers["u"].end(), triple.u.begin(), triple.u.end());
        numbers["v"].insert(numbers["v"].end(), triple.v.begin(), triple.v.end());
        constants.sigma.push_back(triple.sigma);
      }
    }
    const TensorId out = add_attention_layer(graph_, layer_, constants, prefix, x);
    for (std::size_t i = values_.size(); i < graph_.tensors.size(); ++i)
      values_.push_back(std::move(numbers[graph_.tensors[i].name.substr(prefix.size())]));
    return out;
  }

  const AttentionLayerWorkload& layer_;
  const Checkpoint& checkpoint_;
  std::int64_t width_;
  model::Graph graph_;
  model::Values values_;
  TensorId ids_ = model::kAbsent;
};

void require_metadata(const SafetensorsFile& file, const std::string& key,
                      const std::string& stated) {
  const auto found = file.metadata().find(key);
  if (found == file.metadata().end() || found->second == stated) return;
  throw InputError(file.path(), "metadata key " + in_quotes(key),
                   fmt::format("the checkpoint was trained with {}, the workload says {}",
                               in_quotes(found->second), stated));
}

void require_same_model(const SafetensorsFile& file, const AttentionLayerWorkload& layer) {
  const std::int64_t inner = std::int64_t{layer.heads} * layer.head_width;
  if (inner != layer.model_width) {
    throw InputError(
        file.path(), "model",
        fmt::format("heads times head_width is {}, expected the workload's model_width {}", inner,
                    layer.model_width));
  }
  require_metadata(file, "n_head", std::to_string(layer.heads));
  require_metadata(file, "attention", word_of(kMechanismChoices, layer.mechanism));
  if (layer.mechanism == Mechanism::kDamf) {
    require_metadata(file, "damf.amax", word_of(kMaximumChoices, layer.damf.maximum));
    require_metadata(file, "damf.sigma", word_of(kSigmaChoices, layer.damf.keep_sigma));
  }
}

std::vector<int> read_tokens(const TrainedData& data, int length, std::int64_t vocabulary) {
  const std::string text = read_bytes(data.text);
  const std::int64_t available = static_cast<std::int64_t>(text.size()) - data.offset_bytes;
  if (available < length) {
    throw InputError(data.text, fmt::format("offset {}", data.offset_bytes),
                     fmt::format("{} bytes to the end of the text, expected at least {}",
                                 std::max<std::int64_t>(available, 0), length));
  }
  std::vector<int> tokens;
  for (std::int64_t i = 0; i < length; ++i) {
    const int token =
        static_cast<unsigned char>(text[static_cast<std::size_t>(data.offset_bytes + i)]);
    if (token >= vocabulary) {
      throw InputError(
          data.text, fmt::format("byte {}", data.offset_bytes + i),
          fmt::format("token {}, expected below the model's vocabulary of {}", token, vocabulary));
    }
    tokens.push_back(token);
  }
  return tokens;
}

/// The layer alone, with the values that the network's evaluation left.
Task layer_of(const LanguageContext& context, const std::string& path,
              const AttentionLayerWorkload& layer, const std::string& prefix) {
  const model::Graph& whole = context.graph;
  const auto node = std::find_if(whole.nodes.begin(), whole.nodes.end(), [&](const auto& made) {
    return made.name == prefix + "attention";
  });
  LayerConstants constants;
  if (const auto* damf = std::get_if<model::DamfAttention>(&node->op))
    constants.sigma = damf->sigma;
  Task task = layer_without_values(path, layer, constants);
  for (const model::Tensor& tensor : task.graph.tensors) {
    task.values.emplace_back();
    if (tensor.role != Role::kInput && tensor.role != Role::kWeight) continue;
    const TensorId found = tensor.name == "X"
                               ? whole.find(prefix.substr(0, prefix.size() - 5) + "ln_1")
                               : whole.find(prefix + tensor.name);
    task.values.back() = context.values[static_cast<std::size_t>(found)];
  }
  return task;
}

}  // namespace

Task gpt2_attention_task(const std::string& path, const AttentionLayerWorkload& layer,
                         const TrainedData& data) {
  if (layer.batch != 1 || layer.cross() || layer.key_heads != layer.heads ||
      layer.relative_positions || layer.sinkhorn.warm_start) {
    throw InputError(path, "data.source",
                     "model, expected with batch 1 and without key_tokens, key_heads, relative "
                     "positions and a warm start: such a checkpoint has none");
  }
  const SafetensorsFile file = SafetensorsFile::open(data.checkpoint);
  require_same_model(file, layer);
  const Checkpoint checkpoint(file);
  Network network(path, layer, checkpoint);
  TensorId x = network.embed();
  const int blocks = checkpoint.count("h.");
  if (blocks == 0) checkpoint.fail("h.0.ln_1.weight", "missing, expected at least one block");
  for (int block = 0; block < blocks; ++block) x = network.block(fmt::format("h.{}.", block), x);
  const TensorId logits = network.head(x);
  if (data.layer >= blocks) {
    throw InputError(path, "data.layer",
                     fmt::format("{}, expected 0..{} for this checkpoint", data.layer, blocks - 1));
  }
  checkpoint.refuse_unread();
  const std::int64_t positions = checkpoint.side("wpe.weight", 0);
  const auto require_count = [&](const char* key, std::int64_t found) {
    const auto stated = file.metadata().find(key);
    if (stated == file.metadata().end() || stated->second == std::to_string(found)) return;
    throw InputError(file.path(), "metadata key " + in_quotes(key),
                     fmt::format("{}, but the tensors say {}: expected both alike",
                                 in_quotes(stated->second), found));
  };
  require_count("n_layer", blocks);
  require_count("n_embd", layer.model_width);
  require_count("n_ctx", positions);
  require_count("n_positions", positions);
  require_count("vocab_size", checkpoint.side("wte.weight", 0));
  // The token's own embedding counts among the shifts; a model without any has 0 or 1.
  if (const int shifts = checkpoint.count("wte_shift."); shifts > 0)
    require_count("n_shift", shifts);
  else if (const auto stated = file.metadata().find("n_shift");
           stated != file.metadata().end() && stated->second != "0")
    require_count("n_shift", 1);
  if (layer.tokens > positions) {
    throw InputError(path, "tokens",
                     fmt::format("{}, expected at most the checkpoint's context of {}",
                                 layer.tokens, positions));
  }
  LanguageContext context;
  context.tokens = read_tokens(data, layer.tokens, checkpoint.side("wte.weight", 0));
  network.set_tokens(context.tokens);
  context.graph = std::move(network.graph());
  model::check(context.graph);
  context.values = model::evaluate(context.graph, std::move(network.values()));
  const std::string prefix = fmt::format("h.{}.attn.", data.layer);
  context.replaced = context.graph.find(prefix + "out");
  context.logits = logits;
  if (layer.tokens > 1) {
    context.float_loss = mean_loss(
        next_token_losses(context.values[static_cast<std::size_t>(logits)], context.tokens));
  }

  Task task = layer_of(context, path, layer, prefix);
  task.files = {{"checkpoint", data.checkpoint}, {"text", data.text}};
  task.context = std::move(context);
  return task;
}

}  // namespace quadrille::app
