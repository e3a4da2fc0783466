// The verilated parameter points of the CIM bank: none yet.
#include "hw/engines/cim/cim_bank.h"
#include "model/errors.h"

namespace quadrille::hw {

CimBodies make_cim_rtl_bodies(CimBank&) { throw InputError("engine cim: its RTL is not built"); }

}  // namespace quadrille::hw
