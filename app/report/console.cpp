#include "app/report/console.h"

#include <fmt/format.h>

#include <iterator>
#include <string_view>

#include "app/config/choices.h"
#include "app/report/summary.h"
#include "hw/counters/counter_table.h"

namespace quadrille::app {
namespace {

using Text = std::back_insert_iterator<std::string>;

double percent(double part, double whole) { return whole > 0.0 ? 100.0 * part / whole : 0.0; }

void put_engines(Text to, const hw::ChipTotals& totals) {
  fmt::format_to(to, "\n  {:<9}{:>13}{:>13}{:>13}{:>9}   most stalled by\n", "engine",
                 "busy cycles", "stalled", "idle", "busy");
  const auto put = [&](const hw::EngineTotals& engine) {
    if (engine.commands == 0) return;
    const hw::OccupancyTotals& occupancy = engine.occupancy;
    int worst = 0;
    for (int cause = 1; cause < hw::kStallCauses; ++cause) {
      if (occupancy.stalled[static_cast<std::size_t>(cause)] >
          occupancy.stalled[static_cast<std::size_t>(worst)]) {
        worst = cause;
      }
    }
    fmt::format_to(
        to, "  {:<9}{:>13}{:>13}{:>13}{:>8.1f}%   {}\n", engine.name, occupancy.busy,
        occupancy.all_stalled(), occupancy.idle,
        percent(static_cast<double>(occupancy.busy), static_cast<double>(occupancy.total())),
        occupancy.all_stalled() == 0 ? "-"
                                     : hw::stall_cause_name(static_cast<hw::StallCause>(worst)));
  };
  for (const hw::EngineTotals& engine : totals.engines) put(engine);
  put(totals.dma);
}

void put_macs(Text to, const hw::Activity& activity) {
  std::string kinds;
  for (const hw::ActivityCounter& row : hw::kActivityCounters) {
    if (std::string_view(row.info.group) != "macs") continue;
    kinds += fmt::format("{}{} {}", kinds.empty() ? "" : ", ", activity.*row.count, row.info.name);
  }
  fmt::format_to(to, "  MACs     {}\n", kinds);
}

void put_sinkhorn(Text to, const SinkhornFigures& sinkhorn) {
  fmt::format_to(to, "  sinkhorn {} half-steps", sinkhorn.half_steps);
  if (sinkhorn.final_residual) {
    fmt::format_to(to, "; sums off their targets by at most {:.3g} (rows), {:.3g} (columns)",
                   sinkhorn.final_residual->row, sinkhorn.final_residual->column);
  }
  fmt::format_to(to, "\n");
}

void put_phases(Text to, const RunReport& report) {
  fmt::format_to(to, "\n  {:<18}{:>9}{:>11}{:>14}{:>14}{:>16}\n", "phase", "commands", "cycles",
                 "static MACs", "dynamic MACs", "switching pJ");
  for (const CommandFigures& phase : report.phases) {
    fmt::format_to(to, "  {:<18}{:>9}{:>11}{:>14}{:>14}{:>16.0f}\n", phase.name, phase.commands,
                   phase.span_cycles, phase.activity.macs_static, phase.activity.macs_dynamic,
                   phase.total_dynamic_pj());
  }
}

void put_energy(Text to, const EnergyFigures& energy) {
  const double total = energy.total_dynamic_pj() + energy.total_static_pj();
  fmt::format_to(to, "\n  energy   {:.0f} pJ: {:.0f} switching, {:.0f} leakage\n", total,
                 energy.total_dynamic_pj(), energy.total_static_pj());
  for (const auto& [name, picojoules] : energy.dynamic_pj) {
    const auto leakage = energy.static_pj.find(name);
    const double all = picojoules + (leakage == energy.static_pj.end() ? 0.0 : leakage->second);
    fmt::format_to(to, "    {:<16}{:>16.0f} pJ{:>7.1f}%\n", name, all, percent(all, total));
  }
  fmt::format_to(to, "  area     {:.0f} um2\n", energy.total_area_um2());
}

void put_dynamic(Text to, const RunReport& report) {
  fmt::format_to(to,
                 "\n  dynamic operands (products of two run-time matrices, and writing K and V)\n"
                 "    {:<26}{:>8}{:>9}{:>9}\n",
                 "share of", "MACs", "cycles", "energy");
  const auto put = [&](const char* name, const DynamicOperands& figures) {
    fmt::format_to(to, "    {:<26}{:>7.2f}%{:>8.2f}%{:>8.2f}%   of it writing: {:.2f}%, {:.2f}%\n",
                   name, 100 * figures.macs_share, 100 * figures.cycles_share,
                   100 * figures.energy_share, 100 * figures.write_cycles_share,
                   100 * figures.write_energy_share);
  };
  put("this run", report.dynamic);
  put("without the weight load", report.dynamic_resident);
  put("and without DRAM energy", report.dynamic_on_chip);
  fmt::format_to(to, "    {:<26}{:>7.2f}%{:>9}{:>8.2f}%   (power)\n", "MulTCIM, as quoted",
                 100 * kMultcimMacsShare, "-", 100 * kMultcimPowerShare);
}

}  // namespace

std::string console_report(const RunReport& report) {
  const RunOutcome& outcome = report.outcome;
  const hw::ChipConfig& chip = report.request.chip;
  const hw::ChipTotals& totals = outcome.chip.totals;
  std::string text;
  const Text to(text);
  fmt::format_to(to, "{} on {} ({}, {:.0f} MHz, {} timing{})\n\n", report.request.workload.name,
                 chip.name, chip.technology, chip.clock_hz / 1e6,
                 word_of(kTimingChoices, outcome.timing), report.request.data ? "" : ", no data");
  if (!outcome.ran_in_rtl.empty())
    fmt::format_to(to, "  rtl      {}\n", fmt::join(outcome.ran_in_rtl, ", "));
  if (!outcome.idle_in_rtl.empty()) {
    fmt::format_to(to, "  idle     {}: asked for in RTL, but this workload has no command for it\n",
                   fmt::join(outcome.idle_in_rtl, ", "));
  }
  fmt::format_to(to, "  cycles   {} at {:.0f} Hz: {:.2f} us\n", outcome.chip.cycles, chip.clock_hz,
                 static_cast<double>(outcome.chip.cycles) / chip.clock_hz * 1e6);
  put_macs(to, totals.activity());
  const hw::Traffic& traffic = totals.traffic;
  fmt::format_to(to,
                 "  memory   dram {} read, {} written; sram {} read, {} written; cim {} written"
                 " (bytes)\n",
                 traffic.dram_read_bytes, traffic.dram_write_bytes, traffic.sram_read.bytes,
                 traffic.sram_write.bytes, traffic.cim_write_bytes);
  if (outcome.error) {
    fmt::format_to(to, "  error    {} against float, largest {:.3g}\n",
                   outcome.error->sqnr_db ? fmt::format("{:.2f} dB", *outcome.error->sqnr_db)
                                          : std::string("none"),
                   outcome.error->max_abs);
    fmt::format_to(to, "  bits     every output bit equals the integer specification\n");
  }
  if (outcome.saturated > 0) {
    fmt::format_to(to, "  clamped  {} {} beyond the format: see values.*.saturated\n",
                   outcome.saturated, outcome.saturated == 1 ? "value" : "values");
  }
  if (outcome.sinkhorn) put_sinkhorn(to, *outcome.sinkhorn);
  if (outcome.loss) {
    fmt::format_to(to,
                   "  loss     {:.5f} nats per token with this layer on the chip, {:.5f} in "
                   "float ({} predictions)\n",
                   outcome.loss->with_chip, outcome.loss->with_float, outcome.loss->predictions);
  }
  put_engines(to, totals);
  put_phases(to, report);
  put_energy(to, report.energy);
  put_dynamic(to, report);
  return text;
}

}  // namespace quadrille::app
