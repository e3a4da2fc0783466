#include "app/report/console.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>
#include <limits>
#include <string_view>

#include "app/config/choices.h"
#include "app/report/summary.h"
#include "app/report/units.h"
#include "hw/chip_keys.h"
#include "hw/counters/counter_table.h"

namespace quadrille::app {
namespace {

using Text = std::back_insert_iterator<std::string>;

double percent(double part, double whole) { return whole > 0.0 ? 100.0 * part / whole : 0.0; }

/// Where the engine waited longest.
std::string most_stalled_by(const hw::OccupancyTotals& occupancy) {
  if (occupancy.all_stalled() == 0) return "-";
  const auto worst = std::max_element(occupancy.stalled.begin(), occupancy.stalled.end());
  return hw::stall_cause_name(static_cast<hw::StallCause>(worst - occupancy.stalled.begin()));
}

/// *Occupied* says that an engine had a command, *at full rate* how much of the run it
/// would need if it were never held up: an engine that is occupied all the time and would
/// need a tenth of it is not what binds the run.
void put_engines(Text to, const RunOutcome& outcome) {
  const hw::ChipTotals& totals = outcome.chip.totals;
  fmt::format_to(to, "\n  {:<9}{:>10}{:>13}{:>9}{:>9}   {}\n", "engine", "occupied", "at full rate",
                 "stalled", "idle", "most stalled by");
  const auto put = [&](const hw::EngineTotals& engine, const std::string& resource) {
    if (engine.commands == 0) return;
    const hw::OccupancyTotals& occupancy = engine.occupancy;
    const auto cycles = static_cast<double>(occupancy.total());
    std::string needed = "-";
    for (const hw::ResourceBound& bound : outcome.bounds.resources) {
      if (bound.resource == resource)
        needed = fmt::format("{:.1f} %", percent(static_cast<double>(bound.cycles), cycles));
    }
    const auto share = [&](std::int64_t part) {
      return fmt::format("{:.1f} %", percent(static_cast<double>(part), cycles));
    };
    fmt::format_to(to, "  {:<9}{:>10}{:>13}{:>9}{:>9}   {}\n", engine.name, share(occupancy.busy),
                   needed, share(occupancy.all_stalled()), share(occupancy.idle),
                   most_stalled_by(occupancy));
  };
  for (const hw::EngineTotals& engine : totals.engines) put(engine, engine.name);
  put(totals.dma, "dram");
}

std::string value_of(const hw::ChipConfig& chip, const std::string& key) {
  return std::visit([](const auto& value) { return fmt::format("{}", value); },
                    hw::chip_key(key).get(chip.values()));
}

/// "dram.burst_cycles (3) or dram.burst_bytes (64)", with the chip's values.
std::string keys_of(const hw::ResourceBound& bound, const hw::ChipConfig& chip) {
  std::string text;
  for (const std::string& key : bound.keys)
    text += fmt::format("{}{} ({})", text.empty() ? "" : ", ", key, value_of(chip, key));
  return text;
}

/// What binds the run, how far it is from that, and what would change it.
void put_bound(Text to, const RunReport& report) {
  const hw::Bounds& bounds = report.outcome.bounds;
  if (bounds.resources.empty()) return;
  const hw::ResourceBound& largest = bounds.largest();
  std::vector<hw::ResourceBound> others;
  for (const hw::ResourceBound& bound : bounds.resources) {
    if (bound.resource != largest.resource) others.push_back(bound);
  }
  std::sort(others.begin(), others.end(),
            [](const auto& a, const auto& b) { return a.cycles > b.cycles; });
  fmt::format_to(to,
                 "  bound by {}: no plan takes less than {} cycles on this chip, this one takes "
                 "{:.2f} times that\n",
                 largest.resource, grouped_digits(largest.cycles), report.rates.cycles_over_bound);
  fmt::format_to(to, "           a faster run needs {}{}",
                 report.rates.cycles_over_bound > 1.1 ? "less waiting elsewhere, or " : "",
                 keys_of(largest, report.request.chip));
  if (!others.empty())
    fmt::format_to(to, "; the next bound is {}, {} cycles", others.front().resource,
                   grouped_digits(others.front().cycles));
  fmt::format_to(to, "\n");
}

/// Which units the run's cycles are, by the critical path: they take turns, so the largest
/// bound is not all that a faster run needs.
void put_path(Text to, const RunReport& report) {
  const RunOutcome& outcome = report.outcome;
  std::vector<std::pair<std::int64_t, std::string>> shares;
  for (const hw::CriticalStep& step : outcome.critical_path) {
    const hw::Unit unit = outcome.chip.records[static_cast<std::size_t>(step.command)].unit;
    const std::string name = hw::unit_name(unit);
    auto share = std::find_if(shares.begin(), shares.end(),
                              [&](const auto& each) { return each.second == name; });
    if (share == shares.end()) share = shares.insert(shares.end(), {0, name});
    share->first += step.cycles();
  }
  std::sort(shares.rbegin(), shares.rend());
  std::vector<std::string> texts;
  for (const auto& [cycles, unit] : shares) {
    const double part =
        percent(static_cast<double>(cycles), static_cast<double>(outcome.chip.cycles));
    if (part >= 0.5) texts.push_back(fmt::format("{} {:.0f} %", unit, part));
  }
  if (!texts.empty())
    fmt::format_to(to, "  path     its cycles are {} (critical_path.csv)\n",
                   fmt::join(texts, ", "));
}

void put_rates(Text to, const RunReport& report) {
  const RunOutcome& outcome = report.outcome;
  const RateFigures& rates = report.rates;
  const hw::Activity activity = outcome.chip.totals.activity();
  fmt::format_to(to,
                 "  MACs     {} static, {} dynamic, {} wasted: {:.0f} useful per cycle, {:.1f} % "
                 "of the CIM's peak of {:.0f}\n",
                 grouped_digits(activity.macs_static), grouped_digits(activity.macs_dynamic),
                 grouped_digits(activity.macs_wasted), rates.achieved_macs_per_cycle,
                 100.0 * rates.utilisation, outcome.bounds.peak_macs_per_cycle);
  fmt::format_to(to, "  rate     {} at {}: {:.3g} TOPS/W\n", si(1e12 * rates.tops, "OPS"),
                 si(rates.mean_power_w, "W"), rates.tops_per_w);
}

void put_memory(Text to, const RunReport& report) {
  const hw::Traffic& traffic = report.outcome.chip.totals.traffic;
  const auto dram = static_cast<double>(traffic.dram_read_bytes + traffic.dram_write_bytes);
  const auto bytes = [](std::int64_t count) { return si(static_cast<double>(count), "B"); };
  fmt::format_to(
      to, "  memory   DRAM {} read, {} written ({}); SRAM {} read, {} written; CIM {} written\n",
      bytes(traffic.dram_read_bytes), bytes(traffic.dram_write_bytes),
      si(dram / report.rates.seconds, "B/s"), bytes(traffic.sram_read.bytes),
      bytes(traffic.sram_write.bytes), bytes(traffic.cim_write_bytes));
}

std::string decibels(const ErrorFigures& figures) {
  if (figures.sqnr_db) return fmt::format("{:.2f} dB", *figures.sqnr_db);
  return figures.max_abs > 0 ? "beyond measure (all zeros)" : "none";
}

/// The error of what is judged, which formula it is against, and how far heads differ.
void put_error(Text to, const RunOutcome& outcome) {
  fmt::format_to(to, "  error    {}, largest {:.3g}, against float: {}\n", decibels(*outcome.error),
                 outcome.error->max_abs, outcome.formula);
  const std::vector<HeadError>& heads = outcome.head_errors;
  if (heads.size() > 1) {
    const auto less = [](const HeadError& a, const HeadError& b) {
      const double infinite = std::numeric_limits<double>::infinity();
      return a.figures.sqnr_db.value_or(infinite) < b.figures.sqnr_db.value_or(infinite);
    };
    const auto [worst, best] = std::minmax_element(heads.begin(), heads.end(), less);
    fmt::format_to(to, "           its heads: {} (head {}{}) to {}\n", decibels(worst->figures),
                   worst->head, worst->batch > 0 ? fmt::format(", batch {}", worst->batch) : "",
                   decibels(best->figures));
  }
  fmt::format_to(to, "  bits     every output bit equals the integer specification\n");
}

void put_sinkhorn(Text to, const SinkhornFigures& sinkhorn) {
  fmt::format_to(to, "  sinkhorn {} half-steps", sinkhorn.half_steps);
  if (sinkhorn.final_residual) {
    fmt::format_to(to, "; sums off their targets by at most {:.3g} (rows), {:.3g} (columns)",
                   sinkhorn.final_residual->row, sinkhorn.final_residual->column);
  }
  fmt::format_to(to, "\n");
}

/// *Cycles* are shares of the critical path and sum to the run's; in *span* at least one of
/// the commands ran, and spans overlap.
void put_figures(Text to, const char* what, const std::vector<CommandFigures>& list) {
  fmt::format_to(to, "\n  {:<22}{:>9}{:>12}{:>12}{:>14}{:>14}{:>12}\n", what, "commands", "cycles",
                 "span", "static MACs", "dynamic MACs", "switching");
  for (const CommandFigures& figures : list) {
    fmt::format_to(
        to, "  {:<22}{:>9}{:>12}{:>12}{:>14}{:>14}{:>12}\n", figures.name, figures.commands,
        grouped_digits(figures.cycles), grouped_digits(figures.span_cycles),
        grouped_digits(figures.activity.macs_static), grouped_digits(figures.activity.macs_dynamic),
        si(1e-12 * figures.total_dynamic_pj(), "J"));
  }
}

/// Every unit's work and bytes, of a run that asks for its engines.
void put_engine_blocks(Text to, const hw::ChipTotals& totals) {
  for (const hw::EngineTotals& engine : totals.engines) {
    if (engine.commands == 0) continue;
    const hw::OccupancyTotals& occupancy = engine.occupancy;
    fmt::format_to(to, "\n  {}: {} commands; {} cycles busy, {} stalled, {} idle\n", engine.name,
                   engine.commands, grouped_digits(occupancy.busy),
                   grouped_digits(occupancy.all_stalled()), grouped_digits(occupancy.idle));
    for (int cause = 0; cause < hw::kStallCauses; ++cause) {
      const std::int64_t stalled = occupancy.stalled[static_cast<std::size_t>(cause)];
      if (stalled > 0)
        fmt::format_to(to, "    stalled by {:<20}{:>14}\n",
                       hw::stall_cause_name(static_cast<hw::StallCause>(cause)),
                       grouped_digits(stalled));
    }
    for (const hw::ActivityCounter& row : hw::kActivityCounters) {
      const std::int64_t count = engine.activity.*row.count;
      if (count > 0)
        fmt::format_to(to, "    {:<31}{:>14}\n",
                       fmt::format("{}.{}", row.info.group, row.info.name), grouped_digits(count));
    }
  }
}

void put_blocks(Text to, const RunReport& report, const std::string& by) {
  if (by == "layer") put_figures(to, "layer", report.layers);
  if (by == "engine") put_engine_blocks(to, report.outcome.chip.totals);
  if (by != "node") return;
  for (const NodeFigures& node : report.nodes) {
    put_figures(to, node.all.name.c_str(), node.steps);
    fmt::format_to(to, "  {:<22}{:>9}{:>12}{:>12}\n", "", node.all.commands,
                   grouped_digits(node.all.cycles), grouped_digits(node.all.span_cycles));
  }
}

void put_energy(Text to, const EnergyFigures& energy) {
  const double total = energy.total_dynamic_pj() + energy.total_static_pj();
  const double leakage = energy.total_static_pj() - hw::dram_total(energy.static_pj);
  fmt::format_to(to, "\n  energy   {}: {} switching, {} leakage", si(1e-12 * total, "J"),
                 si(1e-12 * energy.total_dynamic_pj(), "J"), si(1e-12 * leakage, "J"));
  if (const double idle = hw::dram_total(energy.static_pj); idle > 0.0)
    fmt::format_to(to, ", {} standby and refresh of the DRAM", si(1e-12 * idle, "J"));
  fmt::format_to(to, "\n");
  hw::ByComponent components = energy.dynamic_pj;
  hw::add(components, energy.static_pj);
  for (const auto& [name, all] : components) {
    if (all > 0.0)
      fmt::format_to(to, "    {:<16}{:>12}{:>8.1f} %\n", name, si(1e-12 * all, "J"),
                     percent(all, total));
  }
  fmt::format_to(to, "  area     {:.3g} mm²\n", 1e-6 * energy.total_area_um2());
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

std::string console_report(const RunReport& report, const std::string& by) {
  const RunOutcome& outcome = report.outcome;
  const hw::ChipConfig& chip = report.request.chip;
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
  fmt::format_to(to, "  time     {}: {} cycles at {}\n", si(report.rates.seconds, "s"),
                 grouped_digits(outcome.chip.cycles), si(chip.clock_hz, "Hz"));
  put_bound(to, report);
  put_path(to, report);
  put_rates(to, report);
  put_memory(to, report);
  if (outcome.error) put_error(to, outcome);
  if (report.request.data && report.request.check == Check::kNone)
    fmt::format_to(to, "  check    none: neither the bits nor the error were looked at\n");
  if (outcome.saturated_inputs > 0) {
    fmt::format_to(to,
                   "  clamped  {} {} of inputs and weights, whose scales are too small for them: "
                   "see values.input.saturated\n",
                   outcome.saturated_inputs, outcome.saturated_inputs == 1 ? "value" : "values");
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
  put_engines(to, outcome);
  if (by.empty()) {
    put_figures(to, "step", report.steps);
  } else {
    put_blocks(to, report, by);
  }
  put_energy(to, report.energy);
  put_dynamic(to, report);
  return text;
}

}  // namespace quadrille::app
