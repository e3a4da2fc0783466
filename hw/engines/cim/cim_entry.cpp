#include "hw/engines/cim/cim_entry.h"

#include <type_traits>

#include "hw/energy/operations.h"
#include "hw/engine_unit.h"
#include "hw/engines/cim/cim_bank.h"

namespace quadrille::hw {
namespace {

constexpr const char* kName = "cim";
constexpr UnitEntry kWrite{Unit::kCimWrite, "cim_write"};
constexpr UnitEntry kCompute{Unit::kCimCompute, "cim_compute"};

/// One of the bank's two ports.
template <typename Op>
class CimPort final : public Engine<Op> {
 public:
  static constexpr bool kWrites = std::is_same_v<Op, CimWrite>;
  explicit CimPort(CimBank& bank) : bank_(bank) {}

  Stream input(const Op& operation) const override {
    return input_stream(bank_.config(), operation);
  }
  Stream output([[maybe_unused]] const Op& operation) const override {
    if constexpr (kWrites) {
      return {};
    } else {
      return output_stream(bank_.config(), operation);
    }
  }
  std::int64_t alone_cycles(const Op& operation, const CommandCourse&) const override {
    return bank_.alone_cycles(operation);
  }
  Activity activity(const Op& operation, const CommandCourse&) const override {
    return bank_.activity(operation);
  }
  bool writes_cells() const override { return kWrites; }
  void begin(const Op& operation) override { bank_.start(operation); }
  void end(const Op& operation) override { bank_.finish(operation); }
  CommandCourse execute(const Op& operation, const Bytes& scratchpad, Activity& values) override {
    bank_.execute(operation, scratchpad, values);
    return {};
  }
  std::unique_ptr<BeatEngine<Op>> body([[maybe_unused]] Activity* values) override {
    if constexpr (kWrites) {
      return make_cim_write_beat_body(bank_);
    } else {
      return make_cim_multiply_beat_body(bank_, values);
    }
  }

 private:
  CimBank& bank_;
};

class CimOfChip final : public ChipEngine {
 public:
  explicit CimOfChip(const CimConfig& config) : bank_(config) {
    add_port<CimWrite>(kWrite);
    add_port<CimMultiply>(kCompute);
  }
  CimBank& bank() { return bank_; }

 private:
  template <typename Op>
  void add_port(const UnitEntry& unit) {
    add(std::make_unique<EnginePortOf<Op>>(EngineUnitPlace{unit.unit, unit.name, kName, true},
                                           std::make_unique<CimPort<Op>>(bank_)));
  }

  CimBank bank_;
};

EngineBodies both(CimBodies bodies) {
  EngineBodies list;
  list.push_back(std::move(bodies.write));
  list.push_back(std::move(bodies.multiply));
  return list;
}

class CimEntry final : public EngineEntry {
 public:
  const char* name() const override { return kName; }
  std::vector<UnitEntry> units() const override { return {kWrite, kCompute}; }
  bool units_exclude_each_other(const ChipConfig& chip) const override {
    return !chip.cim.write_while_compute;
  }
  std::unique_ptr<ChipEngine> make(const ChipConfig& chip) const override {
    return std::make_unique<CimOfChip>(chip.cim);
  }

  bool in_rtl() const override { return true; }
  RtlDesign rtl_design(const ChipConfig& chip) const override { return cim_rtl_design(chip.cim); }
  EngineBodies rtl_bodies(const ChipConfig&, ChipEngine& engine,
                          std::shared_ptr<const RtlLibrary> library,
                          const RtlTrace* trace) const override {
    CimBank& bank = dynamic_cast<CimOfChip&>(engine).bank();
    return both(make_cim_rtl_bodies(bank, std::move(library), trace));
  }

  /// Products by the bit, scaled with the chip's share of ones among the input bits
  /// (the table's row is at one half); gated and padded ones are charged like all
  /// others. Beside them what the epilogue does.
  ByComponent dynamic_pj(const ChipConfig& chip, const Technology& technology,
                         const Activity& activity) const override {
    const auto written =
        static_cast<double>(activity.cim_static_write_bits + activity.cim_dynamic_write_bits);
    const double products = static_cast<double>(activity.cim_bit_cycles) *
                            technology.value("cim.bit_product") * (chip.activity / 0.5);
    Activity epilogue;
    epilogue.multiplies = activity.multiplies;
    epilogue.requantises = activity.requantises;
    return {{kName, products + operations_pj(technology, epilogue, "op.exponential")},
            {"cim_write", written * technology.value("cim.cell_write")}};
  }
  double area_um2(const ChipConfig& chip, const Technology& technology) const override {
    return macro_bits(chip) * chip.cim.macros * technology.value("area.cim_bit") +
           epilogue_area_um2(chip, technology);
  }
  /// Cells leak like an SRAM of the same capacity, the epilogue like logic.
  double leakage_uw(const ChipConfig& chip, const Technology& technology) const override {
    const double macro_kib = macro_bits(chip) / 8.0 / 1024.0;
    return chip.cim.macros * technology.sram(macro_kib).leakage_uw +
           epilogue_area_um2(chip, technology) * 1e-6 * technology.value("leakage.logic");
  }

 private:
  /// A lane normalises, then requantises: two multipliers with their shifters.
  static double epilogue_area_um2(const ChipConfig& chip, const Technology& technology) {
    return 2.0 * results_per_beat(chip.cim) * technology.value("area.requantise");
  }
  static double macro_bits(const ChipConfig& chip) {
    return static_cast<double>(chip.cim.rows) * chip.cim.columns * chip.cim.weight_bits;
  }
};

}  // namespace

const EngineEntry& cim_entry() {
  static const CimEntry entry;
  return entry;
}

}  // namespace quadrille::hw
