#include "hw/engines/vector/vector_entry.h"

#include "hw/engine_unit.h"
#include "hw/engines/vector/vector_engine.h"

namespace quadrille::hw {
namespace {

class VectorUnit final : public Engine<VectorRequantise> {
 public:
  explicit VectorUnit(const VectorConfig& config) : config_(config), engine_(config) {}

  Stream input(const VectorRequantise& operation) const override {
    return input_stream(config_, operation);
  }
  Stream output(const VectorRequantise& operation) const override {
    return output_stream(config_, operation);
  }
  std::int64_t alone_cycles(const VectorRequantise& operation,
                            const CommandCourse&) const override {
    return engine_.alone_cycles(operation);
  }
  Activity activity(const VectorRequantise& operation, const CommandCourse&) const override {
    return engine_.activity(operation);
  }
  CommandCourse execute(const VectorRequantise& operation, const Bytes& scratchpad,
                        Activity& values) override {
    engine_.execute(operation, scratchpad, values);
    return {};
  }
  std::unique_ptr<BeatEngine<VectorRequantise>> body(Activity* values) override {
    return make_vector_beat_body(config_, values);
  }

 private:
  VectorConfig config_;
  VectorEngine engine_;
};

class VectorEntry final : public EngineEntry {
 public:
  const char* name() const override { return "vector"; }
  std::vector<UnitEntry> units() const override { return {{Unit::kVector, "vector"}}; }
  std::unique_ptr<ChipEngine> make(const ChipConfig& chip) const override {
    return std::make_unique<OneUnitEngine<VectorRequantise>>(
        *this, std::make_unique<VectorUnit>(chip.vector));
  }
  double area_um2(const ChipConfig& chip, const Technology& technology) const override {
    return chip.vector.lanes * technology.value("area.requantise");
  }
};

}  // namespace

const EngineEntry& vector_entry() {
  static const VectorEntry entry;
  return entry;
}

}  // namespace quadrille::hw
