#include "testbench/common/plan_work.h"

#include <algorithm>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "hw/engines/damf/damf_engine.h"
#include "hw/engines/linear/linear_engine.h"
#include "hw/engines/sinkhorn/sinkhorn_engine.h"
#include "hw/engines/softmax/softmax_engine.h"
#include "hw/engines/vector/vector_engine.h"

namespace quadrille::testbench {
namespace {

using hw::Unit;

std::vector<int> sides_of(const std::string& list) {
  std::vector<int> sides;
  std::string digits = list;
  for (char& c : digits)
    if (c < '0' || c > '9') c = ' ';
  std::istringstream words(digits);
  for (int side = 0; words >> side;) sides.push_back(side);
  return sides;
}

std::string list_of(const std::vector<int>& sides) {
  std::string text = "[";
  for (std::size_t i = 0; i < sides.size(); ++i)
    text += (i == 0 ? "" : ", ") + std::to_string(sides[i]);
  return text + "]";
}

double ceil_div(double a, double b) {
  return static_cast<double>(static_cast<std::int64_t>((a + b - 1) / b));
}

/// The attention inside a workload: of one head.
struct Head {
  int queries = 0;
  int keys = 0;
  int width = 0;        ///< d; 0: no products with keys.
  int value_width = 0;  ///< 0: no values.
  bool causal = false;
};

class Work {
 public:
  Work(const hw::ChipConfig& chip, const KeyedFile& file) : chip_(chip), file_(file) {}

  UnitCycles cycles() {
    if (!file_.has("operator")) {
      layer();
    } else {
      const std::string name = file_.text("operator");
      for (const char* tensor : {"Q", "K", "V", "C", "X", "W", "WV", "s", "RP"}) load(tensor);
      if (name == "softmax") softmax(head("Q", "K"), matrices("Q"));
      if (name == "damf") damf_operator();
      if (name == "sinkhorn") sinkhorn_operator();
      if (name == "linear") linear(head("Q", "K"), matrices("Q"));
      if (name == "matmul") {
        product(side("X", 0), side("X", 1), side("W", 1), 1);
        store(side("X", 0), side("W", 1));
      }
    }
    return cycles_;
  }

 private:
  double& of(Unit unit) { return cycles_[static_cast<std::size_t>(unit)]; }
  /// Axis 0 or 1 of the matrices that a tensor is made of.
  int side(const std::string& tensor, std::size_t axis) const {
    const std::vector<int> sides = sides_of(file_.text("shapes." + tensor));
    return sides.at(sides.size() < 2 ? axis : sides.size() - 2 + axis);
  }
  /// Matrices that a tensor is made of.
  double matrices(const std::string& tensor) const {
    const std::vector<int> sides = sides_of(file_.text("shapes." + tensor));
    double count = 1;
    for (std::size_t axis = 0; axis + 2 < sides.size(); ++axis) count *= sides[axis];
    return count;
  }
  bool causal() const {
    for (const char* key : {"causal", "settings.causal"})
      if (file_.has(key) && file_.text(key) == "true") return true;
    return false;
  }
  bool aligned_at_end() const {
    return file_.has("settings.causal_align") || file_.has("causal_align");
  }
  Head head(const std::string& q, const std::string& k) const {
    return {side(q, 0), side(k, 0), side(q, 1), side("V", 1), causal()};
  }

  /// Rows begin at bursts.
  void move(double rows, double row_bytes) {
    of(Unit::kDma) += rows * ceil_div(row_bytes, chip_.dram.burst_bytes) * chip_.dram.burst_cycles;
  }
  void load(const std::string& tensor) {
    if (!file_.has("shapes." + tensor)) return;
    const std::vector<int> sides = sides_of(file_.text("shapes." + tensor));
    double rows = sides.size() < 2 ? 1 : side(tensor, 0);
    // Of keys that no query sees none are fetched.
    const bool keys = tensor == "K" || tensor == "V";
    if (keys && causal() && file_.has("shapes.Q") && !aligned_at_end())
      rows = std::min(rows, double{1} * side("Q", 0));
    rows *= matrices(tensor);
    // Weights lie in the order in which they are fetched, without gaps.
    if (tensor[0] == 'W')
      move(1, rows * sides.back());
    else
      move(rows, sides.back());
  }
  void store(double rows, double columns) { move(rows, 4 * columns); }

  void product(double tokens, double k, double n, double times) {
    const double interval = std::max({ceil_div(k, chip_.cim.input_bytes_per_cycle),
                                      static_cast<double>(chip_.cim.input_bits),
                                      ceil_div(4 * n, chip_.cim.output_bytes_per_cycle)});
    of(Unit::kCimCompute) += times * tokens * interval;
    of(Unit::kCimWrite) += times * k * ceil_div(n, hw::write_granule(chip_.cim));
  }
  /// Sums to codes, or normalised rows.
  void requantise(double rows, double columns, double times) {
    of(Unit::kVector) += times * rows * ceil_div(columns, chip_.vector.lanes);
  }

