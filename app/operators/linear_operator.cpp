#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "app/operators/operator.h"
#include "model/analytic/linear_counts.h"
#include "model/attention/linear.h"
#include "model/errors.h"

namespace quadrille::app {
namespace {

enum class Phi { kElu1 };
const Choices<Phi> kPhiChoices = {{"elu1", Phi::kElu1}};

std::vector<std::int64_t> flattened(std::initializer_list<const model::PhiTable*> tables) {
  std::vector<std::int64_t> values;
  for (const model::PhiTable* table : tables)
    values.insert(values.end(), table->begin(), table->end());
  return values;
}

class LinearOperator : public Operator {
 public:
  LinearOperator(const TensorSource& source, Settings settings, const OperatorOptions& options)
      : path_(source.path()),
        q_(source, "Q", {-1, -1}),
        k_(source, "K", {-1, q_.shape()[1]}),
        v_(source, "V", {k_.shape()[0], -1}),
        q_codes_(q_.codes(8)),
        k_codes_(k_.codes(8)),
        v_codes_(v_.codes(8)) {
    model::LinearShape& shape = problem_.shape;
    shape.queries = q_.side(0);
    shape.keys = k_.side(0);
    shape.width = q_.side(1);
    shape.value_width = v_.side(1);
    shape.causal = settings.boolean("causal");
    settings.choice("phi", kPhiChoices);
    settings.finish();
    refuse_other_tensors(source, {"Q", "K", "V", "RP"});
    if (source.has("RP")) read_positions(source);
    if (k_.shape()[0] * k_.shape()[1] > model::kLinearLargestReach) {
      throw InputError(source.path(), source.place("K"),
                       fmt::format("{} keys of width {}, expected at most 2^29 elements: beyond, "
                                   "sums leave the engine's 64 bits",
                                   shape.keys, shape.width));
    }
    problem_.sums_wanted = !options.result_only;
    if (source.has_values()) make_tables();
  }

  OperatorResult run_float() const override {
    model::LinearResult linear =
        model::linear_float(q_.reals(), k_.reals(), v_.reals(),
                            rp_ ? rp_->reals() : std::vector<double>{}, problem_.shape);
    for (std::size_t i = 0; i < linear.denominator.size(); ++i) {
      if (linear.denominator[i] > 0.0) continue;
      throw InputError(path_, "tensors Q, K",
                       fmt::format("the weights of query {} are all zero in double precision, "
                                   "expected entries above -300",
                                   i));
    }
    OperatorResult result;
    if (problem_.sums_wanted) {
      result.reals["numerator"] = {out_shape(), std::move(linear.numerator)};
      result.reals["denominator"] = {{q_.shape()[0]}, std::move(linear.denominator)};
    }
    result.reals["out"] = {out_shape(), std::move(linear.out)};
    return result;
  }

  OperatorResult run_fixed() const override {
    model::LinearFixedResult linear = model::linear_fixed(
        q_codes_.q, k_codes_.q, v_codes_.q, rp_codes_.q, problem_.shape, phi_q_, phi_k_, phi_rp_);
    const std::int64_t saturated = linear.saturated;
    CodeMap outputs;
    outputs["out"] = std::move(linear.out_q);
    if (problem_.sums_wanted) {
      outputs["numerator"] = std::move(linear.numerator_q);
      outputs["denominator"] = std::move(linear.denominator_q);
    }
    linear = {};  // a long sequence's unwanted sums
    OperatorResult result = collect(outputs);
    result.saturated = saturated;
    return result;
  }

  ChipJob lower(const hw::ChipConfig& chip) const override {
    ChipJob job;
    job.mapping = hw::map_linear(chip, problem_);
    // Causal queries never see the keys behind the last of them.
    model::LinearShape seen = problem_.shape;
    if (seen.causal) seen.keys = std::min(seen.keys, seen.queries);
    const model::LinearCounts counts =
        model::linear_counts(seen, chip.linear.chunk_tokens, chip.linear.lanes);
    job.expected = hw::ExpectedWork{counts.macs_static, counts.macs_dynamic};
    job.inputs = {{"tables", flattened({&phi_q_, &phi_k_, &phi_rp_})},
                  {"Q", widen(q_codes_.q)},
                  {"K", widen(k_codes_.q)},
                  {"V", widen(v_codes_.q)}};
    if (rp_) job.inputs["RP"] = widen(rp_codes_.q);
    return job;
  }

  OperatorResult collect(const CodeMap& outputs) const override {
    OperatorResult result;
    if (problem_.sums_wanted) {
      add_integer(result, "numerator", out_shape(), outputs.at("numerator"),
                  weight_scale() * v_codes_.scale);
      add_integer(result, "denominator", {q_.shape()[0]}, outputs.at("denominator"),
                  weight_scale());
    }
    add_integer(result, "out", out_shape(), outputs.at("out"),
                std::ldexp(v_codes_.scale, -model::kLinearOutputFractionBits));
    return result;
  }

  std::map<std::string, double> scales() const override {
    std::map<std::string, double> scales = {{"Q", q_codes_.scale},
                                            {"K", k_codes_.scale},
                                            {"V", v_codes_.scale},
                                            {"phi_q", phi_q_scale_},
                                            {"phi_k", phi_k_scale_}};
    if (rp_) scales["RP"] = rp_codes_.scale;
    return scales;
  }

 private:
  Shape out_shape() const { return {q_.shape()[0], v_.shape()[1]}; }
  /// Of phi(Q) . phi(K), and so of the denominator.
  double weight_scale() const { return phi_q_scale_ * phi_k_scale_; }

  void read_positions(const TensorSource& source) {
    rp_.emplace(source, "RP", Shape{-1, q_.shape()[1]});
    if (rp_->dim(0) % 2 == 0) {
      throw InputError(
          source.path(), source.place("RP"),
          fmt::format("{} rows, expected an odd number: 2k + 1 offsets from -k to k", rp_->dim(0)));
    }
    problem_.shape.horizon = (rp_->side(0) - 1) / 2;
    rp_codes_ = rp_->codes(8);
  }

  /// K and RP share phi's output scale, so that both terms add as integers.
  void make_tables() {
    phi_q_scale_ = model::phi_scale(q_codes_.scale);
    phi_k_scale_ = model::phi_scale(k_codes_.scale);
    if (rp_) phi_k_scale_ = std::max(phi_k_scale_, model::phi_scale(rp_codes_.scale));
    phi_q_ = model::make_phi_table(q_codes_.scale, phi_q_scale_);
    phi_k_ = model::make_phi_table(k_codes_.scale, phi_k_scale_);
    phi_rp_ = model::make_phi_table(rp_ ? rp_codes_.scale : k_codes_.scale, phi_k_scale_);
  }

  std::string path_;
  InputTensor q_, k_, v_;
  std::optional<InputTensor> rp_;
  model::Codes q_codes_, k_codes_, v_codes_, rp_codes_;
  hw::LinearProblem problem_;
  model::PhiTable phi_q_{}, phi_k_{}, phi_rp_{};
  double phi_q_scale_ = 1.0, phi_k_scale_ = 1.0;
};

}  // namespace

std::unique_ptr<Operator> make_linear_operator(const TensorSource& source, Settings settings,
                                               const OperatorOptions& options) {
  return std::make_unique<LinearOperator>(source, std::move(settings), options);
}

}  // namespace quadrille::app
