#include <cmath>

#include "app/operators/operator.h"

namespace quadrille::app {
namespace {

class SoftmaxOperator : public Operator {
 public:
  SoftmaxOperator(const TensorSource& source, Settings settings, const OperatorOptions& options)
      : q_(source, "Q", {-1, -1}),
        k_(source, "K", {-1, q_.shape()[1]}),
        v_(source, "V", {k_.shape()[0], -1}),
        scale_(settings.positive("scale", 1.0 / std::sqrt(static_cast<double>(q_.dim(1))))),
        q_codes_(q_.codes(8)),
        k_codes_(k_.codes(8)),
        v_codes_(v_.codes(8)),
        weights_wanted_(!options.result_only) {
    shape_.queries = static_cast<int>(q_.dim(0));
    shape_.keys = static_cast<int>(k_.dim(0));
    shape_.width = static_cast<int>(q_.dim(1));
    shape_.value_width = static_cast<int>(v_.dim(1));
    shape_.causal = settings.boolean("causal");
    settings.finish();
    refuse_other_tensors(source, {"Q", "K", "V"});
    if (!source.has_values()) return;
    factor_ = input_multiplier(source.path(), "tensors Q, K",
                               model::exponent_factor(q_codes_.scale, k_codes_.scale, scale_));
  }

  OperatorResult run_float() const override {
    model::SoftmaxResult softmax =
        model::softmax_float(q_.reals(), k_.reals(), v_.reals(), shape_, scale_);
    OperatorResult result;
    if (weights_wanted_) result.reals["weights"] = {weights_shape(), std::move(softmax.weights)};
    result.reals["out"] = {out_shape(), std::move(softmax.out)};
    return result;
  }

  OperatorResult run_fixed() const override {
    model::SoftmaxFixedResult softmax =
        model::softmax_fixed(q_codes_.q, k_codes_.q, v_codes_.q, shape_, factor_);
    return collect({{"weights", std::move(softmax.weights_q)}, {"out", std::move(softmax.out_q)}});
  }

  ChipJob lower(const hw::ChipConfig& chip) const override {
    ChipJob job;
    job.mapping = hw::map_softmax(chip, shape_, factor_, weights_wanted_);
    std::int64_t macs = 0;
    for (int i = 0; i < shape_.queries; ++i)
      macs += std::int64_t{shape_.visible(i)} * (shape_.width + shape_.value_width);
    job.expected = hw::ExpectedWork{0, macs};
    job.inputs = {{"Q", widen(q_codes_.q)}, {"K", widen(k_codes_.q)}, {"V", widen(v_codes_.q)}};
    return job;
  }

  OperatorResult collect(const CodeMap& outputs) const override {
    OperatorResult result;
    if (weights_wanted_) {
      add_integer(result, "weights", weights_shape(), outputs.at("weights"),
                  std::ldexp(1.0, -model::kWeightFractionBits));
    }
    add_integer(result, "out", out_shape(), outputs.at("out"),
                std::ldexp(v_codes_.scale, -model::kSoftmaxOutputFractionBits));
    return result;
  }

  std::map<std::string, double> scales() const override {
    return {{"Q", q_codes_.scale}, {"K", k_codes_.scale}, {"V", v_codes_.scale}};
  }

 private:
  Shape weights_shape() const { return {q_.shape()[0], k_.shape()[0]}; }
  Shape out_shape() const { return {q_.shape()[0], v_.shape()[1]}; }

  InputTensor q_, k_, v_;
  double scale_;
  model::Codes q_codes_, k_codes_, v_codes_;
  bool weights_wanted_;
  model::SoftmaxShape shape_;
  model::Multiplier factor_;
};

}  // namespace

std::unique_ptr<Operator> make_softmax_operator(const TensorSource& source, Settings settings,
                                                const OperatorOptions& options) {
  return std::make_unique<SoftmaxOperator>(source, std::move(settings), options);
}

}  // namespace quadrille::app
