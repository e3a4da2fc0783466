#include "app/built_rtl.h"

#include "model/errors.h"

namespace quadrille::app {

void require_rtl(const std::string& engine, const hw::ChipConfig& chip,
                 const hw::RtlBodies& bodies) {
  if (engine == "cim") {
    hw::CimBank bank(chip.cim);
    bodies.cim(bank);
  } else if (engine == "softmax") {
    bodies.softmax(chip.softmax);
  } else if (engine == "damf") {
    bodies.damf(chip.damf);
  } else if (engine == "sinkhorn") {
    bodies.sinkhorn(chip.sinkhorn);
  } else {
    bodies.linear(chip.linear);
  }
}

Implementation built_in_rtl(const hw::Program& program, const hw::ChipConfig& chip,
                            const hw::RtlBodies& bodies) {
  Implementation built;
  for (const std::string& engine : all_in_rtl(program).rtl) {
    try {
      require_rtl(engine, chip, bodies);
      built.rtl.insert(engine);
    } catch (const InputError&) {
      // Not built: it stays in SystemC.
    }
  }
  return built;
}

}  // namespace quadrille::app
