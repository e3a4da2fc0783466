// The RTL of SinkhornApply alone, without the rest of its engine.
#pragma once

#include <memory>

#include "hw/engines/sinkhorn/sinkhorn_engine.h"

namespace quadrille::testbench {

/// Throws InputError when `config` is no built point.
std::unique_ptr<hw::BeatEngine<hw::SinkhornOperation>> make_apply_rtl_body(
    const hw::SinkhornConfig& config);

}  // namespace quadrille::testbench
