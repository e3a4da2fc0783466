#include "app/rtl/built_rtl.h"

#include "model/errors.h"

namespace quadrille::app {

void require_rtl(const std::string& engine, const hw::ChipConfig& chip,
                 const hw::RtlBodies& bodies) {
  const hw::EngineEntry* entry = hw::engines().find(engine);
  if (entry == nullptr) throw InvariantError("there is no engine named '" + engine + "'");
  or_cached(bodies).find(chip, entry->rtl_design(chip), bodies.traces.count(engine) != 0);
}

Implementation built_in_rtl(const hw::Program& program, const hw::ChipConfig& chip,
                            const hw::RtlBodies& bodies) {
  Implementation built;
  for (const std::string& engine : all_in_rtl(program).rtl) {
    try {
      require_rtl(engine, chip, bodies);
      built.rtl.insert(engine);
    } catch (const RtlNotBuilt&) {
      // It stays in SystemC; whoever wants to know compares with all_in_rtl().
    }
  }
  return built;
}

}  // namespace quadrille::app
