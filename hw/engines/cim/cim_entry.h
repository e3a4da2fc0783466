// The CIM bank's entry in the list of engines (hw/engines.h).
#pragma once

#include "hw/engines/engine_entry.h"

namespace quadrille::hw {

const EngineEntry& cim_entry();

}  // namespace quadrille::hw
