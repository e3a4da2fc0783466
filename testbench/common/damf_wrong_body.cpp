#include "testbench/common/damf_wrong_body.h"

#include "VdamfEngineWrong.h"
#include "hw/engines/damf/rtl_body.h"

namespace quadrille::testbench {

std::unique_ptr<hw::BeatEngine<hw::DamfOperation>> make_wrong_damf_rtl_body(
    const hw::DamfConfig& config) {
  return std::make_unique<hw::DamfRtlBody<VdamfEngineWrong>>(config);
}

}  // namespace quadrille::testbench
