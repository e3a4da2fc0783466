// The Sinkhorn unit and the linear-attention engine against level `fixed` on
// random problems, bit for bit, each on a whole chip (see random_cases_test.cpp).
#include "model/analytic/linear_counts.h"
#include "model/attention/damf.h"
#include "model/attention/linear.h"
#include "model/attention/sinkhorn.h"
#include "model/numerics/power_of_two.h"
#include "testbench/common/random_cases.h"

namespace quadrille {
namespace {

using testbench::NodeCase;
using testbench::RandomCases;

using RandomSinkhorn = RandomCases;
using RandomLinear = RandomCases;

std::int64_t visible_elements(const model::SinkhornShape& shape) {
  std::int64_t count = 0;
  for (int i = 0; i < shape.rows; ++i) {
    for (int j = 0; j < shape.columns; ++j) count += shape.visible(i, j) ? 1 : 0;
  }
  return count;
}

std::vector<std::int32_t> random_codes(testbench::Draw& draw, std::int64_t count, int bits) {
  return draw.codes(static_cast<int>(count), bits);
}

// Q K^T as the CIM bank makes it.
std::vector<std::int32_t> scores_of(const std::vector<std::int32_t>& q,
                                    const std::vector<std::int32_t>& k,
                                    const model::SinkhornShape& shape, int width) {
  std::vector<std::int32_t> scores;
  const auto d = static_cast<std::size_t>(width);
  for (std::size_t i = 0; i < static_cast<std::size_t>(shape.rows); ++i) {
    for (std::size_t j = 0; j < static_cast<std::size_t>(shape.columns); ++j) {
      std::int32_t sum = 0;
      for (std::size_t c = 0; c < d; ++c) sum += q[i * d + c] * k[j * d + c];
      scores.push_back(sum);
    }
  }
  return scores;
}

struct SinkhornProblem {
  model::SinkhornInteger integer;
  int score_width = 0;  ///< 0: the input is C; else Q and K are so wide.
  int element_bytes = 2;
  bool warm_columns = false, warm_rows = false;
  bool kernel_wanted = true;
  int value_width = 0;  ///< 0: no V.
  int value_bytes = 2;
};

model::Format format_of(int bytes) {
  return bytes == 1   ? model::Format::kCodes8
         : bytes == 2 ? model::Format::kCodes16
                      : model::Format::kSums32;
}

NodeCase node_of(const SinkhornProblem& problem, const std::vector<std::int32_t>& c,
                 const std::vector<std::int32_t>& q, const std::vector<std::int32_t>& k,
                 const std::vector<std::int32_t>& v, const std::vector<std::int32_t>& g0,
                 const std::vector<std::int32_t>& f0) {
  const model::SinkhornInteger& integer = problem.integer;
  const model::SinkhornShape& shape = integer.shape;
  const model::SinkhornFormat form{
      integer.factor, integer.fraction_bits, integer.tolerance_code, {}};
  const auto node = [&]() -> NodeCase {
    if (problem.score_width == 0) return {model::Sinkhorn{shape, integer.settings, 1.0, 0}, form};
    model::SinkhornAttention attention;
    attention.causal = shape.causal;
    attention.settings = integer.settings;
    return {attention, form};
  };
  NodeCase made = node();
  if (problem.score_width == 0) {
    made.input("C", std::int64_t{shape.batch} * shape.rows, shape.columns, c,
               format_of(problem.element_bytes));
  } else {
    made.input("Q", shape.rows, problem.score_width, q)
        .input("K", shape.columns, problem.score_width, k);
  }
  const auto input = [&](bool there, const char* name, std::int64_t rows, std::int64_t columns,
                         const std::vector<std::int32_t>& codes, model::Format format) {
    there ? made.input(name, rows, columns, codes, format) : made.no_input();
  };
  const auto output = [&](bool there, const char* name, std::int64_t rows, std::int64_t columns) {
    there ? made.output(name, rows, columns) : made.no_output();
  };
  const bool scalings = integer.settings.form != model::SinkhornForm::kMatrix;
  const bool values = problem.value_width > 0;
  input(values, "V", shape.columns, problem.value_width, v, format_of(problem.value_bytes));
  input(problem.warm_columns, "g0", shape.batch, shape.columns, g0, model::Format::kSums32);
  input(problem.warm_rows, "f0", shape.batch, shape.rows, f0, model::Format::kSums32);
  output(values, "out", shape.rows, problem.value_width);
  output(problem.kernel_wanted, "kernel", std::int64_t{shape.batch} * shape.rows, shape.columns);
  output(scalings, "f", shape.batch, shape.rows);
  output(scalings, "g", shape.batch, shape.columns);
  output(true, "iterations", 1, shape.batch);
  return made;
}

TEST_F(RandomSinkhorn, OnTheChipEqualsFixed) {
  static const char* kForms[] = {"scaling", "kernel", "matrix"};
  int stopped = 0;
  for (int trial = 0; trial < cases(10400); ++trial) {
    SinkhornProblem problem;
    model::SinkhornInteger& integer = problem.integer;
    const bool batched = trial % 4 == 1;
    const bool large = trial % 16 == 3;
    const int side = batched ? 12 : large ? 160 : 40;
    integer.shape.rows = draw_.size(side);
    integer.shape.columns = draw_.flip() ? integer.shape.rows : draw_.size(side);
    integer.shape.batch = batched ? draw_.size(40) : 1;
    integer.shape.causal = integer.shape.columns <= integer.shape.rows && draw_.below(3) == 0;
    const int form = large ? 0 : std::max(0, draw_.below(6) - 3);
    integer.settings.form = static_cast<model::SinkhornForm>(form);
    integer.settings.half_steps = 1 + draw_.below(large ? 4 : 12);
    const bool damped = form == 0 && draw_.flip();
    if (damped) integer.settings.update = model::SinkhornUpdate::kDamped;
    if (draw_.below(3) == 0) {
      integer.settings.tolerance = std::exp2(-draw_.below(14));
      integer.tolerance_code = model::sinkhorn_tolerance_code(integer.settings.tolerance);
    }
    const bool scores = !batched && form == 0 && draw_.below(3) == 0;
    problem.score_width = scores ? draw_.size(40) : 0;
    problem.element_bytes = draw_.flip() ? 2 : 4;
    problem.value_width = batched || draw_.flip() ? 0 : draw_.size(24);
    problem.value_bytes = 1 << draw_.below(3);
    problem.kernel_wanted = problem.value_width == 0 || draw_.flip();
    problem.warm_columns = form == 0 && draw_.below(3) == 0;
    problem.warm_rows = problem.warm_columns && damped &&
                        (integer.shape.rows != integer.shape.columns || draw_.flip());
    integer.fraction_bits = 8 + draw_.below(7);
    const std::string what = fmt::format(
        "seed {} trial {}: {} x {} x {} {} causal {} damped {}", seed_, trial, integer.shape.batch,
        integer.shape.rows, integer.shape.columns, kForms[form], integer.shape.causal, damped);

    // Held K takes a small spread: few bits of logits at most fraction bits.
    if (form != 0) integer.fraction_bits = 14;
    integer.factor = model::make_multiplier(form != 0 ? 1.0 : std::exp2(draw_.below(6) - 4));
    const std::int64_t count = integer.shape.batch * integer.shape.elements();
    std::vector<std::int32_t> codes, q, k, g0, f0, v;
    if (scores) {
      q = random_codes(draw_, integer.shape.rows * problem.score_width, 8);
      k = random_codes(draw_, integer.shape.columns * problem.score_width, 8);
      codes = scores_of(q, k, integer.shape, problem.score_width);
    } else {
      codes = random_codes(draw_, count, 16);
    }
    if (problem.warm_columns)
      g0 = random_codes(draw_, integer.shape.batch * integer.shape.columns, 20);
    if (problem.warm_rows) f0 = random_codes(draw_, integer.shape.batch * integer.shape.rows, 20);
    if (problem.value_width > 0) {
      v = random_codes(draw_, integer.shape.columns * problem.value_width,
                       problem.value_bytes == 4 ? 20 : 8 * problem.value_bytes);
    }
    census_.size("rows", integer.shape.rows);
    census_.size("columns", integer.shape.columns);
    census_.size("batch", integer.shape.batch);
    census_.settings({kForms[form], integer.shape.causal ? "causal" : "all",
                      integer.settings.tolerance > 0 ? "stop" : "fixed count",
                      scores ? "from Q, K" : "from C"});
    const hw::ChipConfig& config = chip(std::max(integer.shape.rows, integer.shape.columns) <= 64);
    if (form != 0 && !hw::sinkhorn_resident(config.sinkhorn, integer.shape.rows,
                                            integer.shape.columns, integer.settings.form)) {
      continue;
    }
    census_.tile(!hw::sinkhorn_resident(config.sinkhorn, integer.shape.rows, integer.shape.columns,
                                        integer.settings.form) ||
                 integer.shape.batch > 8);
    const auto fixed = model::sinkhorn_fixed(codes, integer, g0, f0);
    std::int64_t macs = 0;
    const std::int64_t visible = visible_elements(integer.shape);
    if (form == 1) {
      for (const int sweeps : fixed.sweeps) macs += visible * sweeps;
    }
    macs += visible * (problem.value_width + problem.score_width);
    for (const int done : fixed.iterations) stopped += done < integer.settings.half_steps ? 1 : 0;
    // Only the data decide how often held K under a tolerance is summed.
    const bool known = form != 1 || integer.settings.tolerance == 0.0;
    const std::optional<hw::ExpectedWork> expected =
        known ? std::optional(hw::ExpectedWork{0, macs}) : std::nullopt;
    const auto out = node_of(problem, codes, q, k, v, g0, f0).run(config, expected);
    if (form != 2) {
      expect_equal(fixed.f_q, out.at("f"), what + " f");
      expect_equal(fixed.g_q, out.at("g"), what + " g");
    }
    expect_equal({fixed.iterations.begin(), fixed.iterations.end()}, out.at("iterations"),
                 what + " iterations");
    if (problem.kernel_wanted) expect_equal(fixed.k_q, out.at("kernel"), what + " K");
    if (problem.value_width > 0) {
      std::int64_t saturated = 0;
      expect_equal(
          model::sinkhorn_apply_fixed(fixed.k_q, v, integer.shape, problem.value_width, saturated),
          out.at("out"), what + " out");
    }
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(stopped, 0) << "no tolerance ever stopped a matrix";
  census_.check(least_per_pair());
}

TEST_F(RandomLinear, OnTheChipEqualsFixed) {
  for (int trial = 0; trial < cases(10000); ++trial) {
    model::LinearShape shape;
    shape.queries = draw_.size(trial % 8 == 0 ? 700 : 100);
    shape.keys = draw_.flip() ? shape.queries : draw_.size(100);
    shape.width = draw_.size(trial % 4 == 0 ? 100 : 24);
    shape.value_width = draw_.size(trial % 4 == 2 ? 100 : 24);
    shape.causal = draw_.flip();
    shape.horizon = draw_.flip() ? -1 : draw_.below(5);
    const bool sums_wanted = draw_.flip();
    const std::string what = fmt::format("seed {} trial {}: Lq {} Lk {} d {} dv {} causal {} k {}",
                                         seed_, trial, shape.queries, shape.keys, shape.width,
                                         shape.value_width, shape.causal, shape.horizon);
    const auto q = draw_.codes(shape.queries * shape.width);
    const auto k = draw_.codes(shape.keys * shape.width);
    const auto v = draw_.codes(shape.keys * shape.value_width);
    const auto rp = draw_.codes(shape.horizon < 0 ? 0 : (2 * shape.horizon + 1) * shape.width);
    const double scale = draw_.scale();
    const auto phi_q = model::make_phi_table(scale, model::phi_scale(scale));
    const auto phi_k = model::make_phi_table(2 * scale, model::phi_scale(2 * scale));
    const auto phi_rp = model::make_phi_table(scale / 2, model::phi_scale(2 * scale));
    std::vector<std::int64_t> tables(phi_q.begin(), phi_q.end());
    tables.insert(tables.end(), phi_k.begin(), phi_k.end());
    tables.insert(tables.end(), phi_rp.begin(), phi_rp.end());
    census_.size("Lq", shape.queries);
    census_.size("Lk", shape.keys);
    census_.size("d", shape.width);
    census_.size("dv", shape.value_width);
    census_.settings({shape.causal ? "causal" : "all keys",
                      shape.queries < shape.keys ? "Lq < Lk" : "Lq >= Lk",
                      shape.horizon < 0    ? "no RP"
                      : shape.horizon == 0 ? "k = 0"
                                           : "k > 0"});
    const hw::ChipConfig& config = chip(shape.width <= 32 && shape.value_width <= 64);
    census_.tile(shape.value_width > config.linear.lanes || shape.queries > 200);
    const auto fixed = model::linear_fixed(q, k, v, rp, shape, phi_q, phi_k, phi_rp);
    model::LinearShape seen = shape;
    if (seen.causal) seen.keys = std::min(seen.keys, seen.queries);
    const auto counts = model::linear_counts(seen, config.linear.chunk_tokens, config.linear.lanes);
    model::LinearAttention attention;
    attention.causal = shape.causal;
    NodeCase node(attention, model::LinearAttentionInteger{phi_q, phi_k, phi_rp, {}});
    node.input("Q", shape.queries, shape.width, q)
        .input("K", shape.keys, shape.width, k)
        .input("V", shape.keys, shape.value_width, v);
    if (shape.horizon < 0) {
      node.no_input();
    } else {
      node.input("RP", 2 * shape.horizon + 1, shape.width, rp, model::Format::kCodes8,
                 model::Role::kWeight);
    }
    node.input("tables", 3, 256, tables, model::Format::kCodes8, model::Role::kWeight)
        .output("out", shape.queries, shape.value_width);
    if (sums_wanted) {
      node.output("numerator", shape.queries, shape.value_width, model::Format::kSums64)
          .output("denominator", 1, shape.queries, model::Format::kSums64);
    }
    const auto out = node.run(config, hw::ExpectedWork{counts.macs_static, counts.macs_dynamic});
    expect_equal(fixed.out_q, out.at("out"), what + " out");
    if (sums_wanted) {
      expect_equal(fixed.numerator_q, out.at("numerator"), what + " numerator");
      expect_equal(fixed.denominator_q, out.at("denominator"), what + " denominator");
    }
    if (HasFatalFailure()) return;
  }
  census_.check(least_per_pair());
}

TEST_F(RandomLinear, DamfCollapsedOnTheChipEqualsFixed) {
  static const char* kMaxima[] = {"global", "row", "abs"};
  for (int trial = 0; trial < cases(2000); ++trial) {
    const int tokens = draw_.size(trial % 8 == 0 ? 700 : 100);
    const int width = draw_.size(100);
    model::DamfSettings settings;
    settings.mode = model::DamfMode::kCollapsed;
    settings.causal = draw_.flip();
    const int maximum = draw_.below(3);
    settings.maximum = static_cast<model::DamfMaximum>(maximum);
    census_.settings({kMaxima[maximum], settings.causal ? "causal" : "all keys"});
    census_.size("L", tokens);
    census_.tile(width > 64 || tokens > 200);
    const std::string what = fmt::format("seed {} trial {}: L {} h {} {} causal {}", seed_, trial,
                                         tokens, width, kMaxima[maximum], settings.causal);
    const auto s = draw_.codes(tokens);
    const auto t = draw_.codes(tokens);
    const auto v = draw_.codes(tokens * width);
    std::vector<std::int32_t> pairs;
    for (std::size_t i = 0; i < s.size(); ++i) {
      pairs.push_back(s[i]);
      pairs.push_back(t[i]);
    }
    const auto rule = model::make_power_rule(settings.rounding, 1.0);
    const auto fixed = model::damf_fixed(s, t, v, width, rule, settings);
    const hw::ChipConfig& config = chip(width <= 32);
    const auto counts = model::damf_linear_counts(tokens, width, settings.causal,
                                                  config.linear.chunk_tokens, config.linear.lanes);
    model::DamfAttention attention;
    attention.settings = settings;
    attention.engine = model::DamfEngineChoice::kLinear;
    const auto out = NodeCase(attention, model::DamfInteger{{rule}, {}})
                         .input("st", 1, 2 * tokens, pairs)
                         .input("V", tokens, width, v)
                         .output("out", tokens, width)
                         .run(config, hw::ExpectedWork{counts.macs_static, counts.macs_dynamic});
    expect_equal(fixed.out_q, out.at("out"), what);
    if (HasFatalFailure()) return;
  }
  census_.check(least_per_pair());
}

}  // namespace
}  // namespace quadrille
