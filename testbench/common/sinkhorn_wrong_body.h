// The Sinkhorn unit's RTL with one wrong constant (rtl/sinkhorn/CMakeLists.txt).
#pragma once

#include <memory>

#include "hw/engines/sinkhorn/sinkhorn_engine.h"

namespace quadrille::testbench {

/// The body stands at kSmallSinkhorn.
std::unique_ptr<hw::BeatEngine<hw::SinkhornOperation>> make_wrong_sinkhorn_rtl_body();

}  // namespace quadrille::testbench