  void softmax(const Head& head, double times) {
    product(head.queries, head.width, head.keys, times);
    product(head.queries, head.keys, head.value_width, times);
    hw::SoftmaxRows rows;
    rows.queries = head.queries;
    rows.keys = head.keys;
    rows.causal = head.causal;
    of(Unit::kSoftmax) +=
        times * static_cast<double>(hw::SoftmaxEngine(chip_.softmax).alone_cycles(rows));
    if (file_.has("operator")) {
      requantise(head.queries, head.keys, times);
      store(times * head.queries, head.keys + head.value_width);
    }
  }

  model::DamfSettings damf_settings(const std::string& section) const {
    model::DamfSettings settings;
    settings.causal = causal();
    const std::string key = section + ".mode";
    const std::string mode = file_.has(key) ? file_.text(key) : "maclaurin";
    if (mode == "shift") settings.mode = model::DamfMode::kShift;
    if (mode == "collapsed") settings.mode = model::DamfMode::kCollapsed;
    return settings;
  }
  void damf(int tokens, int width, int model_width, const std::string& section, double times) {
    const hw::DamfEngine engine(chip_.damf);
    if (model_width > 0) {
      hw::DamfProject project;
      project.tokens = tokens;
      project.width = model_width;
      of(Unit::kDamf) += times * static_cast<double>(engine.alone_cycles(project));
    }
    hw::DamfAttend attend;
    attend.tokens = tokens;
    attend.width = width;
    attend.settings = damf_settings(section);
    of(Unit::kDamf) += times * static_cast<double>(engine.alone_cycles(attend));
  }
  void damf_operator() {
    const bool scores = file_.has("shapes.s");
    const int tokens = side(scores ? "s" : "X", 0);
    const int width = side(scores ? "V" : "WV", 1);
    store(tokens, width);
    if (file_.has("settings.engine")) {
      linear({tokens, tokens, 2, width, causal()}, 1);
      return;
    }
    damf(tokens, width, scores ? 0 : side("X", 1), "settings", 1);
    if (scores) return;
    product(tokens, side("X", 1), width, 1);
    requantise(tokens, width, 1);
  }

  model::SinkhornForm form() const {
    if (file_.has("settings.form") || file_.has("sinkhorn.form"))
      return model::SinkhornForm::kMatrix;
    return file_.has("settings.hold") ? model::SinkhornForm::kKernel
                                      : model::SinkhornForm::kScaling;
  }
  void sinkhorn(const Head& head, int batch, int half_steps, bool kernel, double times) {
    if (head.width > 0) product(head.queries, head.width, head.keys, times);
    const hw::SinkhornEngine engine(chip_.sinkhorn);
    hw::SinkhornScale scale;
    scale.element_bytes = head.width > 0 ? 4 : 2;
    scale.rows = head.queries;
    scale.columns = head.keys;
    scale.form = form();
    // Matrices beyond the tile memory come one by one.
    const bool resident = sinkhorn_resident(chip_.sinkhorn, scale.rows, scale.columns, scale.form);
    scale.batch = resident ? batch : 1;
    if (!resident) times *= batch;
    scale.kernel_wanted = scale.form != model::SinkhornForm::kScaling;
    for (const char* key : {"sinkhorn.update", "settings.update"})
      if (file_.has(key)) scale.update = model::SinkhornUpdate::kDamped;
    scale.half_steps = half_steps;
    scale.source_pitch_bytes = std::int64_t{scale.columns} * scale.element_bytes;
    scale.matrix_stride_bytes = scale.rows * scale.source_pitch_bytes;
    scale.kernel_pitch_bytes = std::int64_t{4} * scale.columns;
    scale.kernel_stride_bytes = scale.rows * scale.kernel_pitch_bytes;
    of(Unit::kSinkhorn) +=
        times * static_cast<double>(engine.alone_cycles(scale, engine.course(scale)));
    if (batch > 1 || (!kernel && head.value_width == 0)) return;
    hw::SinkhornApply apply;
    apply.element_bytes = scale.element_bytes;
    apply.rows = head.queries;
    apply.columns = head.keys;
    apply.kernel_wanted = kernel;
    apply.value_width = head.value_width;
    apply.causal = head.causal;
    of(Unit::kSinkhorn) +=
        times * static_cast<double>(engine.alone_cycles(apply, engine.course(apply)));
  }
  void sinkhorn_operator() {
    Head head;
    head.causal = causal();
    int batch = 1;
    if (file_.has("shapes.C")) {
      std::vector<int> sides = sides_of(file_.text("shapes.C"));
      if (sides.size() == 3) {
        batch = sides[0];
        sides.erase(sides.begin());
      }
      head.queries = sides[0];
      head.keys = sides[1];
    } else {
      head.queries = side("Q", 0);
      head.keys = side("K", 0);
      head.width = side("Q", 1);
    }
    if (file_.has("shapes.V")) head.value_width = side("V", 1);
    const int half_steps = static_cast<int>(file_.number(
        file_.has("assumed_half_steps") ? "assumed_half_steps" : "settings.iterations"));
    sinkhorn(head, batch, half_steps, form() == model::SinkhornForm::kScaling, 1);
    store(double{1} * batch * head.queries, head.keys + head.value_width);
  }

