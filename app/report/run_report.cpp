#include "app/report/run_report.h"

#include <algorithm>
#include <array>
#include <utility>

#include "app/report/energy.h"

namespace quadrille::app {
namespace {

using hw::CommandRecord;
using hw::Phase;

constexpr std::array<Phase, 11> kPhases = {
    Phase::kLoadWeights,  Phase::kLoadInput,        Phase::kProjection, Phase::kScoreInner,
    Phase::kWriteDynamic, Phase::kScores,           Phase::kNormalise,  Phase::kWeightedValues,
    Phase::kRequantise,   Phase::kOutputProjection, Phase::kStoreOutput};

bool is_product(Phase phase) { return phase == Phase::kScores || phase == Phase::kWeightedValues; }
bool is_write(Phase phase) { return phase == Phase::kWriteDynamic; }
bool is_either(Phase phase) { return is_product(phase) || is_write(phase); }
bool is_load(Phase phase) { return phase == Phase::kLoadWeights; }

/// Cycles in which at least one record that `chosen` accepts runs.
template <typename Chosen>
std::int64_t covered_cycles(const std::vector<CommandRecord>& records, Chosen chosen) {
  std::vector<std::pair<std::int64_t, std::int64_t>> spans;
  for (const CommandRecord& record : records) {
    if (chosen(record.phase)) spans.emplace_back(record.start_cycle, record.end_cycle);
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

PhaseFigures phase_figures(Phase phase, const RunRequest& request, const RunOutcome& outcome,
                           const EnergyModel& model) {
  PhaseFigures figures;
  figures.phase = phase;
  const auto& records = outcome.chip.records;
  for (const CommandRecord& record : records) {
    if (record.phase != phase) continue;
    ++figures.commands;
    figures.busy_cycles += record.occupancy.busy;
    figures.activity += record.activity;
    figures.traffic += record.traffic;
  }
  figures.cycles = covered_cycles(records, [phase](Phase other) { return other == phase; });
  figures.dynamic_pj = model.dynamic_pj(
      records, [phase](const CommandRecord& record) { return record.phase == phase; });
  (void)request;
  return figures;
}

double share(double part, double whole) { return whole > 0.0 ? part / whole : 0.0; }

DynamicOperands dynamic_operands(const RunReport& report, bool with_load) {
  const hw::ChipResult& chip = report.outcome->chip;
  DynamicOperands figures;
  double products = 0.0, writes = 0.0, energy = 0.0;
  std::int64_t macs = 0, dynamic_macs = 0;
  for (const PhaseFigures& phase : report.phases) {
    if (is_load(phase.phase) && !with_load) continue;
    energy += phase.dynamic_pj;
    if (is_product(phase.phase)) products += phase.dynamic_pj;
    if (is_write(phase.phase)) writes += phase.dynamic_pj;
    macs += phase.activity.macs_static + phase.activity.macs_dynamic;
    dynamic_macs += phase.activity.macs_dynamic;
  }
  const auto cycles = static_cast<double>(
      with_load ? chip.cycles
                : covered_cycles(chip.records, [](Phase phase) { return !is_load(phase); }));
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

RunReport make_report(const RunRequest& request, const RunOutcome& outcome,
                      std::vector<InputFile> inputs) {
  RunReport report;
  report.workload = request.workload.name;
  report.request = &request;
  report.outcome = &outcome;
  report.inputs = std::move(inputs);
  const EnergyModel model(request.chip, outcome.chip);
  report.energy = model.run();
  for (const Phase phase : kPhases) {
    PhaseFigures figures = phase_figures(phase, request, outcome, model);
    if (figures.commands > 0) report.phases.push_back(figures);
  }
  report.dynamic = dynamic_operands(report, true);
  report.dynamic_resident = dynamic_operands(report, false);
  return report;
}

}  // namespace quadrille::app
