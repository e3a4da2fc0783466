// Technology tables: technology/*.yaml -> hw::Technology.
#pragma once

#include <string>
#include <vector>

#include "hw/energy/technology.h"

namespace quadrille::app {

/// What a figure's source is worth: "found", "quoted", ..., "assumed"
/// (docs/technology.md).
const std::vector<std::string>& source_tags();

/// Every row has name, value, unit, source, node_nm, voltage_v and tag.
/// InputError for an unknown key, a row that is missing, given twice or of no
/// use, and for banks that are not in rising order of capacity.
hw::Technology read_technology_file(const std::string& path);

/// The table that a chip file names: a path relative to that file, or the name
/// of a shipped table. InputError naming the chip file if it is neither.
std::string find_technology(const std::string& name, const std::string& chip_path);

}  // namespace quadrille::app
