#include "app/report/run_report.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

namespace quadrille::app {
namespace {

using hw::CommandRecord;
using Step = std::string_view;

bool is_product(Step step) { return step == "scores" || step == "weighted_values"; }
bool is_write(Step step) { return step == "write_dynamic"; }
bool is_either(Step step) { return is_product(step) || is_write(step); }
bool is_load(Step step) { return step == "load_weights"; }

std::vector<std::string> steps_of(const std::vector<CommandRecord>& records) {
  std::vector<std::string> steps;
  for (const CommandRecord& record : records) {
    if (std::find(steps.begin(), steps.end(), record.step) == steps.end())
      steps.emplace_back(record.step);
  }
  return steps;
}

/// Cycles in which at least one record that `chosen` accepts runs.
template <typename Chosen>
std::int64_t covered_cycles(const std::vector<CommandRecord>& records, Chosen chosen) {
  std::vector<std::pair<std::int64_t, std::int64_t>> spans;
  for (const CommandRecord& record : records) {
    if (chosen(record.step)) spans.emplace_back(record.start_cycle, record.end_cycle);
  }
  std::sort(spans.begin(), spans.end());
  std::int64_t cycles = 0;
  std::int64_t reached = 0;
  for (const auto& [start, end] : spans) {
    cycles += std::max<std::int64_t>(0, end - std::max(start, reached));
    reached = std::max(reached, end);
  }
  return cycles;
}

PhaseFigures phase_figures(const std::string& step, const RunRequest& request,
                           const RunOutcome& outcome) {
  PhaseFigures figures;
  figures.step = step;
  const auto& records = outcome.chip.records;
  // Energy is linear in activity and traffic, so units are priced once each.
  std::array<hw::Activity, hw::kUnits> activity;
  std::array<hw::Traffic, hw::kUnits> traffic;
  for (const CommandRecord& record : records) {
    if (step != record.step) continue;
    const auto unit = static_cast<std::size_t>(record.unit);
    ++figures.commands;
    figures.busy_cycles += record.occupancy.busy;
    activity[unit] += record.activity;
    traffic[unit] += record.traffic;
  }
  for (std::size_t unit = 0; unit < hw::kUnits; ++unit) {
    figures.activity += activity[unit];
    figures.traffic += traffic[unit];
    hw::add(figures.dynamic_pj,
            hw::dynamic_energy_pj(request.chip, request.technology, static_cast<hw::Unit>(unit),
                                  activity[unit], traffic[unit]));
  }
  figures.cycles = covered_cycles(records, [&](Step other) { return other == step; });
  return figures;
}

double share(double part, double whole) { return whole > 0.0 ? part / whole : 0.0; }

DynamicOperands dynamic_operands(const RunReport& report, bool with_load, bool with_dram) {
  const hw::ChipResult& chip = report.outcome.chip;
  DynamicOperands figures;
  double products = 0.0, writes = 0.0, energy = 0.0;
  std::int64_t macs = 0, dynamic_macs = 0;
  for (const PhaseFigures& phase : report.phases) {
    if (is_load(phase.step) && !with_load) continue;
    const double picojoules =
        phase.total_dynamic_pj() - (with_dram ? 0.0 : phase.dynamic_pj.at("dram"));
    energy += picojoules;
    if (is_product(phase.step)) products += picojoules;
    if (is_write(phase.step)) writes += picojoules;
    macs += phase.activity.macs_static + phase.activity.macs_dynamic;
    dynamic_macs += phase.activity.macs_dynamic;
  }
  const auto cycles = static_cast<double>(
      with_load ? chip.cycles
                : covered_cycles(chip.records, [](Step step) { return !is_load(step); }));
  const auto cycles_share = [&](auto chosen) {
    return share(static_cast<double>(covered_cycles(chip.records, chosen)), cycles);
  };
  figures.macs_share = share(static_cast<double>(dynamic_macs), static_cast<double>(macs));
  figures.product_cycles_share = cycles_share(is_product);
  figures.write_cycles_share = cycles_share(is_write);
  figures.cycles_share = cycles_share(is_either);
  figures.product_energy_share = share(products, energy);
  figures.write_energy_share = share(writes, energy);
  figures.energy_share = share(products + writes, energy);
  return figures;
}

}  // namespace

RunReport make_report(RunRequest made, RunOutcome found, std::vector<InputFile> inputs) {
  RunReport report;
  report.request = std::move(made);
  report.outcome = std::move(found);
  report.inputs = std::move(inputs);
  const RunRequest& request = report.request;
  const RunOutcome& outcome = report.outcome;
  for (const std::string& step : steps_of(outcome.chip.records)) {
    PhaseFigures figures = phase_figures(step, request, outcome);
    hw::add(report.energy.dynamic_pj, figures.dynamic_pj);
    report.phases.push_back(std::move(figures));
  }
  report.energy.static_pj =
      hw::static_energy_pj(request.chip, request.technology, outcome.chip.cycles);
  report.energy.area_um2 = hw::area_um2(request.chip, request.technology);
  report.dynamic = dynamic_operands(report, true, true);
  report.dynamic_resident = dynamic_operands(report, false, true);
  report.dynamic_on_chip = dynamic_operands(report, false, false);
  return report;
}

}  // namespace quadrille::app
