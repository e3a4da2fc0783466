// The Sinkhorn unit's entry in the list of engines (hw/engines.h).
#pragma once

#include "hw/engines/engine_entry.h"

namespace quadrille::hw {

const EngineEntry& sinkhorn_entry();

}  // namespace quadrille::hw
