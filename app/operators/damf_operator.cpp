#include <algorithm>
#include <cmath>
#include <optional>

#include "app/operators/operator.h"
#include "model/analytic/attention_counts.h"
#include "model/analytic/linear_counts.h"
#include "model/errors.h"
#include "model/numerics/product.h"

namespace quadrille::app {
namespace {

model::Codes requantised(const std::vector<std::int64_t>& sums, const model::Multiplier& factor,
                         double scale) {
  model::Codes codes;
  codes.scale = scale;
  for (const std::int64_t sum : sums)
    codes.q.push_back(static_cast<std::int32_t>(model::requantise(sum, factor, 8)));
  return codes;
}

OperatorResult real_result(const std::vector<double>& s, const std::vector<double>& t,
                           const model::DamfResult& damf, std::size_t width) {
  const auto length = static_cast<std::int64_t>(s.size());
  OperatorResult result;
  result.reals["s"] = {{length}, s};
  result.reals["t"] = {{length}, t};
  result.reals["out"] = {{length, static_cast<std::int64_t>(width)}, damf.out};
  return result;
}

using DamfEngine = model::DamfEngineChoice;

DamfEngine read_engine(Settings& settings, const model::DamfSettings& damf) {
  const DamfEngine engine = settings.choice("engine", kDamfEngineChoices);
  if (engine == DamfEngine::kLinear &&
      (damf.mode != model::DamfMode::kCollapsed || damf.negative != model::DamfNegative::kSigned)) {
    settings.refuse("engine", "linear, expected with mode=collapsed and negative=signed");
  }
  return engine;
}

/// From s, t and V as they are given.
class DamfAttendOperator : public Operator {
 public:
  DamfAttendOperator(const TensorSource& source, Settings settings)
      : s_(source, "s", {-1}),
        t_(source, "t", {s_.shape()[0]}),
        v_(source, "V", {s_.shape()[0], -1}),
        damf_(read_damf_settings(settings)),
        engine_(read_engine(settings, damf_)),
        s_codes_(s_.codes(8)),
        t_codes_(t_.codes(8)),
        v_codes_(v_.codes(8)) {
    settings.finish();
    refuse_other_tensors(source, {"s", "t", "V", "sigma"});
    if (source.has("sigma")) {
      const InputTensor sigma(source, "sigma", {1});
      if (source.has_values()) sigma_ = sigma.reals()[0];
      if (!(sigma_ > 0.0)) {
        throw InputError(source.path(), source.place("sigma"), "expected a number above zero");
      }
    } else if (damf_.keep_sigma && damf_.mode == model::DamfMode::kShift) {
      throw InputError(source.path(), source.place("sigma"),
                       "missing, expected with sigma=keep in mode=shift");
    }
    rule_ = model::make_power_rule(
        damf_.rounding, s_codes_.scale * t_codes_.scale * (damf_.keep_sigma ? sigma_ : 1.0));
  }

  OperatorResult run_float() const override {
    return real_result(s_.reals(), t_.reals(),
                       model::damf_float(s_.reals(), t_.reals(), v_.reals(),
                                         static_cast<int>(v_.dim(1)), sigma_, damf_),
                       v_.dim(1));
  }

  OperatorResult run_fixed() const override {
    return collect({{"out", model::damf_fixed(s_codes_.q, t_codes_.q, v_codes_.q,
                                              static_cast<int>(v_.dim(1)), rule_, damf_)
                                .out_q}});
  }

  ChipJob lower(const hw::ChipConfig& chip) const override {
    ChipJob job;
    if (engine_ == DamfEngine::kLinear) {
      job.mapping = hw::map_damf_linear(chip, v_.side(0), v_.side(1), damf_);
      const model::LinearCounts counts = model::damf_linear_counts(
          v_.side(0), v_.side(1), damf_.causal, chip.linear.chunk_tokens, chip.linear.lanes);
      job.expected = hw::ExpectedWork{counts.macs_static, counts.macs_dynamic};
    } else {
      job.mapping = hw::map_damf_attend(chip, v_.side(0), v_.side(1), damf_, rule_);
      job.expected->macs_dynamic =
          model::damf_counts({v_.shape()[0], v_.shape()[1], 1}, damf_).macs_dynamic();
    }
    std::vector<std::int64_t> pairs;
    for (std::size_t i = 0; i < s_codes_.q.size(); ++i) {
      pairs.push_back(s_codes_.q[i]);
      pairs.push_back(t_codes_.q[i]);
    }
    job.inputs = {{"st", std::move(pairs)}, {"V", widen(v_codes_.q)}};
    return job;
  }

