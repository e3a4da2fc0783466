#include "app/networks/operator.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "app/files/suggest.h"
#include "app/networks/operator_builder.h"
#include "app/networks/vector_operators.h"
#include "model/errors.h"

namespace quadrille::app {
namespace {

using model::Format;
using model::kAbsent;
using model::Role;
using model::SinkhornForm;
using model::SinkhornUpdate;
using model::TensorId;
using Builder = OperatorBuilder;

constexpr int kLargestHalfSteps = 1000000;
/// Score codes are sums of products of 8-bit codes in 32 bits.
constexpr std::int64_t kWidestScores = std::int64_t{1} << 16;

enum class Phi { kElu1 };
const Choices<Phi> kPhiChoices = {{"elu1", Phi::kElu1}};

/// Q, K and V (if wanted) of an attention, with their leading dimensions.
struct AttentionInputs {
  Leading leading;
  model::Heads heads;
  std::int64_t queries = 0, keys = 0, width = 0, value_width = 0;
  TensorId q = kAbsent, k = kAbsent, v = kAbsent;
};

AttentionInputs read_attention(Builder& make, bool values, Format value_format) {
  AttentionInputs in;
  in.leading = make.leading("Q", 2);
  InputTensor q = make.read("Q", in.leading.with({-1, -1}));
  in.queries = q.shape().end()[-2];
  in.width = q.shape().back();
  InputTensor k = make.read("K", in.leading.with(-1, {-1, in.width}));
  in.keys = k.shape().end()[-2];
  in.heads.batch = in.leading.batch();
  in.heads.heads = in.leading.heads();
  if (!in.leading.front.empty()) in.heads.key_heads = k.side(1);
  if (in.heads.key_heads > in.heads.heads) {
    make.refuse("K", fmt::format("{} heads, expected at most the {} of Q", in.heads.key_heads,
                                 in.heads.heads));
  }
  in.q = make.constant("Q", std::move(q), Role::kInput, Format::kCodes8);
  in.k = make.constant("K", std::move(k), Role::kInput, Format::kCodes8);
  if (!values) return in;
  InputTensor v = make.read("V", in.leading.with(in.heads.key_heads, {in.keys, -1}));
  in.value_width = v.shape().back();
  in.v = make.constant("V", std::move(v), Role::kInput, value_format);
  return in;
}

/// causal and causal_align. The alignment is part of what an output means.
struct Causal {
  bool mask = false;
  model::CausalAlign align = model::CausalAlign::kStart;

