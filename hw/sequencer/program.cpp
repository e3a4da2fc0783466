#include "hw/sequencer/program.h"

namespace quadrille::hw {

Unit unit_of(const Operation& operation) {
  return std::visit([](const auto& each) { return unit_of(each); }, operation);
}

}  // namespace quadrille::hw
