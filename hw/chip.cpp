#include "hw/chip.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "hw/counters/chip_counters.h"
#include "hw/counters/conservation.h"
#include "hw/engine_models.h"
#include "model/errors.h"

namespace quadrille::hw {
namespace {

constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

const ChipConfig& checked(const ChipConfig& config, const ChipOptions& options) {
  validate(config, config.source());
  for (const std::string& name : options.rtl) {
    const std::vector<std::string>& known = engines_in_rtl();
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      throw InputError(
          "--impl", name,
          "expected an engine that exists in RTL: cim, softmax, damf, sinkhorn or linear");
    }
  }
  return config;
}

// Two ports per unit: its reader's, or the DMA's, and its writer's.
std::vector<PortClass> port_classes() {
  std::vector<PortClass> classes;
  for (int unit = 0; unit < kUnits; ++unit) {
    const bool dma = static_cast<Unit>(unit) == Unit::kDma;
    classes.push_back(dma ? PortClass::kDma : PortClass::kReader);
    classes.push_back(dma ? PortClass::kDma : PortClass::kWriter);
  }
  return classes;
}

}  // namespace

struct Chip::Engines {
  explicit Engines(const ChipConfig& config)
      : cim(config.cim),
        softmax(config.softmax),
        damf(config.damf),
        sinkhorn(config.sinkhorn),
        linear(config.linear),
        vector(config.vector) {}
  CimBank cim;
  SoftmaxEngine softmax;
  DamfEngine damf;
  SinkhornEngine sinkhorn;
  LinearEngine linear;
  VectorEngine vector;
};

class Chip::DmaUnit final : public SteppedUnit {
 public:
  DmaUnit(const UnitSurroundings& surroundings, Dma& dma, const Dram* dram, bool beat)
      : SteppedUnit(Unit::kDma, surroundings, false), dma_(dma), dram_(dram), beat_(beat) {}

  std::int64_t start(const CommandStart& start) override {
    CommandRecord& entry = open_record(start);
    const auto& copy = std::get<DmaCopy>(start.command->operation);
    check(copy, start.index);
    const ChipConfig& config = *around_.config;
    const DmaFootprint footprint =
        dma_footprint(copy, config.dram.burst_bytes, config.scratchpad.word_bytes);
    const std::int64_t on_link = footprint.bursts * config.dram.burst_bytes;
    Traffic& traffic = entry.traffic;
    (copy.to_scratchpad ? traffic.sram_write : traffic.sram_read) = footprint.scratchpad;
    (copy.to_scratchpad ? traffic.dram_read_bytes : traffic.dram_write_bytes) = on_link;
    (copy.to_scratchpad ? traffic.dram_read_padding_bytes : traffic.dram_write_padding_bytes) =
        footprint.padding_bytes;
    bus_cycles_ = footprint.bursts * config.dram.burst_cycles;
    if (dram_ != nullptr) before_ = dram_->counts();
    if (beat_) {
      index_ = start.index;
      dma_.start(copy, start.cycle);
      around_.step->notify(sc_core::SC_ZERO_TIME);
      return kOpenEnd;
    }
    around_.scratchpad->count(traffic.sram_read, traffic.sram_write);
    entry.end_cycle = dma_.run(copy, start.cycle);
    account(entry, 0);
    return entry.end_cycle;
  }

  bool active() const override { return index_ >= 0; }

  void request(BankArbiter& arbiter, std::int64_t cycle) const override {
    PortRequest wanted;
    if (dma_.request(cycle, wanted)) arbiter.request(kPort, wanted);
  }

  bool step(const BankArbiter& arbiter, std::int64_t cycle) override {
    PortRequest access;
    const bool granted = arbiter.granted(kPort) && dma_.request(cycle, access);
    if (granted) around_.scratchpad->access(access.write, access.address, access.bytes);
    if (!dma_.step(cycle, granted)) return false;
    CommandRecord& entry = record(index_);
    entry.end_cycle = cycle + 1;
    account(entry, dma_.conflicts());
    index_ = -1;
    return true;
  }

