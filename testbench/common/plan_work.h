// How long each unit works on a workload by its closed form, whatever the plan.
#pragma once

#include <array>

#include "hw/chip_config.h"
#include "hw/sequencer/program.h"
#include "testbench/common/plan_points.h"

namespace quadrille::testbench {

/// Cycles per unit of the workload's commands, one per operand, never stalled and
/// never cut. Zero for a unit that the workload does not use. Good for growth from
/// one workload to the next: a plan that cuts a matrix into strips pays some of
/// these cycles several times.
using UnitCycles = std::array<double, hw::kUnits>;
UnitCycles closed_form_cycles(const hw::ChipConfig& chip, const KeyedFile& workload);

/// The same workload with one more token: of all sequences that are as long.
KeyedFile with_one_more_token(const KeyedFile& workload);

}  // namespace quadrille::testbench
