#include "hw/chip_result.h"

namespace quadrille::hw {

const char* engine_name(Engine engine) {
  switch (engine) {
    case Engine::kCim:
      return "cim";
    case Engine::kSoftmax:
      return "softmax";
    case Engine::kDamf:
      return "damf";
    case Engine::kSinkhorn:
      return "sinkhorn";
    case Engine::kLinear:
      return "linear";
    case Engine::kVector:
      return "vector";
  }
  return "unknown";
}

Engine engine_of(Unit unit) {
  switch (unit) {
    case Unit::kSoftmax:
      return Engine::kSoftmax;
    case Unit::kDamf:
      return Engine::kDamf;
    case Unit::kVector:
      return Engine::kVector;
    case Unit::kSinkhorn:
      return Engine::kSinkhorn;
    case Unit::kLinear:
      return Engine::kLinear;
    case Unit::kDma:
    case Unit::kCimWrite:
    case Unit::kCimCompute:
      break;
  }
  return Engine::kCim;
}

}  // namespace quadrille::hw
