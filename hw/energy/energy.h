// Energy and area: counters times a technology table, by component. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "hw/chip_config.h"
#include "hw/energy/technology.h"
#include "hw/engines/activity.h"
#include "hw/memory/traffic.h"
#include "hw/sequencer/program.h"

namespace quadrille::hw {

/// By component: cim, cim_write, softmax, damf, sinkhorn, linear, vector, sram, dram, wires.
using ByComponent = std::map<std::string, double>;

/// Switching energy, pJ, of commands of one unit with this activity and
/// traffic. Linear in both. The CIM's products scale with the chip's share of
/// ones among the input bits (config.activity; the table's row is at 0.5);
/// its gated and padded products are charged like all others.
ByComponent dynamic_energy_pj(const ChipConfig& config, const Technology& technology, Unit unit,
                              const Activity& activity, const Traffic& traffic);

/// Leakage, pJ, over `cycles` cycles of the chip's clock: SRAM, CIM cells
/// (priced as SRAM of the same capacity) and logic. The DRAM's standby and
/// refresh power is not included.
ByComponent static_energy_pj(const ChipConfig& config, const Technology& technology,
                             std::int64_t cycles);

/// Area, um^2, without pads, clock tree and DRAM.
ByComponent area_um2(const ChipConfig& config, const Technology& technology);

void add(ByComponent& sum, const ByComponent& part);
double total(const ByComponent& parts);

}  // namespace quadrille::hw
