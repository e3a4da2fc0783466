#include "hw/counters/chip_counters.h"

#include <string_view>

#include "hw/counters/counter_table.h"

namespace quadrille::hw {
namespace {

void add_occupancy(CounterModule& module, const EngineTotals& unit) {
  module.add(kCommandsCounter, unit.commands);
  for (const OccupancyCounter& row : kOccupancyCounters)
    module.add(row.info, row.count(unit.occupancy));
}

bool of_values(const ActivityCounter& row) { return row.info.evidence == Evidence::kValues; }

/// Counters of values stand with the engines alone: not every body tells them.
void add_work(CounterModule& module, const Activity& activity) {
  for (const ActivityCounter& row : kActivityCounters) {
    if (!of_values(row)) module.add(row.info, activity.*row.count);
  }
}

CounterModule engine_module(const EngineTotals& engine) {
  CounterModule module(engine.name);
  add_occupancy(module, engine);
  add_work(module, engine.activity);
  for (const ActivityCounter& row : kActivityCounters) {
    if (!of_values(row)) continue;
    module.add(row.info,
               engine.has_values ? std::optional(engine.activity.*row.count) : std::nullopt);
  }
  return module;
}

}  // namespace

CounterModule chip_counters(const ChipTotals& totals) {
  CounterModule chip("chip");
  chip.add(kCyclesCounter, totals.cycles);
  add_work(chip, totals.activity());
  CounterModule engines("engines");
  for (const EngineTotals& engine : totals.engines) engines.adopt(engine_module(engine));
  chip.adopt(std::move(engines));
  CounterModule dma(totals.dma.name);
  add_occupancy(dma, totals.dma);
  chip.adopt(std::move(dma));
  for (const ChipCounter& row : chip_counter_table()) chip.add(row.info, row.count(totals));
  for (std::size_t bank = 0; bank < totals.bank_conflicts.size(); ++bank) {
    chip.add(kBankConflictsCounter, "bank_" + std::to_string(bank), totals.bank_conflicts[bank]);
  }
  const TrafficCounter* const cim[] = {&kTrafficCounters[kCimRead], &kTrafficCounters[kCimWrite]};
  for (const TrafficCounter* row : cim) chip.add(row->info, row->count(totals.traffic));
  return chip;
}

}  // namespace quadrille::hw
