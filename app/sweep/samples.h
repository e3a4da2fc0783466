// The values of one varied key: what a sweep's spec writes under it, as text that
// the key's own file could have.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "app/files/yaml_reader.h"

namespace quadrille::app {

/// Values of a key under `grid`, in order: a list, {values: [...]}, or {from, to} with
/// `step` (added) or `factor` (multiplied). InputError at the node's place.
std::vector<std::string> grid_values(const YamlNode& node);

struct RandomDraw {
  std::string key;
  std::uint64_t seed = 1;
  std::int64_t points = 0;
  /// The key takes powers of two only.
  bool power_of_two = false;
};

/// Values of a key under `random`: drawn from a list or {values: [...]}, or from
/// {from, to} with `log`, `multiple_of`, `power_of_two`. They are integers where both
/// ends are. Every key has a generator of its own, made of seed and key: a key more, or
/// more points, leaves the values that were there. InputError at the node's place.
std::vector<std::string> random_values(const YamlNode& node, const RandomDraw& draw);

}  // namespace quadrille::app
