// Verilates an engine and compiles it to a shared library in the cache.
#pragma once

#include <string>

#include "app/rtl/rtl_cache.h"

namespace quadrille::app {

/// Throws InputError naming the chip's key when the RTL does not exist at this size.
void require_rtl_limits(const hw::RtlDesign& design, const std::string& chip_source);

/// Lints the design with Verilator. Throws InputError, which names the chip's key that
/// a parameter comes from, at the first error or warning.
void lint_rtl(const CachedRtl& rtl, const std::string& chip_source);

enum class RtlBuild { kBuilt, kThere };

/// Lints and builds, unless the library is there from the same tools. Two builds of one
/// library wait for each other; one that is killed leaves nothing that looks whole.
/// Throws InputError with the tool's first error and the place of its log.
RtlBuild build_rtl(const CachedRtl& rtl, const std::string& chip_source);

/// Loads from the cache like find_in_cache(); what is missing it offers to build, when
/// somebody sits at a terminal to be asked.
hw::FindRtl find_or_offer();

/// "Verilator 5.006, c++ 12.2.0": what would build. Throws InputError when one is missing.
std::string rtl_tools();
/// What built the library; empty when that is not known.
std::string rtl_tools_of(const CachedRtl& rtl);

}  // namespace quadrille::app
