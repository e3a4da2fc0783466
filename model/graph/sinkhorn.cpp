// The operators Sinkhorn, on given costs, and SinkhornAttention, on logits of
// queries and keys.
#include <algorithm>
#include <cmath>

#include "model/graph/heads.h"
#include "model/graph/node.h"
#include "model/numerics/constants.h"
#include "model/numerics/product.h"

namespace quadrille::model {
namespace {

namespace costs {
enum Slot : std::size_t { kC, kV, kG0, kF0 };
}
namespace pairs {
enum Slot : std::size_t { kQ, kK, kV, kG0, kF0 };
}
enum Out : std::size_t { kOut, kKernel, kF, kG, kIterations };

template <typename T>
void append(std::vector<T>& to, const std::vector<T>& more) {
  to.insert(to.end(), more.begin(), more.end());
}

/// The starting scalings of `count` matrices from matrix `first` on, or none.
template <typename Node, typename T>
std::vector<T> starts(const Node& at, std::size_t slot, int first, int count, const T&) {
  if (!at.has_input(slot)) return {};
  const auto all = at.in(slot);
  const std::int64_t columns = at.input(slot).columns;
  return {all.begin() + first * columns, all.begin() + (first + count) * columns};
}

std::vector<double> scalings_of(std::vector<double> logs) {
  for (double& log : logs) log = sinkhorn_scaling(log * kLog2E);
  return logs;
}

SinkhornShape head_shape(const SinkhornAttention& op, const AttentionTensors& tensors) {
  return {1, tensors.queries, tensors.keys, op.causal};
}

// --- level float ---------------------------------------------------------------

/// Costs in nats. InputError where one is not finite.
std::vector<double> logits_of(const Sinkhorn& op, const FloatNode& at) {
  std::vector<double> logits = at.in(costs::kC);
  for (double& logit : logits) logit /= op.epsilon;
  return logits;
}

std::vector<double> logits_of(const SinkhornAttention& op, const AttentionTensors& tensors,
                              const FloatNode& at, int instance) {
  std::vector<double> logits = product_transposed_float(
      tensors.q.take(at.in(pairs::kQ), instance),
      tensors.k.take(at.in(pairs::kK), op.heads.key_instance(instance)),
      static_cast<std::size_t>(tensors.width), static_cast<std::size_t>(tensors.keys), op.scale);
  for (double& logit : logits) logit /= op.epsilon;
  return logits;
}

void require_finite(const std::vector<double>& logits, int columns, const std::string& tensors,
                    const NodeView& at) {
  const auto wrong = std::find_if(logits.begin(), logits.end(),
                                  [](double logit) { return !std::isfinite(logit); });
  if (wrong == logits.end()) return;
  const auto index = wrong - logits.begin();
  throw InputError(at.graph.source, tensors,
                   "the logit at [" + std::to_string(index / columns) + "," +
                       std::to_string(index % columns) +
                       "] is not finite, expected a larger epsilon");
}

double largest_magnitude(const std::vector<double>& values) {
  double largest = 0.0;
  for (const double value : values) largest = std::max(largest, std::fabs(value));
  return largest;
}

/// What either operator delivers, of as many matrices as have been added.
struct Delivered {
  std::vector<double> kernel, f, g, iterations;

