// Prices of an engine's operations.
#pragma once

#include "hw/energy/technology.h"
#include "hw/engines/activity.h"

namespace quadrille::hw {

/// Switching energy, pJ, of the MACs and operations of an engine that is not the CIM
/// array; not of its memories. `exponential` is the row that prices its exponentials.
double operations_pj(const Technology& technology, const Activity& activity,
                     const char* exponential);

}  // namespace quadrille::hw
