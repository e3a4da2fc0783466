#include "testbench/common/softmax_wrong_body.h"

#include "VsoftmaxEngineWrong.h"
#include "hw/engines/softmax/softmax_command.h"

namespace quadrille::testbench {

std::unique_ptr<hw::BeatEngine<hw::SoftmaxRows>> make_wrong_softmax_rtl_body(
    const hw::SoftmaxConfig&) {
  return std::make_unique<hw::RtlBody<VsoftmaxEngineWrong, hw::SoftmaxRows>>(
      hw::pack_softmax_operation);
}

}  // namespace quadrille::testbench