  void state(Task& task) const {
    if (mask) task.metadata["causal_align"] = word_of(kCausalAlignChoices, align);
  }
};

Causal read_causal(Settings& settings, const AttentionInputs& in) {
  Causal causal{settings.boolean("causal"), settings.choice("causal_align", kCausalAlignChoices)};
  if (causal.mask && causal.align == model::CausalAlign::kEnd && in.queries > in.keys) {
    settings.refuse("causal_align",
                    fmt::format("end with {} queries and {} keys, expected no more queries than "
                                "keys: the first ones would see no key",
                                in.queries, in.keys));
  }
  return causal;
}

double read_logit_scale(Settings& settings, std::int64_t width) {
  return settings.positive("scale", 1.0 / std::sqrt(static_cast<double>(width)));
}

Task softmax_task(Builder make, const OperatorOptions& options) {
  const AttentionInputs in = read_attention(make, true, Format::kCodes8);
  const Causal causal = read_causal(make.settings(), in);
  const double scale = read_logit_scale(make.settings(), in.width);
  const Shape weights = in.leading.with({in.queries, in.keys});
  const TensorId out =
      make.output("out", "out", in.leading.with({in.queries, in.value_width}), Format::kSums32);
  model::Node node{"softmax",
                   "softmax",
                   model::SoftmaxAttention{in.heads, causal.mask, causal.align, scale},
                   {in.q, in.k, in.v},
                   {out}};
  if (!options.result_only)
    node.outputs.push_back(make.output("weights", "weights", weights, Format::kSums32));
  make.node(std::move(node));
  Task task = make.finish("out");
  causal.state(task);
  return task;
}

Task linear_task(Builder make, const OperatorOptions& options) {
  const AttentionInputs in = read_attention(make, true, Format::kCodes8);
  const Causal causal = read_causal(make.settings(), in);
  make.settings().choice("phi", kPhiChoices);
  model::LinearAttention op{in.heads, causal.mask, causal.align, false};
  TensorId positions = kAbsent;
  if (make.optional("RP")) {
    op.positions_per_head = make.source().shape("RP").size() == 3;
    InputTensor rp = make.read(
        "RP", op.positions_per_head ? Shape{in.heads.heads, -1, in.width} : Shape{-1, in.width});
    if (rp.shape().end()[-2] % 2 == 0) {
      make.refuse("RP", fmt::format("{} rows, expected an odd number: 2k + 1 offsets from -k to k",
                                    rp.shape().end()[-2]));
    }
    if (causal.mask && causal.align == model::CausalAlign::kEnd && in.keys > in.queries) {
      make.settings().refuse("causal_align",
                             "end with more keys than queries and relative positions, expected "
                             "start: offsets count from the first key");
    }
    positions = make.constant("RP", std::move(rp), Role::kWeight, Format::kCodes8);
  }
  if (in.keys * in.width > model::kLinearLargestReach) {
    make.refuse("K", fmt::format("{} keys of width {}, expected at most 2^29 elements: beyond, "
                                 "sums leave the engine's 64 bits",
                                 in.keys, in.width));
  }
  const TensorId tables = make.add("tables", 3, 256, Role::kWeight, Format::kCodes8);
  const Shape out = in.leading.with({in.queries, in.value_width});
  model::Node node{"linear",
                   "linear",
                   op,
                   {in.q, in.k, in.v, positions, tables},
                   {make.output("out", "out", out, Format::kSums32)}};
  if (!options.result_only) {
    node.outputs.push_back(make.output("numerator", "numerator", out, Format::kSums64));
    // A row of the graph's tensor for every instance.
    const TensorId denominator =
        make.add("denominator", in.heads.instances(), in.queries, Role::kOutput, Format::kSums64);
    make.show({"denominator", denominator, in.leading.with({in.queries}), 0, 1});
    node.outputs.push_back(denominator);
  }
  make.node(std::move(node));
  Task task = make.finish("out");
  causal.state(task);
  return task;
}

Task matmul_task(Builder make, const OperatorOptions&) {
  const Leading leading = make.leading("X", 2);
  InputTensor x = make.read("X", leading.with({-1, -1}));
  InputTensor w = make.read("W", {x.shape().back(), -1});
  Settings& settings = make.settings();
  model::Linear op;
  op.input_bits = settings.integer("input_bits", 8, 1, 8);
  op.weight_bits = settings.integer("weight_bits", 8, 1, 8);
  const Shape out = leading.with({x.shape().end()[-2], w.shape()[1]});
  const TensorId x_id =
      make.constant("X", std::move(x), Role::kInput, Format::kCodes8, op.input_bits);
  const TensorId w_id =
      make.constant("W", std::move(w), Role::kWeight, Format::kCodes8, op.weight_bits);
  make.node(
      {"matmul", "matmul", op, {x_id, w_id}, {make.output("out", "out", out, Format::kSums32)}});
  return make.finish("out");
}

// --- DAMF ------------------------------------------------------------------------

model::DamfEngineChoice read_engine(Settings& settings, const model::DamfSettings& damf) {
  const model::DamfEngineChoice engine = settings.choice("engine", kDamfEngineChoices);
  if (engine == model::DamfEngineChoice::kLinear &&
      (damf.mode != model::DamfMode::kCollapsed || damf.negative != model::DamfNegative::kSigned)) {
    settings.refuse("engine", "linear, expected with mode=collapsed and negative=signed");
  }
  return engine;
}

/// s and t as pairs.
std::vector<double> interleaved(const std::vector<double>& s, const std::vector<double>& t) {
  std::vector<double> st;
  for (std::size_t i = 0; i < s.size(); ++i) {
    st.push_back(s[i]);
    st.push_back(t[i]);
  }
  return st;
}

/// The user's sigma per head, or what the settings make of its absence.
std::vector<double> read_sigma(Builder& make, const model::DamfSettings& damf, int heads) {
  if (!make.optional("sigma")) {
    if (damf.keep_sigma && damf.mode == model::DamfMode::kShift)
      make.refuse("sigma", "missing, expected with sigma=keep in mode=shift");
    return {};
  }
  const InputTensor sigma = make.read("sigma", {heads});
  if (!make.source().has_values()) return {};
  for (const double value : sigma.reals()) {
    if (!(value > 0.0)) make.refuse("sigma", "expected a number above zero");
  }
  return sigma.reals();
}

/// From s, t and V as they are given.
Task damf_scalars_task(Builder make) {
  const Leading leading = make.leading("s", 1);
  const InputTensor s = make.read("s", leading.with({-1}));
  const std::int64_t length = s.shape().back();
  const InputTensor t = make.read("t", s.shape());
  InputTensor v = make.read("V", leading.with({length, -1}));
  model::DamfAttention op;
  op.heads.batch = leading.batch();
  op.heads.heads = op.heads.key_heads = leading.heads();
  op.settings = read_damf_settings(make.settings());
  op.engine = read_engine(make.settings(), op.settings);
  op.sigma = read_sigma(make, op.settings, op.heads.heads);
  std::vector<double> pairs, scales;
  if (make.source().has_values()) {
    for (const InputTensor* tensor : {&s, &t}) tensor->require_codes(8);
    const auto scale = [](const InputTensor& tensor) {
      return tensor.is_integer() ? tensor.scale() : model::absmax_scale(tensor.reals(), 8);
    };
    pairs = interleaved(s.reals(), t.reals());
    for (int head = 0; head < op.heads.heads; ++head)
      scales.insert(scales.end(), {scale(s), scale(t)});
  }
  const TensorId st = make.constant("st", op.heads.instances(), 2 * length, Role::kInput,
                                    Format::kCodes8, std::move(pairs), std::move(scales));
  make.show({"s", st, s.shape(), 0, 2});
  make.show({"t", st, t.shape(), 1, 2});
  const Shape out = v.shape();
  const TensorId v_id = make.constant("V", std::move(v), Role::kInput, Format::kCodes8);
  make.node({"damf", "damf", op, {st, v_id}, {make.output("out", "out", out, Format::kSums32)}});
  return make.finish("out");
}

/// From X and the weights of one head.
Task damf_weights_task(Builder make) {
  InputTensor x = make.read("X", {-1, -1});
  const std::int64_t length = x.shape()[0], width = x.shape()[1];
  const InputTensor wq = make.read("WQ", {width, -1});
  const InputTensor wk = make.read("WK", {width, wq.shape()[1]});
  InputTensor wv = make.read("WV", {width, wq.shape()[1]});
  const std::int64_t columns = wv.shape()[1];
  model::DamfAttention op;
  op.settings = read_damf_settings(make.settings());
  if (read_engine(make.settings(), op.settings) == model::DamfEngineChoice::kLinear)
    make.settings().refuse("engine", "linear, expected with the tensors s, t and V");
  model::SingularTriple triple;
  if (make.source().has_values()) {
    triple = model::leading_singular_triple(wq.reals(), wk.reals(), static_cast<int>(width),
                                            static_cast<int>(columns));
    op.sigma = {triple.sigma};
  }
  const TensorId x_id = make.constant("X", std::move(x), Role::kInput, Format::kCodes8);
  const TensorId u = make.constant("u", 1, width, Role::kWeight, Format::kCodes8, triple.u);
  const TensorId v = make.constant("v", 1, width, Role::kWeight, Format::kCodes8, triple.v);
  const TensorId wv_id = make.constant("WV", std::move(wv), Role::kWeight, Format::kCodes8);
  const TensorId st = make.add("st", 1, 2 * length, Role::kOutput, Format::kCodes8);
  const TensorId values = make.add("V", length, columns, Role::kValue, Format::kCodes8);
  make.show({"u", u, {width}, 0, 1});
  make.show({"v", v, {width}, 0, 1});
  make.show({"s", st, {length}, 0, 2});
  make.show({"t", st, {length}, 1, 2});
  const TensorId out = make.output("out", "out", {length, columns}, Format::kSums32);
  make.node({"scalars", "damf", model::DamfProject{}, {x_id, u, v}, {st}});
  make.node({"value", "damf", model::Linear{}, {x_id, wv_id}, {values}});
  make.node({"attention", "damf", op, {st, values}, {out}});
  Task task = make.finish("out");
  if (task.has_data()) task.constants["sigma"] = {{1}, {triple.sigma}};
  return task;
}

Task damf_task(Builder make, const OperatorOptions&) {
  // Whichever form the file resembles more; the missing tensors are then named.
  const auto count = [&](std::initializer_list<const char*> names) {
    return std::count_if(names.begin(), names.end(),
                         [&](const char* name) { return make.source().has(name); });
  };
  return count({"s", "t", "V"}) > count({"X", "WQ", "WK", "WV"})
             ? damf_scalars_task(std::move(make))
             : damf_weights_task(std::move(make));
}

// --- Sinkhorn --------------------------------------------------------------------

/// The matrices of a Sinkhorn operator, whichever way they come.
struct Matrices {
  TensorId c = kAbsent;  ///< Costs; else Q and K.
  AttentionInputs attention;
  Shape front;  ///< Dimensions in front of [n, m].
  model::SinkhornShape shape;
  TensorId v = kAbsent;
  Shape out;

