#include "model/analytic/cycle_bounds.h"

#include <algorithm>

#include "model/errors.h"

namespace quadrille::model {

CompulsoryTraffic compulsory_traffic(const LayerDimensions& layer, Mechanism mechanism) {
  check(layer);
  if (mechanism != Mechanism::kSoftmax && mechanism != Mechanism::kDamf) {
    throw InvariantError("no closed form of the compulsory traffic of this mechanism");
  }
  const std::int64_t matrix = layer.width * layer.width;
  const std::int64_t activations = layer.length * layer.width;
  CompulsoryTraffic traffic;
  traffic.dram_write_bytes = 4 * activations;
  if (mechanism == Mechanism::kSoftmax) {
    traffic.dram_read_bytes = 4 * matrix + activations;
    traffic.cim_write_bytes = 4 * matrix + 2 * activations;
  } else {
    traffic.dram_read_bytes = 2 * matrix + 2 * layer.heads * layer.width + activations;
    traffic.cim_write_bytes = 2 * matrix;
  }
  return traffic;
}

double CycleBounds::least_cycles() const {
  return std::max({dram_cycles, cim_write_cycles, cim_compute_cycles});
}

CycleBounds cycle_bounds(const LayerDimensions& layer, Mechanism mechanism,
                         const PeakRates& rates) {
  const CompulsoryTraffic traffic = compulsory_traffic(layer, mechanism);
  // The CIM bank makes all products of the softmax layer without a mask, and the
  // two projections of the DAMF layer.
  const bool softmax = mechanism == Mechanism::kSoftmax;
  const std::int64_t macs =
      softmax ? softmax_counts(layer, false).macs() : 2 * layer.length * layer.width * layer.width;
  CycleBounds bounds;
  bounds.dram_cycles =
      static_cast<double>(traffic.dram_read_bytes + traffic.dram_write_bytes) / rates.dram_bytes;
  bounds.cim_write_cycles = static_cast<double>(traffic.cim_write_bytes) / rates.cim_write_bytes;
  bounds.cim_compute_cycles = static_cast<double>(macs) / rates.cim_macs;
  return bounds;
}

}  // namespace quadrille::model
