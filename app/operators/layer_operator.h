// A whole attention layer behind the interface of the operators.
#pragma once

#include "app/operators/operator.h"
#include "app/workload/layer_data.h"

namespace quadrille::app {

class LayerOperator : public Operator {
 public:
  /// Loads the data, runs the level `float`, calibrates and quantises.
  /// InputError for data or scales that do not fit.
  explicit LayerOperator(const Workload& workload);

  OperatorResult run_float() const override;
  OperatorResult run_fixed() const override;
  ChipJob lower(const hw::ChipConfig& chip) const override;
  OperatorResult collect(const CodeMap& outputs) const override;
  std::map<std::string, double> scales() const override;

  const LayerData& data() const { return data_; }

 private:
  Shape out_shape() const { return {shape_.tokens, shape_.model_width}; }

  model::AttentionShape shape_;
  LayerData data_;
  model::AttentionFloat real_;
  model::AttentionInteger layer_;
};

/// The program and closed form of a layer of which only the shape is known:
/// for runs without data.
ChipJob lower_shape(const hw::ChipConfig& chip, const model::AttentionShape& shape);

}  // namespace quadrille::app