  void add(SinkhornResult made) {
    append(kernel, made.k);
    append(f, scalings_of(std::move(made.log_r)));
    append(g, scalings_of(std::move(made.log_c)));
    iterations.insert(iterations.end(), made.iterations.begin(), made.iterations.end());
  }
  void put(const FloatNode& at) {
    at.put(kKernel, std::move(kernel));
    at.put(kF, std::move(f));
    at.put(kG, std::move(g));
    at.put(kIterations, std::move(iterations));
  }
};

// --- integers ------------------------------------------------------------------

/// Formats for logits of `unit` octaves per unit of a code or score. Where the
/// codes are known, what they make counts, too: rounded operands may have larger
/// scores than the real ones.
SinkhornFormat format_of(const SinkhornSettings& settings, double unit,
                         const std::vector<std::int32_t>& codes, const std::string& factors,
                         const QuantiseNode& at) {
  double largest_code = 0.0;
  for (const std::int32_t code : codes)
    largest_code = std::max(largest_code, std::fabs(static_cast<double>(code)));
  SinkhornFormat form;
  form.fraction_bits =
      logit_fraction_bits(std::max(at.largest_logit * kLog2E, largest_code * unit));
  form.tolerance_code = sinkhorn_tolerance_code(std::min(settings.tolerance, 32767.0));
  // Logits that are all zero have no scale, and such a small one makes them so.
  if (codes.empty() || largest_code > 0.0) {
    form.factor = at.multiplier(
        std::max(std::ldexp(unit, form.fraction_bits), std::ldexp(1.0, -46)), factors);
  }
  return form;
}

SinkhornInteger integer_of(const SinkhornShape& shape, const SinkhornSettings& settings,
                           const SinkhornFormat& form) {
  return {shape, settings, form.factor, form.fraction_bits, form.tolerance_code};
}

/// A held K needs logits of a small spread: that of the codes, or, while they are
/// not known, at most twice the largest magnitude.
void check_spread(const SinkhornInteger& problem, const std::vector<std::int32_t>& codes,
                  const QuantiseNode& at) {
  if (problem.settings.form == SinkhornForm::kScaling) return;
  const int spread = codes.empty() ? static_cast<int>(std::ceil(2.0 * at.largest_logit * kLog2E))
                                   : kernel_spread(codes, problem);
  if (spread <= kKernelSpreadOctaves) return;
  throw InputError(at.graph.source, "tensor '" + at.input(0).name + "'",
                   "logits spread over " + std::to_string(spread) + " octaves, expected at most " +
                       std::to_string(kKernelSpreadOctaves) +
                       " where K is held; form=scaling with hold=logits has no such limit");
}

/// Scales, encodings and starting codes, which both operators have alike.
void quantise_rest(const SinkhornSettings& settings, std::size_t value_slot, std::size_t g0_slot,
                   SinkhornFormat& form, QuantiseNode& at) {
  at.out(kKernel, std::ldexp(1.0, -kKernelFractionBits));
  at.out(kIterations, 1.0);
  if (at.has_input(value_slot)) {
    form.out = at.out(kOut, std::ldexp(at.in_scale(value_slot), -kSinkhornOutputFractionBits));
  }
  const Encoding scaling =
      settings.form == SinkhornForm::kKernel ? Encoding::kReciprocal : Encoding::kLog2;
  for (const std::size_t slot : {kF, kG}) {
    if (at.has_output(slot)) at.encode(at.node.output(slot), scaling);
  }
  for (const std::size_t slot : {g0_slot, g0_slot + 1}) {
    if (!at.has_input(slot)) continue;
    at.encode(at.node.input(slot), Encoding::kLog2);
    at.store(slot, pack(sinkhorn_log_codes(at.value(slot)), at.input(slot).format));
  }
}

/// Integer scores Q K^T of one instance.
std::vector<std::int32_t> scores_of(const std::vector<std::int32_t>& q,
                                    const std::vector<std::int32_t>& k, int width) {
  const auto columns = static_cast<std::size_t>(width);
  std::vector<std::int32_t> scores;
  scores.reserve(q.size() / columns * (k.size() / columns));
  for (std::size_t i = 0; i < q.size(); i += columns) {
    for (std::size_t j = 0; j < k.size(); j += columns) {
      std::int32_t score = 0;
      for (std::size_t c = 0; c < columns; ++c) score += q[i + c] * k[j + c];
      scores.push_back(score);
    }
  }
  return scores;
}

std::vector<std::int32_t> all_scores(const SinkhornAttention& op, const AttentionTensors& tensors,
                                     const std::vector<std::int32_t>& q,
                                     const std::vector<std::int32_t>& k) {
  std::vector<std::int32_t> scores;
  if (q.empty() || k.empty()) return scores;
  for (int i = 0; i < op.heads.instances(); ++i) {
    append(scores, scores_of(tensors.q.take(q, i), tensors.k.take(k, op.heads.key_instance(i)),
                             tensors.width));
  }
  return scores;
}

/// What the level `fixed` of either operator delivers.
struct DeliveredCodes {
  std::vector<std::int64_t> kernel, f, g, iterations;

