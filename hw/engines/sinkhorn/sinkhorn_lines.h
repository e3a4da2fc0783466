// The arithmetic of the Sinkhorn unit: lines summed side by side, one element of
// each per step, and what becomes of a finished sum. Tile and beat bodies share it.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "hw/engines/command_course.h"
#include "hw/engines/sinkhorn/sinkhorn_layout.h"

namespace quadrille::hw {

/// saturate(round_shift(code * factor), 16); counts what it clamped.
std::int32_t sinkhorn_logit(std::int32_t code, const model::Multiplier& factor,
                            std::int64_t& saturated);

/// Running LogSums (model/numerics/logarithm.h) of lines side by side.
struct LogSums {
  std::vector<std::int32_t> octaves;
  std::vector<std::uint64_t> sums;

  void clear(std::size_t lines);
  /// Of one line that has had a term.
  std::int64_t logarithm(std::size_t line) const;
};

/// Adds one logit each to the lines first.. of `sums`: 2^(logit << left + other).
/// Line k's other side has others[k mod copies]; 1 is one value for all.
void add_terms(LogSums& sums, std::size_t first, const std::int16_t* logits, std::size_t lines,
               int left, const std::int32_t* others, std::size_t copies);

/// A line sum of the scaling form turned into its next scaling.
struct SolvedLine {
  std::int32_t scaling = 0;
  std::int32_t residual = 0;  ///< |sum / target - 1| before, 16 fraction bits.
  bool saturated = false;
};
SolvedLine solve_line(std::int64_t logarithm, std::int64_t target, std::int32_t old, bool damped);

/// When a matrix stops, and what was measured on the way: the half of a sweep
/// that looks at residuals only.
class SinkhornProgress {
 public:
  SinkhornProgress(const SinkhornScale& operation, int matrices);

  int sweeps() const { return sweeps_; }
  bool done() const;
  /// Sides that the next sweep sums.
  bool sums(SinkhornSide side) const;
  void begin() { ++sweeps_; }
  /// What the present sweep measured. True when the matrix takes the sweep's
  /// new scalings.
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

/// The matrices of one resident block (or one streamed matrix as a whole), and
/// their scalings. Positions are flattened: (matrix, row, column), (matrix, line).
class SinkhornBlock {
 public:
  virtual ~SinkhornBlock() = default;
  virtual void set_logit(std::int64_t position, std::int32_t logit) = 0;
  virtual void set_scaling(SinkhornSide side, std::int64_t position, std::int32_t code) = 0;
  /// After the last element: held forms make their K.
  virtual void loaded() = 0;
  /// One sweep of all matrices, while !progress().done().
  virtual void sweep() = 0;
  virtual const SinkhornProgress& progress() const = 0;

  /// As they leave the unit. kernel() counts what it clamps.
  virtual std::int32_t scaling(SinkhornSide side, std::int64_t position) const = 0;
  virtual std::int32_t kernel(std::int64_t position, std::int64_t& saturated) const = 0;
  /// Scalings and sums (kMatrix: and elements) clamped so far.
  virtual std::int64_t saturated() const = 0;
};

std::unique_ptr<SinkhornBlock> make_sinkhorn_block(const SinkhornScale& operation, int matrices);

}  // namespace quadrille::hw
