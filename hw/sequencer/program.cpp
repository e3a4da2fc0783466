#include "hw/sequencer/program.h"

namespace quadrille::hw {
Unit unit_of(const Operation& operation) {
  return std::visit([](const auto& each) { return unit_of(each); }, operation);
}

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

}  // namespace quadrille::hw
