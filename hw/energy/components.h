// Energy or area by component: what the prices of engines and memories add up in.
#pragma once

#include <map>
#include <string>

namespace quadrille::hw {

/// An engine's components bear its name (the CIM bank's cells are written under
/// cim_write); the others are sram, dram and wires.
using ByComponent = std::map<std::string, double>;

}  // namespace quadrille::hw
