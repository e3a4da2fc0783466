// The CIM bank's RTL with one wrong constant (rtl/cim/CMakeLists.txt).
#pragma once

#include "hw/engines/cim/cim_bank.h"

namespace quadrille::testbench {

hw::CimBodies make_wrong_cim_rtl_bodies(hw::CimBank& bank);

}  // namespace quadrille::testbench
