// A graph on a simulated chip: bytes in, program run, bytes out. The only file
// of app/ that knows the interfaces of the mapper and of hw::Chip.
#pragma once

#include <optional>
#include <vector>

#include "app/implementation.h"
#include "hw/chip_result.h"
#include "hw/engines.h"
#include "hw/engines/paired_body.h"
#include "hw/mapper/mapping.h"
#include "model/graph/bytes.h"
#include "model/graph/graph.h"

namespace quadrille::app {

/// A graph lowered for a chip, ready to run any number of times.
struct ChipJob {
  hw::Mapping mapping;
  /// The graph's id of every tensor of the mapping; kAbsent: the plan's own.
  std::vector<model::TensorId> ids;
  /// MACs by closed form; a run is held against it. None where only the data
  /// decide (products with held K under a tolerance).
  std::optional<hw::ExpectedWork> expected;
};

/// Without forms the factors of the graph count as their defaults: good for runs
/// without data. InputError when the graph does not fit the chip.
ChipJob make_job(const hw::ChipConfig& chip, const model::IntegerGraph& graph);

/// One way to run a job.
struct Body {
  hw::Timing timing = hw::Timing::kTile;
  /// With RTL in it the timing is `beat`, whatever `timing` says.
  Implementation implementation;
  hw::RtlBodies rtl;  ///< Where the RTL comes from: the cache unless it says.
};

struct ChipRun {
  model::ByteTensors outputs;  ///< By the graph's ids; empty without data.
  hw::ChipResult result;
  hw::Timing timing = hw::Timing::kTile;
  /// Where paired bodies differ: there the run ended, without outputs and result.
  std::optional<hw::PinDifference> pins;
};

/// `inputs`: bytes by the graph's ids; null: a run without data.
ChipRun run_on_chip(const hw::ChipConfig& chip, const Body& body, const ChipJob& job,
                    const model::ByteTensors* inputs);

}  // namespace quadrille::app
