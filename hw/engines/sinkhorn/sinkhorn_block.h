// The matrices that the banks hold at once, with their scalings: logits with
// logarithmic scalings, or held K with reciprocals. Tile and beat bodies share them.
#pragma once

#include <cstdint>
#include <memory>

#include "hw/engines/sinkhorn/sinkhorn_progress.h"

namespace quadrille::hw {

/// The matrices of one resident block (or one streamed matrix as a whole), and
/// their scalings. Positions are flattened: (matrix, row, column), (matrix, line).
class SinkhornBlock {
 public:
  virtual ~SinkhornBlock() = default;
  virtual void set_logit(std::int64_t position, std::int32_t logit) = 0;
  virtual void set_scaling(SinkhornSide side, std::int64_t position, std::int32_t code) = 0;
  /// Follows the last element: held forms make their K.
  virtual void loaded() = 0;
  /// One sweep of all matrices, while !progress().done().
  virtual void sweep() = 0;
  virtual const SinkhornProgress& progress() const = 0;

  /// These give words as they leave the unit. kernel() counts what it clamps.
  virtual std::int32_t scaling(SinkhornSide side, std::int64_t position) const = 0;
  virtual std::int32_t kernel(std::int64_t position, std::int64_t& saturated) const = 0;
  /// Scalings and sums (kMatrix: and elements) clamped so far.
  virtual std::int64_t saturated() const = 0;
};

std::unique_ptr<SinkhornBlock> make_sinkhorn_block(const SinkhornScale& operation, int matrices);

}  // namespace quadrille::hw
