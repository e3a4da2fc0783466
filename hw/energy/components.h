// Energy or area by component: what the prices of engines and memories add up in.
#pragma once

#include <map>
#include <string>

namespace quadrille::hw {

/// An engine's components bear its name (the CIM bank's cells are written under
/// cim_write); the others are sram, wires and the DRAM's, whose names begin with dram_:
/// activation, read, write, and of a kind with figures io, refresh and standby.
using ByComponent = std::map<std::string, double>;

}  // namespace quadrille::hw
