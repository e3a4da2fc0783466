// What must hold in every run.
#pragma once

#include <optional>

#include "hw/chip_result.h"

namespace quadrille::hw {

/// Throws InvariantError with names and numbers unless
///  - every link balances: DRAM = DMA useful + padding; DMA and engines'
///    streams = scratchpad, in bytes, accesses and slices; the CIM's write
///    port = the streams of its writes;
///  - busy + stalled + idle = cycles for every engine and the DMA, nothing
///    negative, and a command's own cycles add up;
///  - every record lies inside the run;
///  - macs.wide is a part of macs.static + macs.dynamic;
///  - the records' MACs are the workload's closed form (when given).
void check_conservation(const ChipResult& result, const std::optional<ExpectedWork>& expected,
                        const EngineList& list = engines());

}  // namespace quadrille::hw
