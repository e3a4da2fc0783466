// Energy and area of a run, by component of the chip.
#pragma once

#include "hw/energy/energy.h"

namespace quadrille::app {

struct EnergyFigures {
  hw::ByComponent dynamic_pj;  ///< Switching.
  hw::ByComponent static_pj;   ///< Leakage, and the DRAM's standby and refresh.
  hw::ByComponent area_um2;

  double total_dynamic_pj() const { return hw::total(dynamic_pj); }
  double total_static_pj() const { return hw::total(static_pj); }
  double total_area_um2() const { return hw::total(area_um2); }
};

}  // namespace quadrille::app
