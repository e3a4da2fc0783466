// A command's course is what only its data decide: how often it swept its input,
// and what it measured on the way. Most commands have nothing to decide.
#pragma once

#include <cstdint>
#include <vector>

#include "model/attention/sinkhorn.h"

namespace quadrille::hw {

struct CommandCourse {
  /// The input stream is read so often (BeatEngine::repeat_input).
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