  void add(const SinkhornFixedResult& made, SinkhornShape shape, const IntegerNode& at) {
    at.run.saturated += made.saturated;
    append(f, made.f_q);
    append(g, made.g_q);
    iterations.insert(iterations.end(), made.iterations.begin(), made.iterations.end());
    if (at.has_output(kKernel)) append(kernel, made.k_q);
    shape.batch = 1;
    std::vector<double> k;
    for (const std::int64_t code : made.k_q) {
      k.push_back(std::ldexp(static_cast<double>(code), -kKernelFractionBits));
      if (static_cast<std::int64_t>(k.size()) < shape.elements()) continue;
      at.residuals.push_back(sinkhorn_residual(k, shape));
      k.clear();
    }
  }
  void put(const IntegerNode& at) const {
    at.put(kKernel, kernel);
    at.put(kF, f);
    at.put(kG, g);
    at.put(kIterations, iterations);
  }
};

// --- shapes and work -------------------------------------------------------------

void check_common(const SinkhornShape& shape, std::size_t g0_slot, const NodeView& at) {
  if (shape.causal && shape.columns > shape.rows) {
    at.refuse("causal with " + std::to_string(shape.rows) + " rows and " +
              std::to_string(shape.columns) +
              " columns, expected no more columns than rows: no row sees the last ones");
  }
  if (at.has_input(g0_slot)) at.require_input(g0_slot, shape.batch, shape.columns);
  if (at.has_input(g0_slot + 1)) at.require_input(g0_slot + 1, shape.batch, shape.rows);
  at.require_output(kKernel, std::int64_t{shape.batch} * shape.rows, shape.columns);
  at.require_output(kF, shape.batch, shape.rows);
  at.require_output(kG, shape.batch, shape.columns);
  at.require_output(kIterations, 1, shape.batch);
}

/// Products per visible element and matrix: `width` of them, and with held K one
/// per sweep.
std::optional<Work> count_common(const SinkhornShape& shape, const SinkhornSettings& settings,
                                 std::int64_t width) {
  if (settings.form == SinkhornForm::kKernel) {
    if (settings.tolerance > 0.0) return std::nullopt;
    width += settings.half_steps;
  }
  const std::int64_t visible =
      shape.causal ? causal_pairs(shape.rows, shape.columns, 0) : shape.elements();
  return Work{0, shape.batch * visible * width};
}

}  // namespace

double largest_logit(const Sinkhorn& op, const FloatNode& at) {
  return largest_magnitude(logits_of(op, at));
}

double largest_logit(const SinkhornAttention& op, const FloatNode& at) {
  const AttentionTensors tensors(op.heads, at);
  double largest = 0.0;
  for (int i = 0; i < op.heads.instances(); ++i)
    largest = std::max(largest, largest_magnitude(logits_of(op, tensors, at, i)));
  return largest;
}

void check(const Sinkhorn& op, const NodeView& at) {
  const SinkhornShape& shape = op.shape;
  at.require_input(costs::kC, std::int64_t{shape.batch} * shape.rows, shape.columns);
  if (at.has_input(costs::kV)) {
    if (shape.batch != 1) at.refuse("expected no values with a batch of matrices");
    at.require_input(costs::kV, shape.columns, -1);
    at.require_output(kOut, shape.rows, at.input(costs::kV).columns);
  }
  check_common(shape, costs::kG0, at);
}

void evaluate(const Sinkhorn& op, const FloatNode& at) {
  const std::vector<double> logits = logits_of(op, at);
  require_finite(logits, op.shape.columns, "tensor '" + at.input(costs::kC).name + "'", at);
  SinkhornResult made =
      sinkhorn_float(logits, op.shape, op.settings, starts(at, costs::kG0, 0, op.shape.batch, 0.0),
                     starts(at, costs::kF0, 0, op.shape.batch, 0.0));
  if (at.has_input(costs::kV)) {
    at.put(kOut, product_float(made.k, at.in(costs::kV), static_cast<std::size_t>(op.shape.columns),
                               static_cast<std::size_t>(at.input(costs::kV).columns)));
  }
  Delivered delivered;
  delivered.add(std::move(made));
  delivered.put(at);
}

IntegerForm quantise(const Sinkhorn& op, QuantiseNode& at) {
  const std::vector<std::int32_t> codes = at.codes(costs::kC);
  SinkhornFormat form = format_of(op.settings, kLog2E / op.epsilon * at.in_scale(costs::kC), codes,
                                  setting_text("epsilon", op.epsilon), at);
  check_spread(integer_of(op.shape, op.settings, form), codes, at);
  quantise_rest(op.settings, costs::kV, costs::kG0, form, at);
  return form;
}

void evaluate(const Sinkhorn& op, const IntegerNode& at) {
  const auto& form = std::get<SinkhornFormat>(at.form);
  const SinkhornFixedResult made =
      sinkhorn_fixed(at.in(costs::kC), integer_of(op.shape, op.settings, form),
                     starts(at, costs::kG0, 0, op.shape.batch, std::int32_t{}),
                     starts(at, costs::kF0, 0, op.shape.batch, std::int32_t{}));
  if (at.has_input(costs::kV)) {
    at.put(kOut,
           sinkhorn_apply_fixed(made.k_q, at.in(costs::kV), op.shape,
                                static_cast<int>(at.input(costs::kV).columns), at.run.saturated),
           form.out);
  }
  DeliveredCodes delivered;
  delivered.add(made, op.shape, at);
  delivered.put(at);
}

std::optional<Work> count(const Sinkhorn& op, const NodeView& at, const LinearTiling&) {
  return count_common(op.shape, op.settings,
                      at.has_input(costs::kV) ? at.input(costs::kV).columns : 0);
}

void check(const SinkhornAttention& op, const NodeView& at) {
  check_attention(op.heads, op.causal, CausalAlign::kStart, at);
  SinkhornShape shape = head_shape(op, AttentionTensors(op.heads, at));
  shape.batch = op.heads.instances();
  check_common(shape, pairs::kG0, at);
}

void evaluate(const SinkhornAttention& op, const FloatNode& at) {
  const AttentionTensors tensors(op.heads, at);
  const std::string names =
      "tensors '" + at.input(pairs::kQ).name + "', '" + at.input(pairs::kK).name + "'";
  std::vector<double> out = tensors.empty_out<double>(op.heads);
  Delivered delivered;
  for (int i = 0; i < op.heads.instances(); ++i) {
    const std::vector<double> logits = logits_of(op, tensors, at, i);
    require_finite(logits, tensors.keys, names, at);
    SinkhornResult made =
        sinkhorn_float(logits, head_shape(op, tensors), op.settings,
                       starts(at, pairs::kG0, i, 1, 0.0), starts(at, pairs::kF0, i, 1, 0.0));
    if (at.has_input(pairs::kV)) {
      tensors.out.put(
          out, i,
          product_float(made.k, tensors.v.take(at.in(pairs::kV), op.heads.key_instance(i)),
                        static_cast<std::size_t>(tensors.keys),
                        static_cast<std::size_t>(tensors.value_width)));
    }
    delivered.add(std::move(made));
  }
  at.put(kOut, std::move(out));
  delivered.put(at);
}

IntegerForm quantise(const SinkhornAttention& op, QuantiseNode& at) {
  const AttentionTensors tensors(op.heads, at);
  const std::vector<std::int32_t> scores =
      all_scores(op, tensors, at.codes(pairs::kQ), at.codes(pairs::kK));
  const double unit =
      kLog2E / op.epsilon * (at.in_scale(pairs::kQ) * at.in_scale(pairs::kK) * op.scale);
  SinkhornFormat form =
      format_of(op.settings, unit, scores,
                setting_text("scale", op.scale) + ", " + setting_text("epsilon", op.epsilon), at);
  SinkhornShape shape = head_shape(op, tensors);
  shape.batch = op.heads.instances();
  check_spread(integer_of(shape, op.settings, form), scores, at);
  quantise_rest(op.settings, pairs::kV, pairs::kG0, form, at);
  return form;
}

void evaluate(const SinkhornAttention& op, const IntegerNode& at) {
  const auto& form = std::get<SinkhornFormat>(at.form);
  const AttentionTensors tensors(op.heads, at);
  const SinkhornInteger problem = integer_of(head_shape(op, tensors), op.settings, form);
  const auto q = at.in(pairs::kQ), k = at.in(pairs::kK);
  const auto v = at.has_input(pairs::kV) ? at.in(pairs::kV) : std::vector<std::int32_t>{};
  std::vector<std::int64_t> out = tensors.empty_out<std::int64_t>(op.heads);
  DeliveredCodes delivered;
  for (int i = 0; i < op.heads.instances(); ++i) {
    const int key = op.heads.key_instance(i);
    const SinkhornFixedResult made = sinkhorn_fixed(
        scores_of(tensors.q.take(q, i), tensors.k.take(k, key), tensors.width), problem,
        starts(at, pairs::kG0, i, 1, std::int32_t{}), starts(at, pairs::kF0, i, 1, std::int32_t{}));
    if (!v.empty()) {
      tensors.out.put(out, i,
                      sinkhorn_apply_fixed(made.k_q, tensors.v.take(v, key), problem.shape,
                                           tensors.value_width, at.run.saturated));
    }
    delivered.add(made, problem.shape, at);
  }
  at.put(kOut, out, form.out);
  delivered.put(at);
}

std::optional<Work> count(const SinkhornAttention& op, const NodeView& at, const LinearTiling&) {
  const AttentionTensors tensors(op.heads, at);
  SinkhornShape shape = head_shape(op, tensors);
  shape.batch = op.heads.instances();
  return count_common(shape, op.settings, tensors.width + tensors.value_width);
}

}  // namespace quadrille::model
