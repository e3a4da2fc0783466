#include "testbench/common/operator_graphs.h"

namespace quadrille::hw {
namespace {
using namespace model;
using F = Format;
using R = Role;

/// A graph in the making.
struct Builder {
  IntegerGraph g;
  TensorId t(const char* n, std::int64_t r, std::int64_t c, R role, F f) {
    return g.graph.add({n, r, c, role, f});
  }
  void node(const char* n, const char* layer, Operator op, std::vector<TensorId> in,
            std::vector<TensorId> out, IntegerForm form) {
    g.graph.nodes.push_back({n, layer, std::move(op), std::move(in), std::move(out)});
    g.forms.push_back(std::move(form));
  }
};
F of_bytes(int b) {
  return b == 1 ? F::kCodes8 : b == 2 ? F::kCodes16 : b == 4 ? F::kSums32 : F::kSums64;
}
}  // namespace

Mapping map_attention_layer(const ChipConfig& config, const LayerProblem& s) {
  const int d = s.model_width;
  const int in = s.heads * s.head_width;
  const int L = s.tokens;
  Builder b;
  Heads heads;
  heads.heads = heads.key_heads = s.heads;
  heads.in_columns = true;
  const TensorId x = b.t("X", L, d, R::kInput, F::kCodes8);
  TensorId q = kAbsent, k = kAbsent, st = kAbsent;
  if (has_queries(s.mechanism)) {
    k = b.t("K", L, in, R::kValue, F::kCodes8);
    q = b.t("Q", L, in, R::kValue, F::kCodes8);
    const TensorId wk = b.t("WK", d, in, R::kWeight, F::kCodes8);
    const TensorId wq = b.t("WQ", d, in, R::kWeight, F::kCodes8);
    b.node("key", "attention", Linear{}, {x, wk}, {k}, LinearInteger{});
    b.node("query", "attention", Linear{}, {x, wq}, {q}, LinearInteger{});
  } else {
    const TensorId u = b.t("u", s.heads, d, R::kWeight, F::kCodes8);
    const TensorId v = b.t("v", s.heads, d, R::kWeight, F::kCodes8);
    st = b.t("st", s.heads, 2 * L, R::kValue, F::kCodes8);
    b.node("scalars", "attention", model::DamfProject{}, {x, u, v}, {st}, DamfProjectInteger{});
  }
  const TensorId wv = b.t("WV", d, in, R::kWeight, F::kCodes8);
  const TensorId v = b.t("V", L, in, R::kValue, F::kCodes8);
  b.node("value", "attention", Linear{}, {x, wv}, {v}, LinearInteger{});
  const TensorId a = b.t("attention", L, in, R::kValue, F::kCodes8);
  switch (s.mechanism) {
    case Mechanism::kSoftmax: {
      SoftmaxAttention op;
      op.heads = heads;
      op.causal = s.causal;
      b.node("attention", "attention", op, {q, k, v}, {a}, SoftmaxInteger{});
      break;
    }
    case Mechanism::kDamf: {
      DamfAttention op;
      op.heads = heads;
      op.settings.causal = s.causal;
      b.node("attention", "attention", op, {st, v}, {a}, DamfInteger{});
      break;
    }
    case Mechanism::kSinkhorn: {
      SinkhornAttention op;
      op.heads = heads;
      op.causal = s.causal;
      b.node("attention", "attention", op, {q, k, v}, {a}, SinkhornFormat{});
      break;
    }
    case Mechanism::kLinear: {
      LinearAttention op;
      op.heads = heads;
      op.causal = s.causal;
      const TensorId tables = b.t("tables", 3, 256, R::kWeight, F::kCodes8);
      b.node("attention", "attention", op, {q, k, v, kAbsent, tables}, {a},
             LinearAttentionInteger{});
      break;
    }
  }
  const TensorId wo = b.t("WO", in, d, R::kWeight, F::kCodes8);
  const TensorId out = b.t("out", L, d, R::kOutput, F::kSums32);
  b.node("output", "attention", Linear{}, {a, wo}, {out}, LinearInteger{});
  return lower(config, b.g);
}

Mapping map_softmax(const ChipConfig& config, const SoftmaxShape& s, const Multiplier& exponent,
                    bool weights) {
  Builder b;
  SoftmaxAttention op;
  op.causal = s.causal;
  const TensorId q = b.t("Q", s.queries, s.width, R::kInput, F::kCodes8);
  const TensorId k = b.t("K", s.keys, s.width, R::kInput, F::kCodes8);
  const TensorId v = b.t("V", s.keys, s.value_width, R::kInput, F::kCodes8);
  const TensorId w = weights ? b.t("weights", s.queries, s.keys, R::kOutput, F::kSums32) : kAbsent;
  const TensorId out = b.t("out", s.queries, s.value_width, R::kOutput, F::kSums32);
  b.node("softmax", "softmax", op, {q, k, v}, {out, w}, SoftmaxInteger{exponent, {}});
  return lower(config, b.g);
}

Mapping map_damf_attend(const ChipConfig& config, int tokens, int width,
                        const DamfSettings& settings, const PowerRule& rule) {
  Builder b;
  DamfAttention op;
  op.settings = settings;
  const TensorId st = b.t("st", 1, 2 * tokens, R::kInput, F::kCodes8);
  const TensorId v = b.t("V", tokens, width, R::kInput, F::kCodes8);
  const TensorId out = b.t("out", tokens, width, R::kOutput, F::kSums32);
  b.node("damf", "damf", op, {st, v}, {out}, DamfInteger{{rule}, {}});
  return lower(config, b.g);
}

Mapping map_damf(const ChipConfig& config, const DamfProblem& p) {
  Builder b;
  DamfAttention op;
  op.settings = p.settings;
  const TensorId x = b.t("X", p.tokens, p.model_width, R::kInput, F::kCodes8);
  const TensorId u = b.t("u", 1, p.model_width, R::kWeight, F::kCodes8);
  const TensorId v = b.t("v", 1, p.model_width, R::kWeight, F::kCodes8);
  const TensorId wv = b.t("WV", p.model_width, p.width, R::kWeight, F::kCodes8);
  const TensorId st = b.t("st", 1, 2 * p.tokens, R::kOutput, F::kCodes8);
  const TensorId values = b.t("V", p.tokens, p.width, R::kValue, F::kCodes8);
  const TensorId out = b.t("out", p.tokens, p.width, R::kOutput, F::kSums32);
  b.node("scalars", "damf", model::DamfProject{}, {x, u, v}, {st},
         DamfProjectInteger{{p.s_factor}, {p.t_factor}});
  b.node("value", "damf", Linear{}, {x, wv}, {values}, LinearInteger{p.v_factor});
  b.node("damf", "damf", op, {st, values}, {out}, DamfInteger{{p.rule}, {}});
  return lower(config, b.g);
}

Mapping map_matmul(const ChipConfig& config, int tokens, int k, int n, int ib, int wb) {
  Builder b;
  const TensorId x = b.t("X", tokens, k, R::kInput, F::kCodes8);
  const TensorId w = b.t("W", k, n, R::kWeight, F::kCodes8);
  const TensorId out = b.t("out", tokens, n, R::kOutput, F::kSums32);
  b.node("matmul", "matmul", Linear{ib, wb}, {x, w}, {out}, LinearInteger{});
  return lower(config, b.g);
}

Mapping map_sinkhorn(const ChipConfig& config, const SinkhornProblem& p) {
  Builder b;
  const SinkhornShape& s = p.integer.shape;
  const bool scalings = p.integer.settings.form != SinkhornForm::kMatrix;
  const SinkhornFormat form{
      p.integer.factor, p.integer.fraction_bits, p.integer.tolerance_code, {}};
  TensorId c = kAbsent, q = kAbsent, k = kAbsent, v = kAbsent, g0 = kAbsent, f0 = kAbsent;
  if (p.score_width > 0) {
    q = b.t("Q", s.rows, p.score_width, R::kInput, F::kCodes8);
    k = b.t("K", s.columns, p.score_width, R::kInput, F::kCodes8);
  } else {
    c = b.t("C", std::int64_t{s.batch} * s.rows, s.columns, R::kInput, of_bytes(p.element_bytes));
  }
  if (p.warm_columns) g0 = b.t("g0", s.batch, s.columns, R::kInput, F::kSums32);
  if (p.warm_rows) f0 = b.t("f0", s.batch, s.rows, R::kInput, F::kSums32);
  TensorId out = kAbsent, kernel = kAbsent, f = kAbsent, g = kAbsent;
  if (p.value_width > 0) {
    v = b.t("V", s.columns, p.value_width, R::kInput, of_bytes(p.value_bytes));
    out = b.t("out", s.rows, p.value_width, R::kOutput, F::kSums32);
  }
  if (scalings) {
    f = b.t("f", s.batch, s.rows, R::kOutput, F::kSums32);
    g = b.t("g", s.batch, s.columns, R::kOutput, F::kSums32);
  }
  const TensorId it = b.t("iterations", 1, s.batch, R::kOutput, F::kSums32);
  if (p.kernel_wanted)
    kernel = b.t("kernel", std::int64_t{s.batch} * s.rows, s.columns, R::kOutput, F::kSums32);
  if (p.score_width > 0) {
    SinkhornAttention op;
    op.causal = s.causal;
    op.settings = p.integer.settings;
    op.assumed_half_steps = p.assumed_half_steps;
    b.node("sinkhorn", "sinkhorn", op, {q, k, v, g0, f0}, {out, kernel, f, g, it}, form);
  } else {
    Sinkhorn op;
    op.shape = s;
    op.settings = p.integer.settings;
    op.assumed_half_steps = p.assumed_half_steps;
    b.node("sinkhorn", "sinkhorn", op, {c, v, g0, f0}, {out, kernel, f, g, it}, form);
  }
  return lower(config, b.g);
}

Mapping map_linear(const ChipConfig& config, const LinearProblem& p) {
  Builder b;
  const LinearShape& s = p.shape;
  LinearAttention op;
  op.causal = s.causal;
  const TensorId tables = b.t("tables", 3, 256, R::kWeight, F::kCodes8);
  const TensorId rp =
      s.horizon >= 0 ? b.t("RP", 2 * s.horizon + 1, s.width, R::kInput, F::kCodes8) : kAbsent;
  const TensorId q = b.t("Q", s.queries, s.width, R::kInput, F::kCodes8);
  const TensorId k = b.t("K", s.keys, s.width, R::kInput, F::kCodes8);
  const TensorId v = b.t("V", s.keys, s.value_width, R::kInput, F::kCodes8);
  const TensorId out = b.t("out", s.queries, s.value_width, R::kOutput, F::kSums32);
  TensorId num = kAbsent, den = kAbsent;
  if (p.sums_wanted) {
    num = b.t("numerator", s.queries, s.value_width, R::kOutput, F::kSums64);
    den = b.t("denominator", 1, s.queries, R::kOutput, F::kSums64);
  }
  b.node("linear", "linear", op, {q, k, v, rp, tables}, {out, num, den}, LinearAttentionInteger{});
  return lower(config, b.g);
}

Mapping map_damf_linear(const ChipConfig& config, int tokens, int width,
                        const DamfSettings& settings) {
  Builder b;
  DamfAttention op;
  op.settings = settings;
  op.engine = DamfEngineChoice::kLinear;
  const TensorId st = b.t("st", 1, 2 * tokens, R::kInput, F::kCodes8);
  const TensorId v = b.t("V", tokens, width, R::kInput, F::kCodes8);
  const TensorId out = b.t("out", tokens, width, R::kOutput, F::kSums32);
  b.node("damf", "damf", op, {st, v}, {out}, DamfInteger{});
  return lower(config, b.g);
}
}  // namespace quadrille::hw
