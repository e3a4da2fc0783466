// The DAMF engine's RTL with one wrong constant (rtl/CMakeLists.txt).
#pragma once

#include <memory>

#include "hw/engines/damf/damf_engine.h"

namespace quadrille::testbench {

std::unique_ptr<hw::BeatEngine<hw::DamfOperation>> make_wrong_damf_rtl_body(
    const hw::DamfConfig& config);

}  // namespace quadrille::testbench
