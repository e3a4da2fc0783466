// The softmax engine's RTL with one wrong constant (rtl/softmax/CMakeLists.txt).
#pragma once

#include <memory>

#include "hw/engines/softmax/softmax_engine.h"

namespace quadrille::testbench {

std::unique_ptr<hw::BeatEngine<hw::SoftmaxRows>> make_wrong_softmax_rtl_body(
    const hw::SoftmaxConfig& config);

}  // namespace quadrille::testbench