  std::int64_t next_cycle(std::int64_t cycle) const override { return dma_.next_cycle(cycle); }

 private:
  static constexpr int kPort = 2 * static_cast<int>(Unit::kDma);

  void check(const DmaCopy& copy, int index) const {
    const std::string who = "command " + std::to_string(index) + " (dma): ";
    if (copy.rows < 0 || copy.row_bytes < 0) {
      throw InvariantError(who + "rows " + std::to_string(copy.rows) + " of " +
                           std::to_string(copy.row_bytes) + " bytes");
    }
    if (copy.rows == 0 || copy.row_bytes == 0) return;
    const std::int64_t last = (copy.rows - 1) * copy.scratchpad_pitch_bytes + copy.row_bytes;
    const std::int64_t dram_last = (copy.rows - 1) * copy.dram_pitch_bytes + copy.row_bytes;
    try {
      around_.scratchpad->check(copy.scratchpad_address, last);
    } catch (const InvariantError& error) {
      throw InvariantError(who + error.what());
    }
    const auto end = static_cast<std::int64_t>(copy.dram_address) + dram_last;
    if (dram_last < 0 || end > around_.config->dram.capacity_bytes) {
      throw InvariantError(who + "DRAM access up to byte " + std::to_string(end) + " beyond its " +
                           std::to_string(around_.config->dram.capacity_bytes) + " bytes");
    }
  }

  // Busy while its bursts cross the DRAM's bus; the rest is waiting.
  void account(CommandRecord& entry, std::int64_t conflicts) {
    const std::int64_t cycles = entry.end_cycle - entry.start_cycle;
    const std::int64_t busy = std::min(bus_cycles_, cycles);
    const std::int64_t conflicting = std::min(conflicts, cycles - busy);
    spend(entry, CycleState::busy(), busy);
    spend(entry, CycleState::stalled(StallCause::kBankConflict), conflicting);
    spend(entry, CycleState::stalled(StallCause::kDram), cycles - busy - conflicting);
    if (dram_ == nullptr) return;
    const DramCounts after = dram_->counts();
    entry.traffic.dram_row_hits = after.row_hits - before_.row_hits;
    entry.traffic.dram_row_misses = after.row_misses - before_.row_misses;
  }

  Dma& dma_;
  const Dram* dram_;
  bool beat_;
  int index_ = -1;
  std::int64_t bus_cycles_ = 0;
  DramCounts before_;
};

/// Chooses between the SystemC and the RTL body of each engine.
class Chip::BeatBodies {
 public:
  BeatBodies(const ChipConfig& config, const ChipOptions& options, CimBank& bank, bool beat)
      : config_(config), options_(options) {
    if (!beat) return;
    if (rtl("cim")) {
      cim_ = make_rtl_of(config.source(), "cim", [&] { return options.rtl_bodies.cim(bank); });
    } else {
      cim_ = {make_cim_write_beat_body(bank), make_cim_multiply_beat_body(bank)};
    }
  }

  // Both ports share their cells: each is taken once.
  std::unique_ptr<BeatEngine<CimWrite>> cim_write() { return std::move(cim_.write); }
  std::unique_ptr<BeatEngine<CimMultiply>> cim_multiply() { return std::move(cim_.multiply); }
  std::unique_ptr<BeatEngine<SoftmaxRows>> softmax() const {
    return rtl("softmax") ? from("softmax", options_.rtl_bodies.softmax, config_.softmax)
                          : make_softmax_beat_body(config_.softmax);
  }
  std::unique_ptr<BeatEngine<DamfOperation>> damf() const {
    return rtl("damf") ? from("damf", options_.rtl_bodies.damf, config_.damf)
                       : make_damf_beat_body(config_.damf);
  }
  std::unique_ptr<BeatEngine<SinkhornOperation>> sinkhorn(Activity* values) const {
    return rtl("sinkhorn") ? from("sinkhorn", options_.rtl_bodies.sinkhorn, config_.sinkhorn)
                           : make_sinkhorn_beat_body(config_.sinkhorn, values);
  }
  std::unique_ptr<BeatEngine<LinearAttend>> linear(Activity* values) const {
    return rtl("linear") ? from("linear", options_.rtl_bodies.linear, config_.linear)
                         : make_linear_beat_body(config_.linear, values);
  }

