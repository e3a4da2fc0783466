#include "hw/engines/sinkhorn/sinkhorn_entry.h"

#include <cmath>

#include "hw/energy/operations.h"
#include "hw/engine_unit.h"
#include "hw/engines/sinkhorn/sinkhorn_engine.h"
#include "hw/memory/traffic.h"

namespace quadrille::hw {
namespace {

double real(std::int64_t count) { return static_cast<double>(count); }

class SinkhornUnit final : public Engine<SinkhornOperation> {
 public:
  explicit SinkhornUnit(const SinkhornConfig& config) : config_(config), engine_(config) {}

  Stream input(const SinkhornOperation& operation) const override {
    return std::visit([this](const auto& each) { return input_stream(config_, each); }, operation);
  }
  Stream output(const SinkhornOperation& operation) const override {
    return std::visit([this](const auto& each) { return output_stream(config_, each); }, operation);
  }
  CommandCourse course(const SinkhornOperation& operation) const override {
    return engine_.course(operation);
  }
  std::int64_t alone_cycles(const SinkhornOperation& operation,
                            const CommandCourse& course) const override {
    return engine_.alone_cycles(operation, course);
  }
  Activity activity(const SinkhornOperation& operation,
                    const CommandCourse& course) const override {
    return engine_.activity(operation, course);
  }
  /// Sweeps move nothing; all that a stop could leave out are made.
  std::int64_t longest_silence(const SinkhornOperation& operation) const override {
    return engine_.alone_cycles(operation, engine_.course(operation));
  }
  CommandCourse execute(const SinkhornOperation& operation, const Bytes& scratchpad,
                        Activity& values) override {
    return engine_.execute(operation, scratchpad, values);
  }
  std::unique_ptr<BeatEngine<SinkhornOperation>> body(Activity* values) override {
    return make_sinkhorn_beat_body(config_, values);
  }

 private:
  SinkhornConfig config_;
  SinkhornEngine engine_;
};

// Per lane an exponential (adder, table with interpolation, shifter) and the
// accumulator of a line; the rotators in front of and behind the banks, log2(lanes)
// levels of multiplexers each, 32 bits wide for the words of held K; two scalings and
// an accumulator per line; 24 x 20-bit products of the value path with their 64-bit
// sums and the V buffer.
double sinkhorn_area(const SinkhornConfig& config, const Technology& technology) {
  const auto value = [&](const char* row) { return technology.value(row); };
  const double lanes = config.lanes;
  const double rotators = config.skewed ? 2.0 * 32.0 * lanes * std::log2(lanes) : 0.0;
  const double line_bits = config.max_lines * (2.0 * 32.0 + 66.0);
  const double value_buffer_bits = real(config.max_lines) * config.value_columns * 20.0;
  return lanes * (value("area.exponential") + 66.0 * value("area.register_bit")) +
         rotators * value("area.mux_bit") + config.log_units * value("area.logarithm") +
         (16.0 * config.tile_elements + line_bits + value_buffer_bits) * value("area.sram_bit") +
         lanes * config.value_columns * value("area.mac_wide");
}

class SinkhornEntry final : public EngineEntry {
 public:
  const char* name() const override { return "sinkhorn"; }
  std::vector<UnitEntry> units() const override { return {{Unit::kSinkhorn, "sinkhorn"}}; }
  std::unique_ptr<ChipEngine> make(const ChipConfig& chip) const override {
    return std::make_unique<OneUnitEngine<SinkhornOperation>>(
        *this, std::make_unique<SinkhornUnit>(chip.sinkhorn));
  }

  bool in_rtl() const override { return true; }
  RtlDesign rtl_design(const ChipConfig& chip) const override {
    return sinkhorn_rtl_design(chip.sinkhorn);
  }
  EngineBodies rtl_bodies(const ChipConfig& chip, ChipEngine&,
                          std::shared_ptr<const RtlLibrary> library,
                          const RtlTrace* trace) const override {
    return one_body(make_sinkhorn_rtl_body(chip.sinkhorn, std::move(library), trace));
  }

  /// Its exponentials are powers of 32-bit logarithms, and its memory is SRAM,
  /// priced like a bank of its tile memory.
  ByComponent dynamic_pj(const ChipConfig& chip, const Technology& technology,
                         const Activity& activity) const override {
    const double bank_kib = 2.0 * chip.sinkhorn.tile_elements / chip.sinkhorn.lanes / 1024.0;
    const SramRow sram = technology.sram(bank_kib);
    const double memory_pj = chip.sram_factor / kSliceBytes *
                             (real(activity.local_read_bytes) * sram.read_pj +
                              real(activity.local_write_bytes) * sram.write_pj);
    return {{name(), operations_pj(technology, activity, "op.power") + memory_pj}};
  }
  double area_um2(const ChipConfig& chip, const Technology& technology) const override {
    return sinkhorn_area(chip.sinkhorn, technology);
  }
};

}  // namespace

const EngineEntry& sinkhorn_entry() {
  static const SinkhornEntry entry;
  return entry;
}

}  // namespace quadrille::hw
