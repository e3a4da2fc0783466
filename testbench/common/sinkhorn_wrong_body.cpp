#include "testbench/common/sinkhorn_wrong_body.h"

#include "VsinkhornEngineWrong.h"
#include "hw/engines/sinkhorn/sinkhorn_rtl_body.h"
#include "testbench/common/sinkhorn_points.h"

namespace quadrille::testbench {

std::unique_ptr<hw::BeatEngine<hw::SinkhornOperation>> make_wrong_sinkhorn_rtl_body() {
  return std::make_unique<hw::SinkhornRtlBody<VsinkhornEngineWrong>>(kSmallSinkhorn);
}

}  // namespace quadrille::testbench
