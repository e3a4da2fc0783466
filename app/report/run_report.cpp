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

/// The distinct names that `name_of` gives records, in the order of their first.
template <typename NameOf>
std::vector<std::string> names_of(const std::vector<CommandRecord>& records, NameOf name_of) {
  std::vector<std::string> names;
  for (const CommandRecord& record : records) {
    if (std::find(names.begin(), names.end(), name_of(record)) == names.end())
      names.emplace_back(name_of(record));
  }
  return names;
}

/// Cycles in which at least one record that `chosen` accepts runs.
template <typename Chosen>
std::int64_t covered_cycles(const std::vector<CommandRecord>& records, Chosen chosen) {
  std::vector<std::pair<std::int64_t, std::int64_t>> spans;
  for (const CommandRecord& record : records) {
    if (chosen(record)) spans.emplace_back(record.start_cycle, record.end_cycle);
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

/// The records that `chosen` accepts.
template <typename Chosen>
CommandFigures figures_of(const std::string& name, const RunReport& report, Chosen chosen) {
  CommandFigures figures;
  figures.name = name;
  const auto& records = report.outcome.chip.records;
  // Energy is linear in activity and traffic, so units are priced once each.
  std::array<hw::Activity, hw::kUnits> activity;
  std::array<hw::Traffic, hw::kUnits> traffic;
  for (std::size_t i = 0; i < records.size(); ++i) {
    const CommandRecord& record = records[i];
    if (!chosen(record)) continue;
    const auto unit = static_cast<std::size_t>(record.unit);
    ++figures.commands;
    figures.cycles += report.critical_cycles[i];
    figures.busy_cycles += record.occupancy.busy;
    activity[unit] += record.activity;
    traffic[unit] += record.traffic;
  }
  for (std::size_t unit = 0; unit < hw::kUnits; ++unit) {
    figures.activity += activity[unit];
    figures.traffic += traffic[unit];
    hw::add(figures.dynamic_pj,
            hw::dynamic_energy_pj(report.request.chip, report.request.technology,
                                  static_cast<hw::Unit>(unit), activity[unit], traffic[unit]));
  }
  figures.span_cycles = covered_cycles(records, chosen);
  return figures;
}

/// One group of figures per name that `name_of` gives the records that `chosen`
/// accepts.
template <typename NameOf, typename Chosen>
std::vector<CommandFigures> grouped(const RunReport& report, NameOf name_of, Chosen chosen) {
  std::vector<CommandFigures> groups;
  for (const std::string& name : names_of(report.outcome.chip.records, name_of)) {
    CommandFigures figures = figures_of(name, report, [&](const CommandRecord& record) {
      return chosen(record) && name == name_of(record);
    });
    if (figures.commands > 0) groups.push_back(std::move(figures));
  }
  return groups;
}

/// Phases, nodes and layers.
void add_groups(RunReport& report) {
  const auto step = [](const CommandRecord& record) { return record.step; };
  const auto any = [](const CommandRecord&) { return true; };
  const std::vector<hw::ProgramNode>& nodes = report.outcome.program.nodes;
  const auto layer = [&](const CommandRecord& record) {
    return nodes[static_cast<std::size_t>(record.node)].layer;
  };
  report.steps = grouped(report, step, any);
  report.layers = grouped(report, layer, any);
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const auto own = [i](const CommandRecord& record) {
      return record.node == static_cast<int>(i);
    };
    NodeFigures node{figures_of(nodes[i].name, report, own), nodes[i].layer,
                     grouped(report, step, own)};
    if (node.all.commands > 0) report.nodes.push_back(std::move(node));
  }
}

double share(double part, double whole) { return whole > 0.0 ? part / whole : 0.0; }

DynamicOperands dynamic_operands(const RunReport& report, bool with_load, bool with_dram) {
  const hw::ChipResult& chip = report.outcome.chip;
  DynamicOperands figures;
  double products = 0.0, writes = 0.0, energy = 0.0;
  std::int64_t macs = 0, dynamic_macs = 0;
  for (const CommandFigures& phase : report.steps) {
    if (is_load(phase.name) && !with_load) continue;
    const double picojoules =
        phase.total_dynamic_pj() - (with_dram ? 0.0 : hw::dram_total(phase.dynamic_pj));
    energy += picojoules;
    if (is_product(phase.name)) products += picojoules;
    if (is_write(phase.name)) writes += picojoules;
    macs += phase.activity.macs_static + phase.activity.macs_dynamic;
    dynamic_macs += phase.activity.macs_dynamic;
  }
  const auto cycles = static_cast<double>(
      with_load ? chip.cycles : covered_cycles(chip.records, [](const CommandRecord& record) {
        return !is_load(record.step);
      }));
  const auto cycles_share = [&](bool (*chosen)(Step)) {
    const auto covered = covered_cycles(
        chip.records, [&](const CommandRecord& record) { return chosen(record.step); });
    return share(static_cast<double>(covered), cycles);
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

RateFigures rates_of(const RunReport& report) {
  const RunOutcome& outcome = report.outcome;
  const hw::Activity activity = outcome.chip.totals.activity();
  const auto macs = static_cast<double>(activity.macs_static + activity.macs_dynamic);
  const auto cycles = static_cast<double>(outcome.chip.cycles);
  const double picojoules = report.energy.total_dynamic_pj() + report.energy.total_static_pj();
  RateFigures rates;
  rates.achieved_macs_per_cycle = share(macs, cycles);
  rates.utilisation = share(rates.achieved_macs_per_cycle, outcome.bounds.peak_macs_per_cycle);
  rates.cycles_over_bound = share(cycles, static_cast<double>(outcome.bounds.largest().cycles));
  rates.seconds = cycles / report.request.chip.clock_hz;
  rates.mean_power_w = share(1e-12 * picojoules, rates.seconds);
  rates.tops = share(2e-12 * macs, rates.seconds);
  rates.tops_per_w = share(rates.tops, rates.mean_power_w);
  return rates;
}

}  // namespace

RunReport make_report(RunRequest made, RunOutcome found, std::vector<InputFile> inputs) {
  RunReport report;
  report.request = std::move(made);
  report.outcome = std::move(found);
  report.inputs = std::move(inputs);
  const RunRequest& request = report.request;
  const RunOutcome& outcome = report.outcome;
  report.critical_cycles.assign(outcome.chip.records.size(), 0);
  for (const hw::CriticalStep& step : outcome.critical_path)
    report.critical_cycles[static_cast<std::size_t>(step.command)] = step.cycles();
  add_groups(report);
  for (const CommandFigures& phase : report.steps)
    hw::add(report.energy.dynamic_pj, phase.dynamic_pj);
  report.energy.static_pj =
      hw::static_energy_pj(request.chip, request.technology, outcome.chip.cycles);
  report.energy.area_um2 = hw::area_um2(request.chip, request.technology);
  report.rates = rates_of(report);
  report.dynamic = dynamic_operands(report, true, true);
  report.dynamic_resident = dynamic_operands(report, false, true);
  report.dynamic_on_chip = dynamic_operands(report, false, false);
  return report;
}

}  // namespace quadrille::app
