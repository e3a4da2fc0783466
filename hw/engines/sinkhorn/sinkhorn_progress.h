// The half-steps that a block of matrices still makes, and what they measured.
#pragma once

#include <cstdint>
#include <vector>

#include "hw/engines/command_course.h"
#include "hw/engines/sinkhorn/sinkhorn_layout.h"

namespace quadrille::hw {

/// Decides when a matrix stops, and keeps what was measured on the way: the half
/// of a sweep that looks at residuals only.
class SinkhornProgress {
 public:
  SinkhornProgress(const SinkhornScale& operation, int matrices);

  int sweeps() const { return sweeps_; }
  bool done() const;
  /// Sides that the next sweep sums.
  bool sums(SinkhornSide side) const;
  void begin() { ++sweeps_; }
  /// Takes what the present sweep measured. True when the matrix takes the
  /// sweep's new scalings.
  bool measured(int matrix, const model::SinkhornResidualCode& residual);
  int half_steps(int matrix) const { return half_steps_[static_cast<std::size_t>(matrix)]; }
  /// Adds what this block decided to the command's course.
  void join(CommandCourse& course) const;

 private:
  int limit_;
  int most_half_steps_;
  bool stop_;
  bool damped_;
  std::int32_t tolerance_code_;
  int sweeps_ = 0;
  int running_;
  std::vector<bool> stopped_;
  std::vector<int> half_steps_;
  std::vector<model::SinkhornResidualCode> residuals_;
};

}  // namespace quadrille::hw
