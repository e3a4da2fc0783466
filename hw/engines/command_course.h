// What only its data decide about a command: how often it swept its input, and
// what it measured on the way. For most commands there is nothing to decide.
#pragma once

#include <cstdint>
#include <vector>

#include "model/attention/sinkhorn.h"

namespace quadrille::hw {

struct CommandCourse {
  /// How often the input stream is read (BeatEngine::repeat_input).
  std::int64_t input_passes = 1;
  /// Sinkhorn: sweeps over each block of the batch.
  std::vector<std::int64_t> block_sweeps;
  /// Sinkhorn: half-steps done, the most of any matrix; 0 for other commands.
  std::int64_t half_steps = 0;
  /// Sinkhorn: residuals by half-step (SinkhornFixedResult::residuals); empty
  /// without data.
  std::vector<model::SinkhornResidualCode> residuals;
};

}  // namespace quadrille::hw
