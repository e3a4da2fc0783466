// The operators of DAMF: DamfProject makes the scalars s and t, DamfAttention
// attends with them.
#include <cmath>

#include "model/analytic/attention_counts.h"
#include "model/analytic/linear_counts.h"
#include "model/graph/heads.h"
#include "model/graph/node.h"
#include "model/numerics/product.h"

namespace quadrille::model {
namespace {

namespace project {
enum Slot : std::size_t { kX, kU, kV };
}
namespace attend {
enum Slot : std::size_t { kSt, kV };
}
constexpr std::size_t kOut = 0;

std::size_t size(std::int64_t count) { return static_cast<std::size_t>(count); }

/// A row of a matrix.
template <typename T>
std::vector<T> row_of(const std::vector<T>& matrix, std::int64_t row, std::int64_t columns) {
  const auto begin = matrix.begin() + row * columns;
  return {begin, begin + columns};
}

// At both levels: product(X of a batch entry, vector, head, whether of t) gives
// the scalars of one head.
template <typename Number, typename Node, typename Product>
std::vector<Number> project_all(const DamfProject& op, const Node& at, const Product& product) {
  const auto &x = at.in(project::kX), &u = at.in(project::kU), &v = at.in(project::kV);
  const std::int64_t width = at.input(project::kX).columns;
  const std::int64_t heads = at.input(project::kU).rows;
  const std::int64_t entry_elements = at.input(project::kX).elements() / op.batch;
  std::vector<Number> st;
  st.reserve(size(2 * heads * entry_elements / width * op.batch));
  for (std::int64_t b = 0; b < op.batch; ++b) {
    const auto entry = row_of(x, b, entry_elements);
    for (std::int64_t head = 0; head < heads; ++head) {
      const std::vector<Number> s = product(entry, row_of(u, head, width), size(head), false);
      const std::vector<Number> t = product(entry, row_of(v, head, width), size(head), true);
      for (std::size_t i = 0; i < s.size(); ++i) {
        st.push_back(s[i]);
        st.push_back(t[i]);
      }
    }
  }
  return st;
}

// At both levels: attend(s, t, V, head) gives one instance's out.
template <typename Number, typename Node, typename Attend>
std::vector<Number> attend_all(const DamfAttention& op, const Node& at, const Attend& attend) {
  const auto &st = at.in(attend::kSt), &values = at.in(attend::kV);
  const HeadLayout layout = HeadLayout::keys(op.heads, at.input(attend::kV));
  std::vector<Number> out(size(at.input(attend::kV).elements()));
  for (int i = 0; i < op.heads.instances(); ++i) {
    const auto pairs = row_of(st, i, at.input(attend::kSt).columns);
    std::decay_t<decltype(pairs)> s, t;
    for (std::size_t j = 0; j < pairs.size(); j += 2) {
      s.push_back(pairs[j]);
      t.push_back(pairs[j + 1]);
    }
    layout.put(out, i, attend(s, t, layout.take(values, i), size(i % op.heads.heads)));
  }
  return out;
}

/// What multiplies the scores of a head, when it does.
double sigma_of(const DamfAttention& op, std::size_t head) {
  return op.sigma.empty() ? 1.0 : op.sigma[head];
}

int head_width(const DamfAttention& op, const NodeView& at) {
  return HeadLayout::keys(op.heads, at.input(attend::kV)).width();
}

}  // namespace

void check(const DamfProject& op, const NodeView& at) {
  at.require_input(project::kX, -1, -1);
  const Tensor& x = at.input(project::kX);
  at.require_input(project::kU, -1, x.columns);
  const std::int64_t heads = at.input(project::kU).rows;
  at.require_input(project::kV, heads, x.columns);
  if (op.batch < 1 || x.rows % op.batch != 0) at.refuse("expected rows for every batch entry");
  at.require_output(kOut, op.batch * heads, 2 * x.rows / op.batch);
}

void evaluate(const DamfProject& op, const FloatNode& at) {
  at.put(kOut, project_all<double>(op, at, [](const auto& x, const auto& vector, auto, auto) {
           return product_float(x, vector, vector.size(), 1);
         }));
}

IntegerForm quantise(const DamfProject&, QuantiseNode& at) {
  DamfProjectInteger form;
  const std::vector<double>& u = at.scales(at.node.input(project::kU));
  const std::vector<double>& v = at.scales(at.node.input(project::kV));
  const std::vector<double>& st = at.scales(at.node.output(kOut));
  for (std::size_t head = 0; head < u.size(); ++head) {
    form.s.push_back(at.multiplier(at.in_scale(project::kX) * u[head] / st[2 * head]));
    form.t.push_back(at.multiplier(at.in_scale(project::kX) * v[head] / st[2 * head + 1]));
  }
  return form;
}

void evaluate(const DamfProject& op, const IntegerNode& at) {
  const auto& form = std::get<DamfProjectInteger>(at.form);
  const std::vector<std::int64_t> st = project_all<std::int64_t>(
      op, at, [&](const auto& x, const auto& vector, std::size_t head, bool of_t) {
        const Multiplier& factor = of_t ? form.t[head] : form.s[head];
        std::vector<std::int64_t> codes = product_fixed(x, vector, vector.size(), 1);
        for (std::int64_t& code : codes) code = at.requantised(code, factor, 8);
        return codes;
      });
  at.put_codes(kOut, st);
}

std::optional<Work> count(const DamfProject&, const NodeView& at, const LinearTiling&) {
  return Work{2 * at.input(project::kX).elements() * at.input(project::kU).rows, 0};
}

void check(const DamfAttention& op, const NodeView& at) {
  at.require_input(attend::kSt, -1, -1);
  at.require_input(attend::kV, -1, -1);
  const Tensor& values = at.input(attend::kV);
  const HeadLayout layout = HeadLayout::keys(op.heads, values);
  if (op.heads.key_heads != op.heads.heads || !layout.fits())
    at.refuse("expected as many key heads as heads, and values of every head");
  at.require_input(attend::kSt, op.heads.instances(), std::int64_t{2} * layout.length());
  at.require_output(kOut, values.rows, values.columns);
  if (!op.sigma.empty() && op.sigma.size() != size(op.heads.heads))
    at.refuse("expected a sigma for every head");
}

void evaluate(const DamfAttention& op, const FloatNode& at) {
  const int width = head_width(op, at);
  at.put(kOut, attend_all<double>(
                   op, at, [&](const auto& s, const auto& t, const auto& v, std::size_t head) {
                     return damf_float(s, t, v, width, sigma_of(op, head), op.settings).out;
                   }));
}

IntegerForm quantise(const DamfAttention& op, QuantiseNode& at) {
  DamfInteger form;
  const std::vector<double>& st = at.scales(at.node.input(attend::kSt));
  for (std::size_t head = 0; head < size(op.heads.heads); ++head) {
    // Without a leading direction (sigma 0) all scores are zero, whatever the rule.
    const bool kept = op.settings.keep_sigma && sigma_of(op, head) > 0.0;
    const double sigma = kept ? sigma_of(op, head) : 1.0;
    form.rules.push_back(
        make_power_rule(op.settings.rounding, st[2 * head] * st[2 * head + 1] * sigma));
  }
  form.out = at.out(kOut, std::ldexp(at.in_scale(attend::kV), -kDamfOutputFractionBits));
  return form;
}

void evaluate(const DamfAttention& op, const IntegerNode& at) {
  const auto& form = std::get<DamfInteger>(at.form);
  const int width = head_width(op, at);
  const auto out = attend_all<std::int64_t>(
      op, at, [&](const auto& s, const auto& t, const auto& v, std::size_t head) {
        DamfFixedResult damf = damf_fixed(s, t, v, width, form.rules[head], op.settings);
        at.run.uniform_rows += damf.uniform_rows;
        at.run.saturated += damf.saturated;
        return std::move(damf.out_q);
      });
  at.put(kOut, out, form.out);
}

std::optional<Work> count(const DamfAttention& op, const NodeView& at, const LinearTiling& tiling) {
  const HeadLayout layout = HeadLayout::keys(op.heads, at.input(attend::kV));
  const std::int64_t instances = op.heads.instances();
  if (op.engine == DamfEngineChoice::kLinear) {
    const LinearCounts counts =
        damf_linear_counts(layout.length(), layout.width(), op.settings.causal, tiling.chunk_tokens,
                           tiling.group_columns);
    return Work{instances * counts.macs_static, instances * counts.macs_dynamic};
  }
  const AttentionCounts counts = damf_counts({layout.length(), layout.width(), 1}, op.settings);
  return Work{0, instances * counts.macs_dynamic()};
}

}  // namespace quadrille::model
