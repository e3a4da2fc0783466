#include "app/report/energy.h"

namespace quadrille::app {
namespace {

double sum(const std::map<std::string, double>& parts) {
  double total = 0.0;
  for (const auto& part : parts) total += part.second;
  return total;
}

}  // namespace

double EnergyFigures::total_dynamic_pj() const { return sum(dynamic_pj); }
double EnergyFigures::total_static_pj() const { return sum(static_pj); }
double EnergyFigures::total_area_um2() const { return sum(area_um2); }

EnergyModel::EnergyModel(const hw::ChipConfig&, const hw::ChipResult&) {}

EnergyFigures EnergyModel::run() const { return {}; }

}  // namespace quadrille::app
