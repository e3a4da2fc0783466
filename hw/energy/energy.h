// Energy and area: counters times a technology table, by component. Pure.
#pragma once

#include <cstdint>

#include "hw/chip_config.h"
#include "hw/energy/components.h"
#include "hw/energy/technology.h"
#include "hw/engines.h"
#include "hw/engines/activity.h"
#include "hw/memory/traffic.h"
#include "hw/sequencer/program.h"

namespace quadrille::hw {

/// Switching energy, pJ, of commands of one unit with this activity and
/// traffic. Linear in both. The work is priced by the unit's engine, the traffic
/// here.
ByComponent dynamic_energy_pj(const ChipConfig& config, const Technology& technology, Unit unit,
                              const Activity& activity, const Traffic& traffic,
                              const EngineList& list = engines());

/// What time costs, pJ, over `cycles` cycles of the chip's clock: leakage of the
/// scratchpad and the engines, standby and refreshes of a DRAM whose kind has figures
/// (the kind `plain` has none).
ByComponent static_energy_pj(const ChipConfig& config, const Technology& technology,
                             std::int64_t cycles, const EngineList& list = engines());

/// Area, um^2, without pads, clock tree and DRAM.
ByComponent area_um2(const ChipConfig& config, const Technology& technology,
                     const EngineList& list = engines());

void add(ByComponent& sum, const ByComponent& part);
double total(const ByComponent& parts);
/// Of the DRAM, all its components together.
double dram_total(const ByComponent& parts);

}  // namespace quadrille::hw
