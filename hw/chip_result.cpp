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

}  // namespace quadrille::hw