 private:
  bool rtl(const char* engine) const { return options_.rtl.count(engine) != 0; }
  template <typename Operation, typename Config>
  std::unique_ptr<BeatEngine<Operation>> from(const char* engine,
                                              const RtlFactory<Operation, Config>& factory,
                                              const Config& config) const {
    return make_rtl_of(config_.source(), engine, [&] { return factory(config); });
  }

  const ChipConfig& config_;
  const ChipOptions& options_;
  CimBodies cim_;
};

// NOLINTNEXTLINE(performance-unnecessary-value-param): SystemC takes module names by value.
Chip::Chip(sc_core::sc_module_name name, const ChipConfig& config, const ChipOptions& options)
    : sc_core::sc_module(name),
      config_(checked(config, options)),
      options_(options),
      timing_(options.rtl.empty() ? options.timing : Timing::kBeat),
      clock_(config.clock_hz),
      scratchpad_("scratchpad", config_.scratchpad, clock_, options.data),
      dma_("dma", config_, clock_, options.data, options.external_dram),
      engines_(std::make_unique<Engines>(config_)),
      arbiter_(config_.scratchpad, port_classes()) {
  dma_.scratchpad_socket.bind(scratchpad_.socket);
  if (!options.external_dram) {
    dram_ = std::make_unique<Dram>("dram", config_.dram, clock_, options.data);
    dma_.dram_socket.bind(dram_->socket);
  }
  const bool beat = timing_ == Timing::kBeat;
  UnitSurroundings around;
  around.config = &config_;
  around.scratchpad = &scratchpad_;
  around.data = options.data;
  around.records = &records_;
  around.step = &step_event_;
  const auto place = [this](std::unique_ptr<SteppedUnit> unit) {
    units_[static_cast<std::size_t>(unit->unit())] = std::move(unit);
  };
  const auto bodies = std::make_shared<BeatBodies>(config_, options_, engines_->cim, beat);
  const auto engine = [&](Unit unit, bool spans, auto model) {
    place(
        std::make_unique<EngineUnit<decltype(model)>>(unit, around, spans, std::move(model), beat));
  };
  place(std::make_unique<DmaUnit>(around, dma_, dram_.get(), beat));
  engine(Unit::kCimWrite, true, CimModel<CimWrite>{{}, &engines_->cim, [bodies](Activity*) {
                                                     return bodies->cim_write();
                                                   }});
  engine(Unit::kCimCompute, true, CimModel<CimMultiply>{{}, &engines_->cim, [bodies](Activity*) {
                                                          return bodies->cim_multiply();
                                                        }});
  engine(Unit::kSoftmax, false,
         SoftmaxModel{{}, config_.softmax, &engines_->softmax, [bodies](Activity*) {
                        return bodies->softmax();
                      }});
  engine(Unit::kDamf, false, DamfModel{{}, config_.damf, &engines_->damf, [bodies](Activity*) {
                                         return bodies->damf();
                                       }});
  engine(Unit::kVector, false, VectorModel{{}, config_.vector, &engines_->vector});
  engine(Unit::kSinkhorn, false,
         SinkhornModel{config_.sinkhorn, &engines_->sinkhorn,
                       [bodies](Activity* values) { return bodies->sinkhorn(values); }});
  engine(Unit::kLinear, false,
         LinearModel{{}, config_.linear, &engines_->linear, [bodies](Activity* values) {
                       return bodies->linear(values);
                     }});
  std::array<UnitExecutor*, kUnits> executors{};
  for (std::size_t i = 0; i < units_.size(); ++i) executors[i] = units_[i].get();
  sequencer_ =
      std::make_unique<Sequencer>("sequencer", clock_, config_.cim.write_while_compute, executors);
  // The bodies of CIM and softmax have no counters of values; DAMF's, and
  // those in RTL, have no way to tell them.
  has_values_.fill(options.data);
  const auto silent = [this](Engine silent_engine) {
    has_values_[static_cast<std::size_t>(silent_engine)] = false;
  };
  if (beat) silent(Engine::kDamf);
  if (options.rtl.count("sinkhorn") != 0) silent(Engine::kSinkhorn);
  if (options.rtl.count("linear") != 0) silent(Engine::kLinear);
  if (beat) {
    SC_HAS_PROCESS(Chip);
    SC_METHOD(step);
    sensitive << step_event_;
    dont_initialize();
  }
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
  check_conservation(result, expected);
  result.counters = chip_counters(result.totals);
  return result;
}

