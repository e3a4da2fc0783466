#include "hw/sequencer/program.h"

namespace quadrille::hw {
namespace {

struct UnitOf {
  Unit operator()(const DmaCopy&) const { return Unit::kDma; }
  Unit operator()(const CimWrite&) const { return Unit::kCimWrite; }
  Unit operator()(const CimMultiply&) const { return Unit::kCimCompute; }
  Unit operator()(const SoftmaxRows&) const { return Unit::kSoftmax; }
  Unit operator()(const DamfProject&) const { return Unit::kDamf; }
  Unit operator()(const DamfAttend&) const { return Unit::kDamf; }
  Unit operator()(const VectorRequantise&) const { return Unit::kVector; }
  Unit operator()(const SinkhornScale&) const { return Unit::kSinkhorn; }
  Unit operator()(const SinkhornApply&) const { return Unit::kSinkhorn; }
  Unit operator()(const LinearAttend&) const { return Unit::kLinear; }
};

}  // namespace

Unit unit_of(const Operation& operation) { return std::visit(UnitOf{}, operation); }

const char* unit_name(Unit unit) {
  switch (unit) {
    case Unit::kDma:
      return "dma";
    case Unit::kCimWrite:
      return "cim_write";
    case Unit::kCimCompute:
      return "cim_compute";
    case Unit::kSoftmax:
      return "softmax";
    case Unit::kDamf:
      return "damf";
    case Unit::kVector:
      return "vector";
    case Unit::kSinkhorn:
      return "sinkhorn";
    case Unit::kLinear:
      return "linear";
  }
  return "unknown";
}

const char* phase_name(Phase phase) {
  switch (phase) {
    case Phase::kLoadWeights:
      return "load_weights";
    case Phase::kLoadInput:
      return "load_input";
    case Phase::kProjection:
      return "projection";
    case Phase::kScoreInner:
      return "score_inner";
    case Phase::kWriteDynamic:
      return "write_dynamic";
    case Phase::kScores:
      return "scores";
    case Phase::kNormalise:
      return "normalise";
    case Phase::kWeightedValues:
      return "weighted_values";
    case Phase::kRequantise:
      return "requantise";
    case Phase::kOutputProjection:
      return "output_projection";
    case Phase::kStoreOutput:
      return "store_output";
  }
  return "unknown";
}

}  // namespace quadrille::hw
