#include "hw/engines/engine_entry.h"

#include "hw/energy/operations.h"
#include "hw/engines/rtl_not_built.h"
#include "model/errors.h"

namespace quadrille::hw {

EngineBodies EngineEntry::rtl_bodies(const ChipConfig&, ChipEngine&, const RtlTrace*) const {
  throw InvariantError(std::string("engine ") + name() + " exists in SystemC only");
}

ByComponent EngineEntry::dynamic_pj(const ChipConfig&, const Technology& technology,
                                    const Activity& activity) const {
  const auto local_bytes =
      static_cast<double>(activity.local_read_bytes + activity.local_write_bytes);
  return {{name(), operations_pj(technology, activity, "op.exponential") +
                       8.0 * local_bytes * technology.value("op.register_bit")}};
}

double EngineEntry::leakage_uw(const ChipConfig& chip, const Technology& technology) const {
  return area_um2(chip, technology) * 1e-6 * technology.value("leakage.logic");
}

EngineBodies make_rtl_bodies(const EngineEntry& entry, const ChipConfig& chip, ChipEngine& engine,
                             const RtlBodies& bodies) {
  const auto instead = bodies.instead.find(entry.name());
  try {
    return instead == bodies.instead.end() ? entry.rtl_bodies(chip, engine, nullptr)
                                           : instead->second(chip, engine);
  } catch (const RtlNotBuilt& error) {
    throw InputError(chip.source(), entry.name(), error.what());
  }
}

}  // namespace quadrille::hw