// One cycle of everything that is active. Ends that this cycle has produced
// take effect at the next cycle's begin: two delta cycles (units finish and
// start; units that waited for others start) pass before it is stepped.
void Chip::step() {
  try {
    if (settle_ > 0) {
      --settle_;
      step_event_.notify(sc_core::SC_ZERO_TIME);
      return;
    }
    const std::int64_t cycle = clock_.now();
    if (cycle <= stepped_) {
      step_event_.notify(clock_.time(1));
      return;
    }
    stepped_ = cycle;
    arbiter_.clear();
    for (const auto& unit : units_) {
      if (unit->active()) unit->request(arbiter_, cycle);
    }
    arbiter_.arbitrate(cycle);
    std::int64_t next = kNever;
    for (const auto& unit : units_) {
      if (!unit->active()) continue;
      if (unit->step(arbiter_, cycle)) {
        sequencer_->command_ends(unit->unit(), cycle + 1);
        settle_ = 2;
        next = cycle + 1;
      } else {
        next = std::min(next, unit->next_cycle(cycle));
      }
    }
    if (next != kNever) step_event_.notify(clock_.time(next - cycle));
  } catch (...) {
    sequencer_->fail(std::current_exception());
  }
}

ChipResult Chip::collect() const {
  ChipResult result;
  result.cycles = sequencer_->end_cycle();
  result.records = records_;
  ChipTotals& totals = result.totals;
  totals.cycles = result.cycles;
  for (const CommandRecord& record : records_) {
    totals.traffic += record.traffic;
    EngineTotals& owner =
        record.unit == Unit::kDma ? totals.dma : totals.engine(engine_of(record.unit));
    ++owner.commands;
    owner.activity += record.activity;
  }
  const auto log = [this](Unit unit) -> const OccupancyLog& {
    return units_[static_cast<std::size_t>(unit)]->log();
  };
  totals.dma.occupancy = log(Unit::kDma).totals(result.cycles);
  totals.engine(Engine::kCim).occupancy =
      merged_totals(log(Unit::kCimWrite), log(Unit::kCimCompute), result.cycles);
  for (const Unit unit :
       {Unit::kSoftmax, Unit::kDamf, Unit::kVector, Unit::kSinkhorn, Unit::kLinear}) {
    totals.engine(engine_of(unit)).occupancy = log(unit).totals(result.cycles);
  }
  totals.external_dram = options_.external_dram;
  if (dram_) totals.dram = dram_->counts();
  totals.dma_link = dma_.counts();
  totals.scratchpad = scratchpad_.counts();
  for (int bank = 0; bank < arbiter_.banks(); ++bank) {
    totals.bank_conflicts.push_back(arbiter_.conflicts(bank));
  }
  totals.has_values = has_values_;
  return result;
}

}  // namespace quadrille::hw