  Shape with(const Shape& rest) const {
    Shape all = front;
    all.insert(all.end(), rest.begin(), rest.end());
    return all;
  }
  Shape per_matrix() const { return front.empty() ? Shape{1} : front; }
  double largest_cost = 0.0;  ///< Of C, by magnitude, and where it stands.
  std::string largest_at;
};

Matrices read_costs(Builder& make) {
  Matrices in;
  const Shape& given = make.source().shape("C");
  const std::size_t front = std::min<std::size_t>(given.size() < 3 ? 0 : given.size() - 2, 2);
  InputTensor c = make.read("C", Shape(front + 2, -1));
  in.front = {c.shape().begin(), c.shape().end() - 2};
  in.shape.batch = static_cast<int>(element_count(in.front));
  in.shape.rows = static_cast<int>(c.shape().end()[-2]);
  in.shape.columns = static_cast<int>(c.shape().back());
  const std::vector<double>& reals = c.reals();
  const auto largest = std::max_element(
      reals.begin(), reals.end(), [](double a, double b) { return std::fabs(a) < std::fabs(b); });
  if (largest != reals.end()) {
    in.largest_cost = *largest;
    in.largest_at = index_text(largest - reals.begin(), c.shape());
  }
  in.c = make.constant("C", std::move(c), Role::kInput, Format::kCodes16);
  if (!make.optional("V")) return in;
  if (!in.front.empty()) make.refuse("V", "expected none with a batch of matrices C[B, n, m]");
  InputTensor v = make.read("V", {in.shape.columns, -1});
  in.out = {in.shape.rows, v.shape()[1]};
  in.v = make.constant("V", std::move(v), Role::kInput, Format::kCodes16);
  return in;
}

Matrices read_pairs(Builder& make) {
  Matrices in;
  in.attention = read_attention(make, make.optional("V"), Format::kCodes16);
  const AttentionInputs& attention = in.attention;
  if (attention.width > kWidestScores) {
    make.refuse("Q", fmt::format("{} wide, expected at most {}: scores have 32 bits",
                                 attention.width, kWidestScores));
  }
  in.front = attention.leading.front;
  in.shape = {attention.heads.instances(), static_cast<int>(attention.queries),
              static_cast<int>(attention.keys), false};
  in.v = attention.v;
  if (in.v != kAbsent) in.out = in.with({attention.queries, attention.value_width});
  return in;
}

void read_shape_settings(Settings& settings, Matrices& in) {
  in.shape.causal = settings.boolean("causal");
  const auto align = settings.choice("causal_align", kCausalAlignChoices);
  const model::SinkhornShape& shape = in.shape;
  if (shape.causal && align == model::CausalAlign::kEnd && shape.rows != shape.columns) {
    settings.refuse("causal_align",
                    fmt::format("end with {} rows and {} columns, expected as many of both: the "
                                "unit's mask starts with the first key",
                                shape.rows, shape.columns));
  }
  if (shape.causal && shape.columns > shape.rows) {
    settings.refuse("causal", fmt::format("true with {} rows and {} columns, expected no more "
                                          "columns than rows: no row sees the last ones",
                                          shape.rows, shape.columns));
  }
}

model::SinkhornSettings read_sinkhorn_settings(Settings& settings) {
  model::SinkhornSettings made;
  made.half_steps = settings.integer("iterations", made.half_steps, 1, kLargestHalfSteps);
  made.tolerance = settings.non_negative("tolerance", made.tolerance);
  made.update = settings.choice("update", kSinkhornUpdateChoices);
  made.form = settings.choice("form", kSinkhornFormChoices);
  // The matrix form holds K by its nature.
  if (settings.choice("hold", kSinkhornHoldChoices) && made.form == SinkhornForm::kScaling)
    made.form = SinkhornForm::kKernel;
  if (made.form != SinkhornForm::kScaling && made.update == SinkhornUpdate::kDamped)
    settings.refuse("update", "damped, expected with form=scaling and hold=logits");
  return made;
}

/// Starting scalings of every matrix; one set serves a whole batch. None: absent.
std::vector<double> read_start(Builder& make, const std::string& name, int lines,
                               const Matrices& in) {
  const bool shared = make.source().shape(name).size() == 1;
  // The unit takes logarithms: whatever scalings it gave, it takes back.
  const InputTensor tensor = make.read(name, shared ? Shape{lines} : in.with({lines}), true);
  const std::vector<double>& values = tensor.reals();
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (values[i] > 0.0) continue;
    make.refuse(name, fmt::format("{} at {}, expected scalings above zero", values[i],
                                  index_text(static_cast<std::int64_t>(i), tensor.shape())));
  }
  std::vector<double> all;
  for (int matrix = 0; matrix < (shared ? in.shape.batch : 1); ++matrix)
    all.insert(all.end(), values.begin(), values.end());
  return all;
}

/// The tensors g0 and f0 of a warm start. A damped update needs both sides.
std::vector<TensorId> read_starts(Builder& make, const model::SinkhornSettings& settings,
                                  const Matrices& in) {
  const bool damped = settings.update == SinkhornUpdate::kDamped;
  const bool columns = make.optional("c0"), rows = make.optional("r0");
  if ((columns || rows) && settings.form != SinkhornForm::kScaling)
    make.refuse(columns ? "c0" : "r0", "expected with form=scaling and hold=logits only");
  if (rows && !damped)
    make.refuse("r0", "expected with update=damped only: alternate starts on rows");
  if (!columns && !rows) return {kAbsent, kAbsent};
  std::vector<double> c0, r0;
  if (columns) c0 = read_start(make, "c0", in.shape.columns, in);
  if (rows) r0 = read_start(make, "r0", in.shape.rows, in);
  if (make.source().has_values()) complete_starts(in.shape, damped, c0, r0);
  const auto add = [&](const char* name, int lines, std::vector<double> values) {
    return make.constant(name, in.shape.batch, lines, Role::kInput, Format::kSums32,
                         std::move(values));
  };
  const TensorId g0 = add("g0", in.shape.columns, std::move(c0));
  return {g0, damped ? add("f0", in.shape.rows, std::move(r0)) : kAbsent};
}

/// The node's outputs: what the user asked for, and the row scalings beside those
/// of the columns.
std::vector<TensorId> sinkhorn_outputs(Builder& make, const model::SinkhornSettings& settings,
                                       const Matrices& in, bool kernel) {
  const model::SinkhornShape& shape = in.shape;
  std::vector<TensorId> outputs(5, kAbsent);
  if (in.v != kAbsent) outputs[0] = make.output("out", "out", in.out, Format::kSums32);
  if (kernel) {
    outputs[1] = make.output("kernel", "K", in.with({shape.rows, shape.columns}), Format::kSums32);
  }
  if (settings.form != SinkhornForm::kMatrix) {
    outputs[2] = make.add("f", shape.batch, shape.rows, Role::kOutput, Format::kSums32);
    outputs[3] = make.add("g", shape.batch, shape.columns, Role::kOutput, Format::kSums32);
    make.show({"c", outputs[3], in.with({shape.columns}), 0, 1});
  }
  outputs[4] = make.add("iterations", 1, shape.batch, Role::kOutput, Format::kSums32);
  make.show({"iterations", outputs[4], in.per_matrix(), 0, 1});
  return outputs;
}

Task sinkhorn_task(Builder make, const OperatorOptions& options) {
  const bool costs = make.source().has("C") || !(make.source().has("Q") || make.source().has("K"));
  Matrices in = costs ? read_costs(make) : read_pairs(make);
  Settings& settings = make.settings();
  const double epsilon = settings.positive("epsilon", 1.0);
  double scale = 1.0;
  if (!costs) {
    scale = read_logit_scale(settings, in.attention.width);
  } else if (settings.given("scale")) {
    settings.refuse("scale", "expected only with Q and K; epsilon divides C");
  }
  if (!std::isfinite(in.largest_cost / epsilon)) {
    make.refuse("C", fmt::format("the logit at {} is not finite, expected a larger epsilon",
                                 in.largest_at));
  }
  read_shape_settings(settings, in);
  const model::SinkhornSettings made = read_sinkhorn_settings(settings);
  const std::vector<TensorId> starts = read_starts(make, made, in);
  const int assumed = assumed_half_steps(make.source().path(), options.assumed_half_steps, made,
                                         make.source().has_values() || options.values_follow);
  const bool kernel = in.v == kAbsent || !options.result_only;
  model::Node node{"sinkhorn",
                   "sinkhorn",
                   model::Sinkhorn{in.shape, made, epsilon, assumed},
                   {in.c, in.v, starts[0], starts[1]},
                   sinkhorn_outputs(make, made, in, kernel)};
  if (!costs) {
    node.op = model::SinkhornAttention{
        in.attention.heads, in.shape.causal, made, scale, epsilon, assumed};
    node.inputs = {in.attention.q, in.attention.k, in.v, starts[0], starts[1]};
  }
  make.node(std::move(node));
  return make.finish(in.v != kAbsent ? "out" : "K");
}

struct Maker {
  const char* name;
  const char* summary;
  Task (*make)(Builder, const OperatorOptions&);
};
/// The operators stand in the order of the documentation.
constexpr Maker kMakers[] = {
    {"softmax", "exact attention of Q, K and V", softmax_task},
    {"damf", "attention of s, t and V by inner products and shifts, or of X and its weights",
     damf_task},
    {"sinkhorn", "doubly stochastic matrix of C, or of Q and K, and attention with V",
     sinkhorn_task},
    {"linear", "attention of Q, K and V by prefix sums, with relative positions RP", linear_task},
    {"matmul", "product of X and W in integers", matmul_task},
    {"layernorm", "rows of X normalised to mean 0 and variance 1, gamma and beta", layernorm_task},
    {"rmsnorm", "rows of X over the root of their mean square, gamma and beta", rmsnorm_task},
    {"activation", "GELU, its tanh form, ReLU or SiLU of X", activation_task},
    {"rotary", "rotary positions of the rows of X", rotary_task},
    {"add", "sum of X and Y, a residual", add_task},
    {"multiply", "product of X and Y by element, a gate", multiply_task}};

}  // namespace