  OperatorResult collect(const CodeMap& outputs) const override {
    OperatorResult result;
    add_passing(result, "s", s_.shape(), s_codes_);
    add_passing(result, "t", t_.shape(), t_codes_);
    add_integer(result, "out", v_.shape(), outputs.at("out"),
                std::ldexp(v_codes_.scale, -model::kDamfOutputFractionBits));
    return result;
  }

  std::map<std::string, double> scales() const override {
    return {{"s", s_codes_.scale}, {"t", t_codes_.scale}, {"V", v_codes_.scale}};
  }

 private:
  InputTensor s_, t_, v_;
  model::DamfSettings damf_;
  DamfEngine engine_;
  model::Codes s_codes_, t_codes_, v_codes_;
  double sigma_ = 1.0;
  model::PowerRule rule_;
};

/// From X and the weights of one head.
class DamfOperator : public Operator {
 public:
  DamfOperator(const TensorSource& source, Settings settings)
      : x_(source, "X", {-1, -1}),
        wq_(source, "WQ", {x_.shape()[1], -1}),
        wk_(source, "WK", {x_.shape()[1], wq_.shape()[1]}),
        wv_(source, "WV", {x_.shape()[1], wq_.shape()[1]}),
        x_codes_(x_.codes(8)),
        wv_codes_(wv_.codes(8)) {
    problem_.settings = read_damf_settings(settings);
    if (read_engine(settings, problem_.settings) == DamfEngine::kLinear)
      settings.refuse("engine", "linear, expected with the tensors s, t and V");
    settings.finish();
    refuse_other_tensors(source, {"X", "WQ", "WK", "WV"});
    problem_.tokens = x_.side(0);
    problem_.model_width = x_.side(1);
    problem_.width = wv_.side(1);
    if (source.has_values()) fuse(source.path());
  }

  OperatorResult run_float() const override {
    OperatorResult result = real_result(
        s_, t_, model::damf_float(s_, t_, v_, problem_.width, triple_.sigma, problem_.settings),
        wv_.dim(1));
    add_triple(result);
    return result;
  }

  OperatorResult run_fixed() const override {
    const model::Codes s = requantised(model::product_fixed(x_codes_.q, u_codes_.q, x_.dim(1), 1),
                                       problem_.s_factor, s_scale_);
    const model::Codes t =
        requantised(model::product_fixed(x_codes_.q, v_vector_codes_.q, x_.dim(1), 1),
                    problem_.t_factor, t_scale_);
    const model::Codes v =
        requantised(model::product_fixed(x_codes_.q, wv_codes_.q, x_.dim(1), wv_.dim(1)),
                    problem_.v_factor, v_scale_);
    const model::DamfFixedResult damf =
        model::damf_fixed(s.q, t.q, v.q, problem_.width, problem_.rule, problem_.settings);
    return result_of(widen(s.q), widen(t.q), damf.out_q);
  }

  ChipJob lower(const hw::ChipConfig& chip) const override {
    ChipJob job;
    job.mapping = hw::map_damf(chip, problem_);
    const std::int64_t tokens = problem_.tokens;
    job.expected->macs_static = tokens * problem_.model_width * (problem_.width + 2);
    job.expected->macs_dynamic =
        model::damf_counts({tokens, problem_.width, 1}, problem_.settings).macs_dynamic();
    job.inputs = {{"X", widen(x_codes_.q)},
                  {"u", widen(u_codes_.q)},
                  {"v", widen(v_vector_codes_.q)},
                  {"WV", widen(wv_codes_.q)}};
    return job;
  }

