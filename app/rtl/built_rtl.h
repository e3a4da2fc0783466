// Which engines of a run can be in RTL: those whose library is in the cache.
#pragma once

#include <string>

#include "app/implementation.h"
#include "app/rtl/rtl_cache.h"
#include "hw/chip_config.h"
#include "hw/engines.h"

namespace quadrille::app {

/// Throws InputError, with the command that builds it, when the RTL of `engine` is not
/// there with the chip's parameters.
void require_rtl(const std::string& engine, const hw::ChipConfig& chip,
                 const hw::RtlBodies& bodies = {});

/// The engines of all_in_rtl() whose RTL is there with the chip's parameters.
Implementation built_in_rtl(const hw::Program& program, const hw::ChipConfig& chip,
                            const hw::RtlBodies& bodies = {});

}  // namespace quadrille::app
