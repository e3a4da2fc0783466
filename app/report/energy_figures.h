// Energy and area of a run, by component of the chip.
#pragma once

#include <map>
#include <string>

#include "hw/chip_config.h"
#include "hw/chip_result.h"

namespace quadrille::app {

/// pJ and um^2 by component. Components are ordered by name, and so are sums:
/// the same run gives the same bits.
struct EnergyFigures {
  std::map<std::string, double> dynamic_pj;
  std::map<std::string, double> static_pj;
  std::map<std::string, double> area_um2;

  double total_dynamic_pj() const;
  double total_static_pj() const;
  double total_area_um2() const;
};

}  // namespace quadrille::app
