// Chip files: YAML -> ParsedChip -> the resolved hw::ChipConfig.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "app/config/overrides.h"
#include "hw/chip_config.h"
#include "hw/chip_keys.h"

namespace quadrille::app {

/// What a chip file, the files that it is based on and the command line say. A
/// key that nobody wrote is not there.
struct ParsedChip {
  struct Key {
    hw::ChipKeyValue value;
    hw::KeyOrigin origin;
  };
  std::vector<std::string> files;   ///< The chip file, then its base, the base's base, ...
  std::map<std::string, Key> keys;  ///< By name, "cim.rows".

  const std::string& file() const { return files.front(); }
};

/// A chip file over its bases, read once: any number of chips can be made of it that
/// differ in what the command line says.
struct ChipSource {
  YamlNode root;
  std::vector<std::string> files;  ///< As in ParsedChip.
};
ChipSource read_chip_source(const std::string& path);
ParsedChip parse_chip(const ChipSource& source, const std::vector<Override>& overrides = {},
                      const std::vector<hw::RemovedChipKey>& removed = hw::removed_chip_keys());

/// Reads the keys of hw/chip_keys.h, and `base`: another chip file of which this
/// one says only what differs (a path relative to the file, or a shipped name). A
/// file with a base and without a name is called like the file. InputError for an
/// unknown or removed key, a wrong type or range, and for bases in a circle; it
/// names the file and the line in which the key stands.
ParsedChip parse_chip_file(
    const std::string& path, const std::vector<Override>& overrides = {},
    const std::vector<hw::RemovedChipKey>& removed = hw::removed_chip_keys());

/// The chip: keys that are not there have their defaults. InputError if it is
/// impossible.
hw::ChipConfig resolve(const ParsedChip& parsed);

/// resolve(parse_chip_file(path)).
hw::ChipConfig read_chip_file(const std::string& path);

/// The file of the chip's kind of DRAM; none if the chip's own keys describe it.
/// InputError for a kind that is not there.
std::optional<std::string> dram_kind_path(const ParsedChip& parsed);

/// The technology table of the chip; a path is relative to the file that has the
/// key (app/config/technology_file.h).
std::string technology_path(const ParsedChip& parsed);

}  // namespace quadrille::app
