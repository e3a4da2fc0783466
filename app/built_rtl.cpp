#include "app/built_rtl.h"

#include "model/errors.h"

namespace quadrille::app {

void require_rtl(const std::string& engine, const hw::ChipConfig& chip,
                 const hw::RtlBodies& bodies) {
  const auto make = [&](const auto& factory, auto&& argument) {
    hw::make_rtl_of(chip.source(), engine, [&] { return factory(argument); });
  };
  if (engine == "cim") {
    hw::CimBank bank(chip.cim);
    make(bodies.cim, bank);
  } else if (engine == "softmax") {
    make(bodies.softmax, chip.softmax);
  } else if (engine == "damf") {
    make(bodies.damf, chip.damf);
  } else if (engine == "sinkhorn") {
    make(bodies.sinkhorn, chip.sinkhorn);
  } else {
    make(bodies.linear, chip.linear);
  }
}

Implementation built_in_rtl(const hw::Program& program, const hw::ChipConfig& chip,
                            const hw::RtlBodies& bodies) {
  Implementation built;
  for (const std::string& engine : all_in_rtl(program).rtl) {
    try {
      require_rtl(engine, chip, bodies);
      built.rtl.insert(engine);
    } catch (const InputError&) {  // As require_rtl() names what is not built.
      // Not built: it stays in SystemC.
    }
  }
  return built;
}

}  // namespace quadrille::app
