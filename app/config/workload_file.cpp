#include "app/config/workload_file.h"

#include <cmath>
#include <filesystem>

#include "app/config/choices.h"
#include "app/operators/operator.h"

namespace quadrille::app {
namespace {

// Sides of a tensor, and elements of one: what a run can hold in memory.
constexpr std::int64_t kLargestSide = 1 << 20;
constexpr std::int64_t kLargestTensor = std::int64_t{1} << 31;

template <typename Value>
Value choose(const YamlNode& node, const std::string& key, const Choices<Value>& choices) {
  const std::string word = node.text(key, words(choices), choices.front().first);
  for (const auto& choice : choices) {
    if (choice.first == word) return choice.second;
  }
  return choices.front().second;
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

model::AttentionShape read_shape(const YamlNode& root) {
  model::AttentionShape shape;
  const std::string mechanism = root.text("mechanism", words(kMechanismChoices));
  for (const auto& choice : kMechanismChoices) {
    if (choice.first == mechanism) shape.mechanism = choice.second;
  }
  shape.tokens = side(root, "tokens");
  shape.model_width = side(root, "model_width");
  shape.heads = side(root, "heads");
  shape.head_width = side(root, "head_width");
  shape.causal = root.boolean("causal", false);
  const std::int64_t inner = std::int64_t{shape.heads} * shape.head_width;
  const std::int64_t widest = std::max<std::int64_t>(inner, shape.model_width);
  const std::int64_t tallest = std::max(shape.tokens, shape.model_width);
  if (inner > kLargestSide || widest * tallest > kLargestTensor) {
    root.fail("expected a layer whose tensors have at most 2^31 elements");
  }
  if (shape.mechanism == model::Mechanism::kDamf) {
    if (const auto damf = root.optional_child("damf")) shape.damf = read_damf(*damf);
    shape.damf.causal = shape.causal;
  }
  if (shape.mechanism == model::Mechanism::kSinkhorn) {
    if (const auto sinkhorn = root.optional_child("sinkhorn")) {
      model::SinkhornSettings& settings = shape.sinkhorn;
      settings.half_steps =
          static_cast<int>(sinkhorn->integer("iterations", 1, 1000000, settings.half_steps));
      settings.update = choose(*sinkhorn, "update", kSinkhornUpdateChoices);
    }
  }
  return shape;
}

void read_data(const YamlNode& node, const std::string& folder, Workload& workload) {
  const auto relative = [&](const std::string& path) {
    return (std::filesystem::path(folder) / path).lexically_normal().string();
  };
  const bool layer = !workload.operation;
  const std::string source = node.text("source",
                                       layer ? std::vector<std::string>{"random", "model", "file"}
                                             : std::vector<std::string>{"random", "file"},
                                       "random");
  if (source == "file") {
    workload.file = FileData{relative(node.text("tensors"))};
    return;
  }
  if (source == "random") {
    workload.random.seed = static_cast<std::uint64_t>(
        node.integer("seed", 0, std::numeric_limits<std::int64_t>::max(), 1));
    if (!layer) workload.random.deviation = node.number("deviation", 1e-12, 1e12, 1.0);
    return;
  }
  TrainedData trained;
  trained.checkpoint = relative(node.text("checkpoint"));
  trained.layer = static_cast<int>(node.integer("layer", 0, 1000));
  trained.text = relative(node.text("text"));
  trained.offset_bytes =
      node.integer("offset_bytes", 0, std::numeric_limits<std::int64_t>::max(), 0);
  workload.trained = trained;
}

double scale(const YamlNode& node, const char* key) { return node.number(key, 1e-30, 1e30); }

std::vector<double> scales_per_head(const YamlNode& node, const char* key, int heads) {
  std::vector<double> values;
  const YamlNode list = node.child(key);
  for (const YamlNode& item : list.items()) values.push_back(item.as_number(1e-30, 1e30));
  if (values.size() != static_cast<std::size_t>(heads)) {
    list.fail("expected " + std::to_string(heads) + " scales, one per head, found " +
              std::to_string(values.size()));
  }
  return values;
}

model::AttentionScales read_scales(const YamlNode& node, const model::AttentionShape& shape) {
  model::AttentionScales scales;
  scales.x = scale(node, "X");
  scales.wv = scale(node, "WV");
  scales.wo = scale(node, "WO");
  scales.v = scale(node, "V");
  scales.attention = scale(node, "attention");
  if (model::has_queries(shape.mechanism)) {
    scales.wq = scale(node, "WQ");
    scales.wk = scale(node, "WK");
    scales.q = scale(node, "Q");
    scales.k = scale(node, "K");
    if (shape.mechanism == model::Mechanism::kSinkhorn)
      scales.largest_logit = scale(node, "largest_logit");
  } else {
    scales.u = scales_per_head(node, "u", shape.heads);
    scales.v_vector = scales_per_head(node, "v", shape.heads);
    scales.s = scales_per_head(node, "s", shape.heads);
    scales.t = scales_per_head(node, "t", shape.heads);
  }
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

OperatorWork read_operation(const YamlNode& root) {
  OperatorWork operation;
  operation.name = root.text("operator", operator_names());
  operation.settings = read_operator_settings(root);
  if (operation.name == "sinkhorn") {
    operation.assumed_half_steps =
        static_cast<int>(root.integer("assumed_half_steps", 1, 1000000, 0));
  }
  if (const auto shapes = root.optional_child("shapes")) {
    for (const std::string& name : shapes->keys())
      operation.shapes[name] = read_tensor_shape(shapes->child(name));
  }
  return operation;
}

/// Shapes come with random data, and from the file with a file's.
void check_shapes(const YamlNode& root, const Workload& workload) {
  const bool given = !workload.operation->shapes.empty();
  if (workload.file && given)
    root.child("shapes").fail("expected none, since the file of tensors has them");
  if (!workload.file && !given)
    root.fail("expected shapes of the operator's tensors, or data from a file");
}

}  // namespace

std::map<std::string, std::string> read_operator_settings(const YamlNode& node) {
  std::map<std::string, std::string> settings;
  if (const auto child = node.optional_child("settings")) {
    for (const std::string& key : child->keys()) settings[key] = child->text(key);
  }
  return settings;
}

const std::vector<std::string>& workload_kinds() {
  static const std::vector<std::string> kinds = {"attention-layer", "operator"};
  return kinds;
}

Workload read_workload(const YamlNode& root) {
  const std::string& path = root.file();
  const std::string folder = std::filesystem::path(path).parent_path().string();
  Workload workload;
  workload.path = path;
  workload.name = root.text("name");
  if (root.text("kind", workload_kinds()) == "operator") {
    workload.operation = read_operation(root);
    if (const auto data = root.optional_child("data")) read_data(*data, folder, workload);
    check_shapes(root, workload);
    return workload;
  }
  workload.shape = read_shape(root);
  workload.softmax_scale = 1.0 / std::sqrt(static_cast<double>(workload.shape.head_width));
  for (const auto mechanism : {model::Mechanism::kSoftmax, model::Mechanism::kSinkhorn}) {
    if (workload.shape.mechanism != mechanism) continue;
    if (const auto section = root.optional_child(word_of(kMechanismChoices, mechanism)))
      workload.softmax_scale = section->number("scale", 1e-30, 1e30, workload.softmax_scale);
  }
  if (const auto data = root.optional_child("data")) read_data(*data, folder, workload);
  if (const auto scales = root.optional_child("scales"))
    workload.scales = read_scales(*scales, workload.shape);
  return workload;
}

Workload read_workload_file(const std::string& path) {
  const YamlNode root = read_yaml(path);
  Workload workload = read_workload(root);
  root.finish();
  return workload;
}

}  // namespace quadrille::app
