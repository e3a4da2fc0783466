#include "app/built_rtl.h"

#include "model/errors.h"

namespace quadrille::app {

void require_rtl(const std::string& engine, const hw::ChipConfig& chip,
                 const hw::RtlBodies& bodies) {
  const hw::EngineEntry* entry = hw::engines().find(engine);
  if (entry == nullptr) throw InvariantError("there is no engine named '" + engine + "'");
  const std::unique_ptr<hw::ChipEngine> made = entry->make(chip);
  hw::make_rtl_bodies(*entry, chip, *made, bodies);
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
