#include "app/experiments/experiment.h"

#include <fmt/format.h>

#include "hw/energy/energy.h"
#include "model/errors.h"

namespace quadrille::app {

namespace {

const std::vector<std::pair<std::string, Experiment>>& experiments() {
  static const std::vector<std::pair<std::string, Experiment>> all = {
      {"heat-flow", run_heat_flow},
      {"sinkformer-geometry", run_sinkformer_geometry},
      {"scaleformer-scaling", run_scaleformer_scaling},
      {"mechanism-lengths", run_mechanism_lengths},
      {"damf-comparison", run_damf_three_ways}};
  return all;
}

}  // namespace

Experiment find_experiment(const std::string& kind) {
  for (const auto& [name, experiment] : experiments()) {
    if (name == kind) return experiment;
  }
  return nullptr;
}

std::vector<std::string> experiment_kinds() {
  std::vector<std::string> kinds;
  for (const auto& entry : experiments()) kinds.push_back(entry.first);
  return kinds;
}

void read_head(const YamlNode& workload, const char* kind) {
  workload.text("name");
  workload.text("kind", {kind});
}

void refuse_seed(const ExperimentSetup& setup, const std::string& kind) {
  if (!setup.seed) return;
  throw InputError("--seed", std::to_string(*setup.seed),
                   "a workload of kind " + kind + " draws no numbers, expected no seed");
}

RunCost& RunCost::operator+=(const RunCost& other) {
  cycles += other.cycles;
  activity += other.activity;
  traffic += other.traffic;
  dynamic_pj += other.dynamic_pj;
  static_pj += other.static_pj;
  return *this;
}

RunCost cost_of(const ExperimentSetup& setup, const hw::ChipResult& result) {
  RunCost cost;
  cost.cycles = result.cycles;
  // Energy is linear in activity and traffic, so units are priced once each.
  std::array<hw::Activity, hw::kUnits> activity;
  std::array<hw::Traffic, hw::kUnits> traffic;
  for (const hw::CommandRecord& record : result.records) {
    activity[static_cast<std::size_t>(record.unit)] += record.activity;
    traffic[static_cast<std::size_t>(record.unit)] += record.traffic;
  }
  for (std::size_t unit = 0; unit < hw::kUnits; ++unit) {
    cost.activity += activity[unit];
    cost.traffic += traffic[unit];
    cost.dynamic_pj += hw::total(hw::dynamic_energy_pj(
        setup.chip, setup.technology, static_cast<hw::Unit>(unit), activity[unit], traffic[unit]));
  }
  cost.static_pj = hw::total(hw::static_energy_pj(setup.chip, setup.technology, result.cycles));
  return cost;
}

const char* const kCostColumns =
    "cycles,macs_static,macs_dynamic,macs_wasted,shift_adds,exponentials,reciprocals,"
    "dram_read_bytes,dram_write_bytes,sram_read_bytes,sram_write_bytes,cim_write_bytes,"
    "local_read_bytes,local_write_bytes,energy_dynamic_pj,energy_static_pj";

std::string cost_csv(const RunCost& cost) {
  const hw::Activity& a = cost.activity;
  const hw::Traffic& t = cost.traffic;
  return fmt::format("{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{}", cost.cycles, a.macs_static,
                     a.macs_dynamic, a.macs_wasted, a.shift_adds, a.exponentials, a.reciprocals,
                     t.dram_read_bytes, t.dram_write_bytes, t.sram_read.bytes, t.sram_write.bytes,
                     t.cim_write_bytes, a.local_read_bytes, a.local_write_bytes, cost.dynamic_pj,
                     cost.static_pj);
}

nlohmann::ordered_json cost_json(const RunCost& cost) {
  return {{"cycles", cost.cycles},
          {"macs",
           {{"static", cost.activity.macs_static},
            {"dynamic", cost.activity.macs_dynamic},
            {"wasted", cost.activity.macs_wasted}}},
          {"memory",
           {{"dram",
             {{"read_bytes", cost.traffic.dram_read_bytes},
              {"write_bytes", cost.traffic.dram_write_bytes}}},
            {"sram",
             {{"read_bytes", cost.traffic.sram_read.bytes},
              {"write_bytes", cost.traffic.sram_write.bytes}}},
            {"cim", {{"read_bytes", 0}, {"write_bytes", cost.traffic.cim_write_bytes}}}}},
          {"energy_pj",
           {{"total", cost.total_pj()}, {"dynamic", cost.dynamic_pj}, {"static", cost.static_pj}}}};
}

std::string csv_quoted(const std::string& text) {
  std::string result = "\"";
  for (const char c : text) result += c == '"' ? std::string("\"\"") : std::string(1, c);
  return result + "\"";
}

Line fitted_line(const std::vector<double>& x, const std::vector<double>& y) {
  if (x.size() != y.size() || x.size() < 2) throw InvariantError("a line through too few points");
  const auto count = static_cast<double>(x.size());
  double sum_x = 0.0, sum_y = 0.0, sum_xx = 0.0, sum_xy = 0.0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    sum_x += x[i];
    sum_y += y[i];
    sum_xx += x[i] * x[i];
    sum_xy += x[i] * y[i];
  }
  Line line;
  line.slope = (count * sum_xy - sum_x * sum_y) / (count * sum_xx - sum_x * sum_x);
  line.intercept = (sum_y - line.slope * sum_x) / count;
  return line;
}

}  // namespace quadrille::app