  void linear(const Head& head, double times) {
    hw::LinearEngine engine(chip_.linear);
    for (int first = 0; first < head.value_width; first += chip_.linear.lanes) {
      hw::LinearAttend attend;
      attend.reset = true;
      attend.causal = head.causal;
      attend.width = head.width;
      attend.value_width = std::min(chip_.linear.lanes, head.value_width - first);
      const bool cut = head.causal && !aligned_at_end();
      const int keys = cut ? std::min(head.keys, head.queries) : head.keys;
      attend.total_keys = attend.key_tokens = keys;
      attend.query_tokens = head.causal ? head.queries : 0;
      engine.follow(attend);
      of(Unit::kLinear) += times * static_cast<double>(engine.alone_cycles(attend));
      if (head.causal) continue;
      attend.reset = false;
      attend.key_tokens = 0;
      attend.query_tokens = head.queries;
      engine.follow(attend);
      of(Unit::kLinear) += times * static_cast<double>(engine.alone_cycles(attend));
    }
    if (file_.has("operator")) store(times * head.queries, head.value_width);
  }

  int number(const char* key, int otherwise) const {
    return file_.has(key) ? static_cast<int>(file_.number(key)) : otherwise;
  }
  void layer() {
    const int length = number("tokens", 0);
    const int keys = number("key_tokens", length);
    const double batch = number("batch", 1);
    const double tokens = batch * length;
    const int width = number("model_width", 0);
    const int heads = number("heads", 0);
    const int head_width = number("head_width", 0);
    const double inner = double{1} * heads * head_width;
    const double key_inner = double{1} * number("key_heads", heads) * head_width;
    const std::string mechanism = file_.text("mechanism");
    const bool damf_layer = mechanism == "damf";
    move(tokens, width);
    if (keys != length) move(batch * keys, width);
    move(1, (damf_layer ? 2 * inner : 2 * inner + 2 * key_inner) * width);
    store(tokens, width);
    if (!damf_layer) {
      product(tokens, width, inner, 1);
      product(batch * keys, width, key_inner, 1);
    }
    product(batch * keys, width, damf_layer ? inner : key_inner, 1);
    product(tokens, inner, width, 1);
    const double instances = batch * heads;
    // The bank's epilogue makes codes of products, softmax's weighted values among them.
    if (mechanism != "softmax") requantise(length, head_width, instances);
    const Head head{length, keys, head_width, head_width, causal()};
    if (mechanism == "softmax") softmax(head, instances);
    if (damf_layer && file_.has("damf.engine"))
      linear({length, length, 2, head_width, causal()}, instances);
    else if (damf_layer)
      damf(length, head_width, width, "damf", instances);
    if (mechanism == "linear") linear(head, instances);
    if (mechanism == "sinkhorn") {
      const int steps = number("sinkhorn.iterations", 21);
      sinkhorn(head, 1, number("sinkhorn.assumed_half_steps", steps), false, instances);
    }
  }

  const hw::ChipConfig& chip_;
  const KeyedFile& file_;
  UnitCycles cycles_{};
};

}  // namespace

UnitCycles closed_form_cycles(const hw::ChipConfig& chip, const KeyedFile& workload) {
  return Work(chip, workload).cycles();
}

KeyedFile with_one_more_token(const KeyedFile& workload) {
  KeyedFile longer = workload;
  if (workload.has("tokens")) {
    longer.set("tokens", workload.number("tokens") + 1);
    return longer;
  }
  const auto row_axis = [](const std::vector<int>& sides) {
    return sides.size() < 2 ? std::size_t{0} : sides.size() - 2;
  };
  const auto rows = [&](const char* name) {
    const std::string key = std::string("shapes.") + name;
    if (!workload.has(key)) return 0;
    const std::vector<int> sides = sides_of(workload.text(key));
    return sides[row_axis(sides)];
  };
  const auto lengthen = [&](const char* name) {
    const std::string key = std::string("shapes.") + name;
    if (!workload.has(key)) return;
    std::vector<int> sides = sides_of(workload.text(key));
    ++sides[row_axis(sides)];
    longer.set(key, list_of(sides));
  };
  // Rows of the tensors that have one per query; those of keys and values too when
  // there are as many.
  for (const char* name : {"Q", "X", "s", "t", "r0"}) lengthen(name);
  if (workload.has("shapes.s")) lengthen("V");
  if (rows("Q") > 0 && rows("K") == rows("Q")) {
    for (const char* name : {"K", "V", "c0"}) lengthen(name);
  }
  if (workload.has("shapes.C") && sides_of(workload.text("shapes.C")).size() == 2) lengthen("C");
  return longer;
}

}  // namespace quadrille::testbench
