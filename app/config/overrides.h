// Values that the command line puts in place of a file's: --set KEY=VALUE.
#pragma once

#include <string>
#include <vector>

#include "app/files/yaml_reader.h"

namespace quadrille::app {

struct Override {
  std::string key;     ///< "cim.rows", "tokens"; without "workload.".
  std::string value;   ///< As a file would have it.
  std::string source;  ///< What messages begin with: "--set cim.rows=128".
};

/// By whose keys they are.
struct Overrides {
  std::vector<Override> chip;
  std::vector<Override> workload;
};

/// "cim.rows=128" is a key of the chip, "workload.tokens=512" one of the workload.
/// InputError for anything else and for a key that is set twice.
Overrides parse_overrides(const std::vector<std::string>& words);

/// Whether "cim.rows=128" begins with a section of the chip. `eval` has settings
/// of the operator besides, none of which has a dot.
bool sets_chip_section(const std::string& word);

/// `root` with `overrides`, as overlaid() has it.
YamlNode with_overrides(YamlNode root, const std::vector<Override>& overrides);

}  // namespace quadrille::app
