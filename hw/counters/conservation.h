// What must hold in every run.
#pragma once

#include <optional>

#include "hw/chip_result.h"

namespace quadrille::hw {

/// Throws InvariantError with names and numbers unless these hold. What is compared
/// was obtained apart; that a command's bytes are those of its streams its unit has
/// seen to (EngineUnit).
///  - DRAM: the bursts that it has served = what the DMA asked for + padding = what the
///    copies' closed forms say;
///  - scratchpad: bytes, accesses and slices that it has seen = what the commands'
///    streams and copies list. With data, and in beat timing, it has seen each byte
///    that moved; in tile timing accesses and slices are the streams';
///  - cycles: busy + stalled + idle = the run's for every engine and the DMA, nothing
///    negative; a command's own add up, and it lies inside the run;
///  - macs.wide is a part of macs.static + macs.dynamic;
///  - the commands' MACs are the workload's closed form (when given).
void check_conservation(const ChipResult& result, const std::optional<ExpectedWork>& expected,
                        const EngineList& list = engines());

}  // namespace quadrille::hw
