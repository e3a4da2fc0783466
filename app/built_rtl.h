// Which engines of a chip have RTL: Verilator bakes parameters in, so it is built
// for certain parameters only.
#pragma once

#include "app/implementation.h"
#include "hw/chip_config.h"
#include "hw/engines.h"

namespace quadrille::app {

/// Throws InputError, which lists what is built, when `engine`'s RTL is not built
/// with the chip's parameters.
void require_rtl(const std::string& engine, const hw::ChipConfig& chip,
                 const hw::RtlBodies& bodies = {});

/// The engines of all_in_rtl() whose RTL is built with the chip's parameters.
Implementation built_in_rtl(const hw::Program& program, const hw::ChipConfig& chip,
                            const hw::RtlBodies& bodies = {});

}  // namespace quadrille::app
