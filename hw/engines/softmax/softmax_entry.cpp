#include "hw/engines/softmax/softmax_entry.h"

#include "hw/engine_unit.h"
#include "hw/engines/softmax/softmax_engine.h"

namespace quadrille::hw {
namespace {

class SoftmaxUnit final : public Engine<SoftmaxRows> {
 public:
  explicit SoftmaxUnit(const SoftmaxConfig& config) : config_(config), engine_(config) {}

  Stream input(const SoftmaxRows& operation) const override {
    return input_stream(config_, operation);
  }
  Stream output(const SoftmaxRows& operation) const override {
    return output_stream(config_, operation);
  }
  std::int64_t alone_cycles(const SoftmaxRows& operation, const CommandCourse&) const override {
    return engine_.alone_cycles(operation);
  }
  Activity activity(const SoftmaxRows& operation, const CommandCourse&) const override {
    return engine_.activity(operation);
  }
  CommandCourse execute(const SoftmaxRows& operation, const Bytes& scratchpad,
                        Activity& values) override {
    engine_.execute(operation, scratchpad, values);
    return {};
  }
  std::unique_ptr<BeatEngine<SoftmaxRows>> body(Activity*) override {
    return make_softmax_beat_body(config_);
  }

 private:
  SoftmaxConfig config_;
  SoftmaxEngine engine_;
};

class SoftmaxEntry final : public EngineEntry {
 public:
  const char* name() const override { return "softmax"; }
  std::vector<UnitEntry> units() const override { return {{Unit::kSoftmax, "softmax"}}; }
  std::unique_ptr<ChipEngine> make(const ChipConfig& chip) const override {
    return std::make_unique<OneUnitEngine<SoftmaxRows>>(
        *this, std::make_unique<SoftmaxUnit>(chip.softmax));
  }

  bool in_rtl() const override { return true; }
  RtlDesign rtl_design(const ChipConfig& chip) const override {
    return softmax_rtl_design(chip.softmax);
  }
  EngineBodies rtl_bodies(const ChipConfig&, ChipEngine&, std::shared_ptr<const RtlLibrary> library,
                          const RtlTrace* trace) const override {
    return one_body(make_softmax_rtl_body(std::move(library), trace));
  }

  /// No value saturates here: the counters are zero in every body.
  bool tells_values(bool, bool) const override { return true; }

  double area_um2(const ChipConfig& chip, const Technology& technology) const override {
    return chip.softmax.lanes * technology.value("area.exponential") +
           2.0 * 32.0 * chip.softmax.max_keys * technology.value("area.sram_bit");
  }
};

}  // namespace

const EngineEntry& softmax_entry() {
  static const SoftmaxEntry entry;
  return entry;
}

}  // namespace quadrille::hw
