// What a workload costs at least on a chip: a number of cycles for every resource, from
// shapes and rates alone. No plan can beat one of them, and none depends on the plan:
// what a run spends beyond is spills, repeated fetches, padding, masked pairs, waiting.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "hw/chip_config.h"
#include "model/graph/graph.h"

namespace quadrille::hw {

struct ResourceBound {
  std::string resource;  ///< "dram", an engine's name, or a port: "cim_input_port".
  std::int64_t cycles = 0;
  /// Keys of the chip that set the rate, as a chip file spells them.
  std::vector<std::string> keys;
};

struct Bounds {
  std::vector<ResourceBound> resources;  ///< In the order of reports.
  /// Products per cycle that the CIM bank does at best, at the widths of the graph's.
  double peak_macs_per_cycle = 0.0;

  const ResourceBound& largest() const;
};

/// - dram: every input, weight, table and output once, at the bus's peak rate;
/// - cim: useful products over peak_macs_per_cycle (visible pairs only);
/// - cim_write_port, cim_input_port, cim_output_port: every matrix that is written, every
///   input and sum that crosses, once, at the port's bytes per cycle;
/// - engines: their closed forms for the shapes, never stalled.
/// A tolerance stop counts as one half-step.
Bounds bounds_of(const ChipConfig& chip, const model::Graph& graph);

}  // namespace quadrille::hw
