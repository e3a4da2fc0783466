// A job on a simulated chip: tensors in, program run, tensors out. The only
// file of app/ that knows the interface of hw::Chip.
#pragma once

#include "app/implementation.h"
#include "app/operators/operator.h"
#include "hw/chip_result.h"
#include "hw/engines/rtl_bodies.h"

namespace quadrille::app {

struct ChipRun {
  CodeMap outputs;  ///< Empty without data.
  hw::ChipResult result;
  hw::Timing timing = hw::Timing::kTile;
};

/// With RTL in the implementation the timing is `beat`, whatever the chip says.
/// Without `data` the inputs are not looked at and no outputs come back.
/// `bodies` is where the RTL comes from.
ChipRun run_on_chip(const hw::ChipConfig& chip, const Implementation& implementation,
                    const ChipJob& job, bool data, const hw::RtlBodies& bodies = {});

}  // namespace quadrille::app
