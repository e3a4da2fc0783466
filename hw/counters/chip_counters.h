// The counter tree of a run.
#pragma once

#include "hw/chip_result.h"

namespace quadrille::hw {

/// chip: cycles, macs.*, ops.*, engines.<name>.*, dma.*, memory.{dram,sram,cim}.*, from
/// the rows of the table of counters (hw/counters/counter_table.h).
CounterModule chip_counters(const ChipTotals& totals);

}  // namespace quadrille::hw
