// Kinds of DRAM: technology/dram/*.yaml -> hw::DramKind.
#pragma once

#include <string>

#include "hw/chip_config.h"
#include "hw/memory/dram_kind.h"

namespace quadrille::app {

/// The shipped kinds, under the folder of everything shipped.
inline constexpr const char* kDramKindFolder = "technology/dram";

/// Every key of hw::dram_kind_keys(), each with value, source and tag. InputError for
/// an unknown or missing key, and for a device that cannot be: bursts that are no power
/// of two of bytes, rows that are no whole bursts, refreshes that leave no time for one.
hw::DramKind read_dram_kind_file(const std::string& path);

/// The file of the kind that a chip names: a path beside the file that has the key
/// (`origin`; an option's is beside `chip_path`), or a shipped name. InputError with the
/// shipped kinds and the nearest of them if it is neither.
std::string find_dram_kind(const std::string& name, const hw::KeyOrigin& origin,
                           const std::string& chip_path);

}  // namespace quadrille::app
