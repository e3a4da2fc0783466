// The CIM bank's entry in the list of engines (hw/engines.h).
#pragma once

#include "hw/engines/cim/cim_bank.h"
#include "hw/engines/engine_entry.h"

namespace quadrille::hw {

const EngineEntry& cim_entry();

/// For RtlBodies::instead: both ports share the bank that the chip has made.
MakeRtl make_cim_rtl(CimBodies (*make)(CimBank& bank));

}  // namespace quadrille::hw
