// The linear-attention engine's RTL with one wrong constant (rtl/linear/CMakeLists.txt).
#pragma once

#include <memory>

#include "hw/engines/linear/linear_engine.h"

namespace quadrille::testbench {

/// The body stands at the point of lanes 4, width 32, chunk 4, horizon 4.
std::unique_ptr<hw::BeatEngine<hw::LinearAttend>> make_wrong_linear_rtl_body();

}  // namespace quadrille::testbench
