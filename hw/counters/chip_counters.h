// The counter tree of a run.
#pragma once

#include "hw/chip_result.h"

namespace quadrille::hw {

/// chip: cycles, macs.*, ops.*, engines.<name>.*, dma.*, memory.{dram,sram,cim}.*
CounterModule chip_counters(const ChipTotals& totals);

/// Adds macs and ops of one activity as the modules `macs` and `ops`.
void add_activity(CounterModule& module, const Activity& activity);

}  // namespace quadrille::hw
