#include "testbench/common/damf_wrong_body.h"

#include "VdamfEngineWrong.h"
#include "hw/engines/damf/damf_command.h"

namespace quadrille::testbench {

std::unique_ptr<hw::BeatEngine<hw::DamfOperation>> make_wrong_damf_rtl_body(const hw::DamfConfig&) {
  return std::make_unique<hw::RtlBody<VdamfEngineWrong, hw::DamfOperation>>(
      hw::pack_damf_operation);
}

}  // namespace quadrille::testbench
