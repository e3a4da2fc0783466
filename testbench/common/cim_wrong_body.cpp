#include "testbench/common/cim_wrong_body.h"

#include "VcimEngineWrong.h"
#include "hw/engines/cim/rtl_adapter.h"

namespace quadrille::testbench {

hw::CimBodies make_wrong_cim_rtl_bodies(hw::CimBank& bank) {
  return hw::make_cim_rtl_bodies_of<VcimEngineWrong>(bank);
}

}  // namespace quadrille::testbench
