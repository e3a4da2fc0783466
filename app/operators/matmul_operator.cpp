#include "app/operators/operator.h"
#include "model/numerics/product.h"

namespace quadrille::app {
namespace {

class MatmulOperator : public Operator {
 public:
  MatmulOperator(const TensorSource& source, Settings settings)
      : x_(source, "X", {-1, -1}),
        w_(source, "W", {x_.shape()[1], -1}),
        input_bits_(settings.integer("input_bits", 8, 1, 8)),
        weight_bits_(settings.integer("weight_bits", 8, 1, 8)),
        x_codes_(x_.codes(input_bits_)),
        w_codes_(w_.codes(weight_bits_)) {
    settings.finish();
    refuse_other_tensors(source, {"X", "W"});
  }

  OperatorResult run_float() const override {
    OperatorResult result;
    result.reals["out"] = {out_shape(),
                           model::product_float(x_.reals(), w_.reals(), x_.dim(1), w_.dim(1))};
    return result;
  }

  OperatorResult run_fixed() const override {
    return collect({{"out", model::product_fixed(x_codes_.q, w_codes_.q, x_.dim(1), w_.dim(1))}});
  }

  ChipJob lower(const hw::ChipConfig& chip) const override {
    ChipJob job;
    job.mapping = hw::map_matmul(chip, static_cast<int>(x_.dim(0)), static_cast<int>(x_.dim(1)),
                                 static_cast<int>(w_.dim(1)), input_bits_, weight_bits_);
    job.expected->macs_static = x_.shape()[0] * x_.shape()[1] * w_.shape()[1];
    job.inputs = {{"X", widen(x_codes_.q)}, {"W", widen(w_codes_.q)}};
    return job;
  }

  OperatorResult collect(const CodeMap& outputs) const override {
    OperatorResult result;
    add_integer(result, "out", out_shape(), outputs.at("out"), x_codes_.scale * w_codes_.scale);
    return result;
  }

  std::map<std::string, double> scales() const override {
    return {{"X", x_codes_.scale}, {"W", w_codes_.scale}};
  }

 private:
  Shape out_shape() const { return {x_.shape()[0], w_.shape()[1]}; }

  InputTensor x_, w_;
  int input_bits_, weight_bits_;
  model::Codes x_codes_, w_codes_;
};

}  // namespace

std::unique_ptr<Operator> make_matmul_operator(const TensorSource& source, Settings settings) {
  return std::make_unique<MatmulOperator>(source, std::move(settings));
}

}  // namespace quadrille::app
