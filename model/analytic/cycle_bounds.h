// Closed forms of what a layer must move and how fast a chip could at best be:
// lower bounds that no schedule can beat.
#pragma once

#include <cstdint>

#include "model/analytic/attention_counts.h"
#include "model/attention/mechanism.h"

namespace quadrille::model {

/// Bytes that must cross a link once, whatever the schedule: 8-bit codes of
/// weights, input and dynamic operands, 32-bit sums of the output.
struct CompulsoryTraffic {
  std::int64_t dram_read_bytes = 0;   ///< Weights (or u, v) and X.
  std::int64_t dram_write_bytes = 0;  ///< The layer's output.
  std::int64_t cim_write_bytes = 0;   ///< Static matrices, and K and V for softmax.
};
/// Softmax and DAMF layers only: InvariantError for another mechanism.
CompulsoryTraffic compulsory_traffic(const LayerDimensions& layer, Mechanism mechanism);

/// Peak rates of a chip, per cycle.
struct PeakRates {
  double dram_bytes = 0.0;
  double cim_write_bytes = 0.0;
  double cim_macs = 0.0;  ///< Products of the widest inputs.
};

/// Cycles below which no run of the layer can stay; the largest of three.
struct CycleBounds {
  double dram_cycles = 0.0;
  double cim_write_cycles = 0.0;
  double cim_compute_cycles = 0.0;
  double least_cycles() const;
};
CycleBounds cycle_bounds(const LayerDimensions& layer, Mechanism mechanism, const PeakRates& rates);

}  // namespace quadrille::model