const std::vector<std::string>& operator_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> made;
    for (const Maker& maker : kMakers) made.emplace_back(maker.name);
    return made;
  }();
  return names;
}

std::string operator_summary(const std::string& name) {
  for (const Maker& maker : kMakers) {
    if (maker.name == name) return maker.summary;
  }
  throw InvariantError("no operator " + name);
}

Task operator_task(const std::string& name, const TensorSource& source, Settings settings,
                   const OperatorOptions& options) {
  for (const Maker& maker : kMakers) {
    if (maker.name == name) return maker.make(Builder(source, name, settings), options);
  }
  throw InputError(
      "eval", in_quotes(name),
      fmt::format("unknown operator, expected one of {}{}", fmt::join(operator_names(), ", "),
                  did_you_mean(name, operator_names())));
}

int assumed_half_steps(const std::string& path, int assumed,
                       const model::SinkhornSettings& settings, bool has_values) {
  const auto refuse = [&](const std::string& expectation) {
    throw InputError(path, "assumed_half_steps", expectation);
  };
  if (assumed > 0 && settings.tolerance == 0.0) refuse("expected with a tolerance only");
  if (assumed > settings.half_steps)
    refuse(fmt::format("{}, expected at most iterations = {}", assumed, settings.half_steps));
  if (has_values) return 0;
  if (assumed == 0 && settings.tolerance > 0.0)
    refuse("missing, expected without data: no values decide when the tolerance is reached");
  return assumed;
}

void complete_starts(const model::SinkhornShape& shape, bool damped, std::vector<double>& c0,
                     std::vector<double>& r0) {
  const auto ones = [&](int lines) {
    return std::vector<double>(
        static_cast<std::size_t>(shape.batch) * static_cast<std::size_t>(lines), 1.0);
  };
  const bool columns = !c0.empty();
  if (!columns) c0 = ones(shape.columns);
  if (!damped || !r0.empty()) return;
  r0 = columns && shape.rows == shape.columns ? c0 : ones(shape.rows);
}

}  // namespace quadrille::app