  OperatorResult collect(const CodeMap& outputs) const override {
    const std::vector<std::int64_t>& pairs = outputs.at("st");
    std::vector<std::int64_t> s, t;
    for (std::size_t i = 0; i < pairs.size(); i += 2) {
      s.push_back(pairs[i]);
      t.push_back(pairs[i + 1]);
    }
    return result_of(std::move(s), std::move(t), outputs.at("out"));
  }

  std::map<std::string, double> scales() const override {
    return {{"X", x_codes_.scale}, {"WV", wv_codes_.scale},
            {"u", u_codes_.scale}, {"v", v_vector_codes_.scale},
            {"s", s_scale_},       {"t", t_scale_},
            {"V", v_scale_}};
  }

 private:
  /// Singular vectors, level `float` of the intermediates, and their scales.
  void fuse(const std::string& file) {
    triple_ = model::leading_singular_triple(wq_.reals(), wk_.reals(), problem_.model_width,
                                             problem_.width);
    s_ = model::product_float(x_.reals(), triple_.u, x_.dim(1), 1);
    t_ = model::product_float(x_.reals(), triple_.v, x_.dim(1), 1);
    v_ = model::product_float(x_.reals(), wv_.reals(), x_.dim(1), wv_.dim(1));
    u_codes_ = model::quantise_absmax(triple_.u, 8);
    v_vector_codes_ = model::quantise_absmax(triple_.v, 8);
    s_scale_ = model::absmax_scale(s_, 8);
    t_scale_ = model::absmax_scale(t_, 8);
    v_scale_ = model::absmax_scale(v_, 8);
    problem_.s_factor =
        input_multiplier(file, "tensor s", x_codes_.scale * u_codes_.scale / s_scale_);
    problem_.t_factor =
        input_multiplier(file, "tensor t", x_codes_.scale * v_vector_codes_.scale / t_scale_);
    problem_.v_factor =
        input_multiplier(file, "tensor V", x_codes_.scale * wv_codes_.scale / v_scale_);
    const double sigma = problem_.settings.keep_sigma && triple_.sigma > 0.0 ? triple_.sigma : 1.0;
    problem_.rule = model::make_power_rule(problem_.settings.rounding, s_scale_ * t_scale_ * sigma);
  }

  OperatorResult result_of(std::vector<std::int64_t> s, std::vector<std::int64_t> t,
                           std::vector<std::int64_t> out) const {
    OperatorResult result;
    const std::int64_t length = x_.shape()[0];
    const Shape width = {x_.shape()[1]};
    add_passing(result, "u", width, u_codes_);
    add_passing(result, "v", width, v_vector_codes_);
    add_integer(result, "s", {length}, std::move(s), s_scale_);
    add_integer(result, "t", {length}, std::move(t), t_scale_);
    add_integer(result, "out", {length, wv_.shape()[1]}, std::move(out),
                std::ldexp(v_scale_, -model::kDamfOutputFractionBits));
    result.reals["sigma"] = {{1}, {triple_.sigma}};
    return result;
  }

  void add_triple(OperatorResult& result) const {
    result.reals["sigma"] = {{1}, {triple_.sigma}};
    result.reals["u"] = {{x_.shape()[1]}, triple_.u};
    result.reals["v"] = {{x_.shape()[1]}, triple_.v};
  }

  InputTensor x_, wq_, wk_, wv_;
  model::Codes x_codes_, wv_codes_, u_codes_, v_vector_codes_;
  hw::DamfProblem problem_;
  model::SingularTriple triple_;
  std::vector<double> s_, t_, v_;
  double s_scale_ = 1.0, t_scale_ = 1.0, v_scale_ = 1.0;
};

}  // namespace

std::unique_ptr<Operator> make_damf_operator(const TensorSource& source, Settings settings) {
  // Whichever form the file resembles more; the missing tensors are then named.
  const auto count = [&](std::initializer_list<const char*> names) {
    return std::count_if(names.begin(), names.end(), [&](const char* n) { return source.has(n); });
  };
  if (count({"s", "t", "V"}) > count({"X", "WQ", "WK", "WV"}))
    return std::make_unique<DamfAttendOperator>(source, std::move(settings));
  return std::make_unique<DamfOperator>(source, std::move(settings));
}

}  // namespace quadrille::app
