#include "app/config/workload_file.h"

#include <cmath>
#include <filesystem>
#include <limits>

#include "app/config/choices.h"
#include "app/experiments/experiment.h"
#include "app/networks/operator.h"
#include "model/errors.h"

namespace quadrille::app {
namespace {

// Sides of a tensor, and elements of one: what a run can hold in memory.
constexpr std::int64_t kLargestSide = 1 << 20;
constexpr std::int64_t kLargestTensor = std::int64_t{1} << 31;
constexpr int kLargestHalfSteps = 1000000;

template <typename Value>
Value choose(const YamlNode& node, const std::string& key, const Choices<Value>& choices) {
  return value_of(choices, node.text(key, words(choices), choices.front().first));
}

model::DamfSettings read_damf(const YamlNode& node) {
  model::DamfSettings damf;
  damf.mode = choose(node, "mode", kDamfModeChoices);
  damf.rounding = choose(node, "rounding", kRoundingChoices);
  damf.maximum = choose(node, "amax", kMaximumChoices);
  damf.negative = choose(node, "negative", kNegativeChoices);
  damf.keep_sigma = choose(node, "sigma", kSigmaChoices);
  damf.shift_order = choose(node, "shift_order", kShiftOrderChoices);
  damf.guard_bits = static_cast<int>(node.integer("guard_bits", 0, 16, damf.guard_bits));
  return damf;
}

int side(const YamlNode& node, const char* key) {
  return static_cast<int>(node.integer(key, 1, kLargestSide));
}

int side(const YamlNode& node, const char* key, int standard) {
  return static_cast<int>(node.integer(key, 1, kLargestSide, standard));
}

SinkhornSection read_sinkhorn(const YamlNode& node) {
  SinkhornSection section;
  model::SinkhornSettings& settings = section.settings;
  settings.half_steps =
      static_cast<int>(node.integer("iterations", 1, kLargestHalfSteps, settings.half_steps));
  settings.tolerance = node.number("tolerance", 0.0, 1e30, settings.tolerance);
  settings.update = choose(node, "update", kSinkhornUpdateChoices);
  settings.form = choose(node, "form", kSinkhornFormChoices);
  if (choose(node, "hold", kSinkhornHoldChoices) &&
      settings.form == model::SinkhornForm::kScaling) {
    settings.form = model::SinkhornForm::kKernel;
  }
  section.epsilon = node.number("epsilon", 1e-30, 1e30, section.epsilon);
  section.warm_start = node.boolean("warm_start", false);
  section.assumed_half_steps =
      static_cast<int>(node.integer("assumed_half_steps", 1, kLargestHalfSteps, 0));
  const bool held = settings.form != model::SinkhornForm::kScaling;
  if (section.assumed_half_steps > 0 && settings.tolerance == 0.0)
    node.child("assumed_half_steps").fail("expected with a tolerance only");
  if (section.assumed_half_steps > settings.half_steps)
    node.child("assumed_half_steps").fail("expected at most iterations");
  if (held && settings.update == model::SinkhornUpdate::kDamped)
    node.child("update").fail("expected damped with form: scaling and hold: logits only");
  if (held && section.warm_start)
    node.child("warm_start").fail("expected with form: scaling and hold: logits only");
  return section;
}

void read_damf(const YamlNode& node, AttentionLayerWorkload& layer) {
  layer.damf = read_damf(node);
  layer.damf_engine = choose(node, "engine", kDamfEngineChoices);
  if (layer.damf_engine == model::DamfEngineChoice::kLinear &&
      (layer.damf.mode != model::DamfMode::kCollapsed ||
       layer.damf.negative != model::DamfNegative::kSigned)) {
    node.child("engine").fail("expected linear with mode: collapsed and negative: signed only");
  }
}

/// The section of the layer's mechanism; those of others stay unread, and so unknown.
void read_mechanism(const YamlNode& root, AttentionLayerWorkload& layer) {
  layer.scale = 1.0 / std::sqrt(static_cast<double>(layer.head_width));
  layer.damf.causal = layer.causal;
  const auto section = root.optional_child(word_of(kMechanismChoices, layer.mechanism));
  if (!section) return;
  switch (layer.mechanism) {
    case Mechanism::kSoftmax:
      layer.scale = section->number("scale", 1e-30, 1e30, layer.scale);
      return;
    case Mechanism::kDamf:
      read_damf(*section, layer);
      layer.damf.causal = layer.causal;
      return;
    case Mechanism::kSinkhorn:
      layer.scale = section->number("scale", 1e-30, 1e30, layer.scale);
      layer.sinkhorn = read_sinkhorn(*section);
      return;
    case Mechanism::kLinear:
      layer.relative_positions = section->boolean("relative_positions", false);
      return;
  }
}

void check_size(const YamlNode& root, const AttentionLayerWorkload& layer) {
  const std::int64_t inner = std::int64_t{layer.heads} * layer.head_width;
  const std::int64_t widest = std::max<std::int64_t>(inner, layer.model_width);
  const std::int64_t rows =
      std::int64_t{layer.batch} * std::max<std::int64_t>(layer.tokens, layer.key_tokens);
  const std::int64_t tallest = std::max<std::int64_t>(rows, layer.model_width);
  if (inner > kLargestSide || rows > kLargestSide || widest * tallest > kLargestTensor)
    root.fail("expected a layer whose tensors have at most 2^31 elements");
}

AttentionLayerWorkload read_layer(const YamlNode& root) {
  AttentionLayerWorkload layer;
  layer.mechanism = value_of(kMechanismChoices, root.text("mechanism", words(kMechanismChoices)));
  layer.batch = side(root, "batch", 1);
  layer.tokens = side(root, "tokens");
  layer.key_tokens = side(root, "key_tokens", layer.tokens);
  layer.model_width = side(root, "model_width");
  layer.heads = side(root, "heads");
  layer.key_heads = static_cast<int>(root.integer("key_heads", 1, layer.heads, layer.heads));
  layer.head_width = side(root, "head_width");
  layer.causal = root.boolean("causal", false);
  layer.align = choose(root, "causal_align", kCausalAlignChoices);
  check_size(root, layer);
  if (layer.mechanism == Mechanism::kDamf && (layer.cross() || layer.key_heads != layer.heads)) {
    root.child(layer.cross() ? "key_tokens" : "key_heads")
        .fail("expected none with DAMF, which squares one input's heads");
  }
  read_mechanism(root, layer);
  return layer;
}

DataSource read_data(const YamlNode& node, bool layer) {
  const std::string folder = std::filesystem::path(node.file()).parent_path().string();
  const auto path = [&](const char* key) {
    return (std::filesystem::path(folder) / node.text(key)).lexically_normal().string();
  };
  std::vector<std::string> sources = {"random", "file"};
  if (layer) sources.insert(sources.begin() + 1, "model");
  const std::string source = node.text("source", sources, "random");
  if (source == "file") return FileData{path("tensors")};
  if (source == "random") {
    RandomSource random;
    random.seed = static_cast<std::uint64_t>(
        node.integer("seed", 0, std::numeric_limits<std::int64_t>::max(), 1));
    if (!layer) random.deviation = node.number("deviation", 1e-12, 1e12, 1.0);
    return random;
  }
  TrainedData trained;
  trained.checkpoint = path("checkpoint");
  trained.layer = static_cast<int>(node.integer("layer", 0, 1000));
  trained.text = path("text");
  trained.offset_bytes =
      node.integer("offset_bytes", 0, std::numeric_limits<std::int64_t>::max(), 0);
  return trained;
}

/// A file's tables say how far they reach; random ones must be told.
void read_horizon(const YamlNode& root, AttentionLayerWorkload& layer) {
  if (!layer.relative_positions) return;
  const YamlNode section = root.child("linear");
  if (std::holds_alternative<RandomSource>(layer.data)) {
    layer.horizon = static_cast<int>(section.integer("horizon", 0, kLargestSide));
  } else if (section.has("horizon")) {
    section.child("horizon").fail("expected none, since the file's tables have it");
  }
}

using Scales = std::map<std::string, std::vector<double>>;

/// A number, or as many as there are heads.
std::vector<double> read_scale(const YamlNode& node, const std::string& key, int heads) {
  std::vector<double> values;
  const YamlNode child = node.child(key);
  if (heads == 0) return {child.as_number(1e-30, 1e30)};
  for (const YamlNode& item : child.items()) values.push_back(item.as_number(1e-30, 1e30));
  if (values.size() != static_cast<std::size_t>(heads)) {
    child.fail("expected " + std::to_string(heads) + " scales, one per head, found " +
               std::to_string(values.size()));
  }
  return values;
}

Scales read_scales(const YamlNode& node, const AttentionLayerWorkload& layer) {
  Scales scales;
  std::vector<std::string> names = {"X", "WV", "WO", "V", "attention"};
  if (layer.cross()) names.emplace_back("Y");
  if (layer.mechanism == Mechanism::kDamf) {
    for (const char* name : {"u", "v", "s", "t"})
      scales[name] = read_scale(node, name, layer.heads);
  } else {
    names.insert(names.end(), {"WQ", "WK", "Q", "K"});
  }
  if (layer.mechanism == Mechanism::kSinkhorn) names.emplace_back("largest_logit");
  if (layer.relative_positions) names.emplace_back("RP");
  for (const std::string& name : names) scales[name] = read_scale(node, name, 0);
  return scales;
}

Shape read_tensor_shape(const YamlNode& node) {
  Shape shape;
  std::int64_t elements = 1;
  for (const YamlNode& item : node.items()) {
    shape.push_back(item.as_integer(1, kLargestSide));
    elements *= shape.back();
    if (elements > kLargestTensor) node.fail("expected a tensor of at most 2^31 elements");
  }
  return shape;
}

/// Shapes come with random data, and from the file with a file's.
OperatorWorkload read_operator(const YamlNode& root) {
  OperatorWorkload work;
  work.name = root.text("operator", operator_names());
  work.settings = read_operator_settings(root);
  if (work.name == "sinkhorn") {
    work.assumed_half_steps =
        static_cast<int>(root.integer("assumed_half_steps", 1, kLargestHalfSteps, 0));
  }
  if (const auto shapes = root.optional_child("shapes")) work.shapes = read_tensor_shapes(*shapes);
  if (const auto data = root.optional_child("data")) work.data = read_data(*data, false);
  const bool from_file = std::holds_alternative<FileData>(work.data);
  if (from_file && !work.shapes.empty())
    root.child("shapes").fail("expected none, since the file of tensors has them");
  if (!from_file && work.shapes.empty())
    root.fail("expected shapes of the operator's tensors, or data from a file");
  return work;
}

AttentionLayerWorkload read_attention_layer(const YamlNode& root) {
  AttentionLayerWorkload layer = read_layer(root);
  if (const auto data = root.optional_child("data")) layer.data = read_data(*data, true);
  read_horizon(root, layer);
  if (const auto scales = root.optional_child("scales")) layer.scales = read_scales(*scales, layer);
  return layer;
}

}  // namespace

const std::string& Workload::layer() const {
  static const std::string attention = "attention";
  const auto* work = std::get_if<OperatorWorkload>(&what);
  return work == nullptr ? attention : work->name;
}

const DataSource* Workload::data() const {
  if (const auto* work = std::get_if<OperatorWorkload>(&what)) return &work->data;
  if (const auto* layer = std::get_if<AttentionLayerWorkload>(&what)) return &layer->data;
  return nullptr;
}

const RandomSource* Workload::random() const {
  return data() == nullptr ? nullptr : std::get_if<RandomSource>(data());
}

void Workload::reseed(std::int64_t seed) {
  if (random() == nullptr) {
    throw InputError("--seed", std::to_string(seed),
                     "this workload's data are not random, expected no seed");
  }
  const auto reseed = [&](auto& work) {
    if constexpr (!std::is_same_v<std::decay_t<decltype(work)>, ExperimentWorkload>)
      std::get<RandomSource>(work.data).seed = static_cast<std::uint64_t>(seed);
  };
  std::visit(reseed, what);
}

std::map<std::string, Shape> read_tensor_shapes(const YamlNode& node) {
  std::map<std::string, Shape> shapes;
  for (const std::string& name : node.keys()) shapes[name] = read_tensor_shape(node.child(name));
  return shapes;
}

Settings read_operator_settings(const YamlNode& node) {
  std::map<std::string, std::string> settings;
  if (const auto child = node.optional_child("settings")) {
    for (const std::string& key : child->keys()) settings[key] = child->text(key);
  }
  return {node.file(), std::move(settings)};
}

Workload read_workload(const YamlNode& root) {
  std::vector<std::string> kinds = {"attention-layer", "operator"};
  for (std::string& kind : experiment_kinds()) kinds.push_back(std::move(kind));
  Workload workload{root.file(), root.text("name"),
                    ExperimentWorkload{root.text("kind", kinds), root}};
  const std::string& kind = std::get<ExperimentWorkload>(workload.what).kind;
  if (kind == "operator") {
    workload.what = read_operator(root);
  } else if (kind == "attention-layer") {
    workload.what = read_attention_layer(root);
  }
  return workload;
}

Workload read_workload_file(const std::string& path) { return read_workload_file(read_yaml(path)); }

Workload read_workload_file(const YamlNode& root) {
  Workload workload = read_workload(root);
  if (!std::holds_alternative<ExperimentWorkload>(workload.what)) root.finish();
  return workload;
}

}  // namespace quadrille::app
