#include "hw/engines/damf/damf_entry.h"

#include "hw/engine_unit.h"
#include "hw/engines/damf/damf_engine.h"

namespace quadrille::hw {
namespace {

class DamfUnit final : public Engine<DamfOperation> {
 public:
  explicit DamfUnit(const DamfConfig& config) : config_(config), engine_(config) {}

  Stream input(const DamfOperation& operation) const override {
    return std::visit([this](const auto& each) { return input_stream(config_, each); }, operation);
  }
  Stream output(const DamfOperation& operation) const override {
    return std::visit([this](const auto& each) { return output_stream(config_, each); }, operation);
  }
  std::int64_t alone_cycles(const DamfOperation& operation, const CommandCourse&) const override {
    return engine_.alone_cycles(operation);
  }
  Activity activity(const DamfOperation& operation, const CommandCourse&) const override {
    return engine_.activity(operation);
  }
  CommandCourse execute(const DamfOperation& operation, const Bytes& scratchpad,
                        Activity& values) override {
    engine_.execute(operation, scratchpad, values);
    return {};
  }
  std::unique_ptr<BeatEngine<DamfOperation>> body(Activity*) override {
    return make_damf_beat_body(config_);
  }

 private:
  DamfConfig config_;
  DamfEngine engine_;
};

class DamfEntry final : public EngineEntry {
 public:
  const char* name() const override { return "damf"; }
  std::vector<UnitEntry> units() const override { return {{Unit::kDamf, "damf"}}; }
  std::unique_ptr<ChipEngine> make(const ChipConfig& chip) const override {
    return std::make_unique<OneUnitEngine<DamfOperation>>(*this,
                                                          std::make_unique<DamfUnit>(chip.damf));
  }

  bool in_rtl() const override { return true; }
  RtlDesign rtl_design(const ChipConfig& chip) const override { return damf_rtl_design(chip.damf); }
  EngineBodies rtl_bodies(const ChipConfig&, ChipEngine&, std::shared_ptr<const RtlLibrary> library,
                          const RtlTrace* trace) const override {
    return one_body(make_damf_rtl_body(std::move(library), trace));
  }

  /// No body tells them, only the tile data path.
  bool tells_values(bool beat, bool) const override { return !beat; }

  /// Two MACs per lane project; every (query, lane) pair has a shift-adder and
  /// a 48-bit sum; buffers hold (s, t), u and v.
  double area_um2(const ChipConfig& chip, const Technology& technology) const override {
    const auto value = [&](const char* row) { return technology.value(row); };
    const DamfConfig& config = chip.damf;
    const double pairs = static_cast<double>(config.lanes) * config.query_rows;
    const double held = static_cast<double>(config.max_tokens) + config.max_model_width;
    return 2.0 * config.lanes * value("area.mac8") +
           pairs *
               (value("area.shift_add") + value("area.mac8") + 48.0 * value("area.register_bit")) +
           16.0 * held * value("area.sram_bit");
  }
};

}  // namespace

const EngineEntry& damf_entry() {
  static const DamfEntry entry;
  return entry;
}

}  // namespace quadrille::hw
