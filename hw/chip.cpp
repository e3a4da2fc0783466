#include "hw/chip.h"

#include <algorithm>
#include <utility>

#include "hw/counters/chip_counters.h"
#include "hw/counters/conservation.h"
#include "hw/dma_unit.h"
#include "model/errors.h"

namespace quadrille::hw {
namespace {

const ChipConfig& checked(const ChipConfig& config, const ChipOptions& options) {
  for (const std::string& name : options.rtl) {
    const EngineEntry* entry = options.engines->find(name);
    if (entry != nullptr && entry->in_rtl()) continue;
    std::string known;
    for (const std::string& each : options.engines->names_in_rtl())
      known += (known.empty() ? "" : ", ") + each;
    throw InputError("--impl", name, "expected an engine that exists in RTL: " + known);
  }
  return config;
}

}  // namespace

// NOLINTNEXTLINE(performance-unnecessary-value-param): SystemC takes module names by value.
Chip::Chip(sc_core::sc_module_name name, const ChipConfig& config, const ChipOptions& options)
    : sc_core::sc_module(name),
      config_(checked(config, options)),
      options_(options),
      timing_(options.rtl.empty() ? options.timing : Timing::kBeat),
      clock_(config.clock_hz),
      scratchpad_("scratchpad", config_.scratchpad, clock_, options.data),
      dma_("dma", config_, clock_, options.data, options.external_dram),
      units_(static_cast<std::size_t>(options.engines->units())) {
  dma_.scratchpad_socket.bind(scratchpad_.socket);
  if (!options.external_dram) {
    dram_ = std::make_unique<Dram>("dram", dram_device(config_), config_.dram.capacity_bytes,
                                   clock_, options.data);
    dma_.dram_socket.bind(dram_->socket);
  }
  UnitSurroundings around;
  around.config = &config_;
  around.scratchpad = &scratchpad_;
  around.data = options.data;
  around.beat = timing_ == Timing::kBeat;
  around.records = &records_;
  if (around.beat) {
    stepper_ = std::make_unique<BeatStepper>("stepper", config_.scratchpad, clock_,
                                             options.engines->units());
    around.step = &stepper_->wake();
  }
  place(std::make_unique<DmaUnit>(around, dma_, dram_.get()));
  for (const EngineEntry* entry : options.engines->entries()) place_engine(*entry, around);
  sequencer_ = std::make_unique<Sequencer>("sequencer", clock_, queues());
  if (stepper_) stepper_->connect(units_, *sequencer_);
}

void Chip::place(std::unique_ptr<SteppedUnit> unit) {
  const auto number = static_cast<std::size_t>(unit->unit());
  units_[number] = std::move(unit);
}

void Chip::place_engine(const EngineEntry& entry, const UnitSurroundings& around) {
  PlacedEngine placed{&entry, entry.make(config_), nullptr};
  EngineBodies bodies;
  if (in_rtl(entry)) {
    bodies = make_rtl_bodies(entry, config_, *placed.engine, options_.rtl_bodies);
    if (options_.rtl_bodies.paired) placed.twin = entry.make(config_);
  }
  bodies.resize(placed.engine->ports().size());
  for (std::size_t i = 0; i < bodies.size(); ++i) {
    EnginePort* twin = placed.twin ? placed.twin->ports()[i].get() : nullptr;
    place(placed.engine->ports()[i]->make_unit(around, std::move(bodies[i]), twin));
  }
  engines_.push_back(std::move(placed));
}

std::vector<UnitQueue> Chip::queues() const {
  std::vector<UnitQueue> queues(units_.size());
  for (std::size_t i = 0; i < units_.size(); ++i) {
    queues[i].name = units_[i]->name();
    queues[i].executor = units_[i].get();
  }
  for (const EngineEntry* entry : options_.engines->entries()) {
    if (!entry->units_exclude_each_other(config_)) continue;
    const std::vector<UnitEntry> pair = entry->units();
    queues[static_cast<std::size_t>(pair.at(0).unit)].excludes = pair.at(1).unit;
    queues[static_cast<std::size_t>(pair.at(1).unit)].excludes = pair.at(0).unit;
  }
  return queues;
}

Chip::~Chip() = default;

void Chip::bind_external_dram(tlm::tlm_target_socket<>& socket) {
  if (!options_.external_dram) {
    throw InvariantError("the chip has a DRAM of its own: set ChipOptions::external_dram");
  }
  dma_.dram_socket.bind(socket);
}

void Chip::load(Program program, const DramWriter& write_dram) {
  program_ = std::move(program);
  records_.assign(program_.commands.size(), {});
  sequencer_->load(program_);
  if (options_.data && dram_ && write_dram) write_dram(dram_->bytes());
}

Bytes Chip::dram() const {
  if (!dram_) throw InvariantError("the chip has no DRAM of its own");
  return dram_->bytes();
}

ChipResult Chip::run(const std::optional<ExpectedWork>& expected) {
  if (!program_.commands.empty()) sc_core::sc_start();
  sequencer_->check_finished();
  ChipResult result = collect();
  check_conservation(result, expected, *options_.engines);
  result.counters = chip_counters(result.totals);
  return result;
}

OccupancyTotals Chip::explained(Unit unit, std::int64_t cycles, const WaitCauses& waits) const {
  OccupancyTotals totals = log(unit).totals(cycles);
  totals.stalled_by(StallCause::kDependency) -= waits.charge(unit, 0, cycles, totals);
  return totals;
}

// Where both units wait, the second's reason counts: it works on what the first brings.
OccupancyTotals Chip::explained(Unit first, Unit second, std::int64_t cycles,
                                const WaitCauses& waits) const {
  std::vector<CycleInterval> intervals;
  OccupancyTotals totals = merged_totals(log(first), log(second), cycles, &intervals);
  for (const CycleInterval& each : intervals) {
    std::int64_t charged = waits.charge(second, each.from, each.to, totals);
    if (charged == 0) charged = waits.charge(first, each.from, each.to, totals);
    totals.stalled_by(StallCause::kDependency) -= charged;
  }
  return totals;
}

ChipResult Chip::collect() const {
  ChipResult result(*options_.engines);
  result.cycles = sequencer_->end_cycle();
  result.records = records_;
  ChipTotals& totals = result.totals;
  totals.run = {options_.data, timing_ == Timing::kBeat};
  totals.cycles = result.cycles;
  std::vector<EngineTotals*> owners(units_.size(), &totals.dma);
  for (std::size_t e = 0; e < engines_.size(); ++e) {
    for (const UnitEntry& unit : engines_[e].entry->units())
      owners[static_cast<std::size_t>(unit.unit)] = &totals.engines[e];
  }
  for (const CommandRecord& record : records_) {
    totals.traffic += record.traffic;
    EngineTotals& owner = *owners[static_cast<std::size_t>(record.unit)];
    ++owner.commands;
    owner.activity += record.activity;
  }
  const WaitCauses waits(program_, records_, static_cast<int>(units_.size()));
  totals.dma.occupancy = explained(Unit::kDma, result.cycles, waits);
  for (std::size_t e = 0; e < engines_.size(); ++e) {
    const EngineEntry& entry = *engines_[e].entry;
    const std::vector<UnitEntry> units = entry.units();
    totals.engines[e].occupancy =
        units.size() == 1 ? explained(units[0].unit, result.cycles, waits)
                          : explained(units[0].unit, units[1].unit, result.cycles, waits);
    totals.engines[e].has_values =
        options_.data && entry.tells_values(timing_ == Timing::kBeat, in_rtl(entry));
  }
  totals.external_dram = options_.external_dram;
  if (dram_) totals.dram = dram_->counts();
  totals.dma_link = dma_.counts();
  totals.scratchpad = scratchpad_.counts();
  totals.bank_conflicts.assign(static_cast<std::size_t>(config_.scratchpad.banks), 0);
  for (int bank = 0; stepper_ && bank < stepper_->arbiter().banks(); ++bank)
    totals.bank_conflicts[static_cast<std::size_t>(bank)] = stepper_->arbiter().conflicts(bank);
  return result;
}

}  // namespace quadrille::hw
