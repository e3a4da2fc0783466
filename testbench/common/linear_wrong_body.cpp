#include "testbench/common/linear_wrong_body.h"

#include "VlinearEngineWrong.h"
#include "hw/engines/linear/linear_command.h"

namespace quadrille::testbench {

std::unique_ptr<hw::BeatEngine<hw::LinearAttend>> make_wrong_linear_rtl_body() {
  return std::make_unique<hw::RtlBody<VlinearEngineWrong, hw::LinearAttend>>(
      hw::pack_linear_command);
}

}  // namespace quadrille::testbench
