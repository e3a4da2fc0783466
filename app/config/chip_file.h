// Chip files: YAML -> the resolved hw::ChipConfig.
#pragma once

#include <string>

#include "hw/chip_config.h"

namespace quadrille::app {

/// Every key has a default (hw/chip_config.h) but `name` and `clock_mhz`; units
/// are in the keys. InputError for an unknown key, a wrong type or range, and
/// for a chip that hw::validate() finds impossible.
hw::ChipConfig read_chip_file(const std::string& path);

}  // namespace quadrille::app
