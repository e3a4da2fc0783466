#include "hw/engines/engine_entry.h"

#include "hw/energy/operations.h"
#include "model/errors.h"

namespace quadrille::hw {

RtlDesign EngineEntry::rtl_design(const ChipConfig&) const {
  throw InvariantError(std::string("engine ") + name() + " exists in SystemC only");
}

EngineBodies EngineEntry::rtl_bodies(const ChipConfig&, ChipEngine&,
                                     std::shared_ptr<const RtlLibrary>, const RtlTrace*) const {
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
  if (!bodies.find) throw InvariantError(std::string("no RTL to find for engine ") + entry.name());
  const auto traced = bodies.traces.find(entry.name());
  const RtlTrace* trace = traced == bodies.traces.end() ? nullptr : &traced->second;
  return entry.rtl_bodies(chip, engine, bodies.find(chip, entry.rtl_design(chip), trace != nullptr),
                          trace);
}

}  // namespace quadrille::hw
