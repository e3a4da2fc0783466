#include "hw/engines/linear/linear_entry.h"

#include <cmath>

#include "hw/engine_unit.h"
#include "hw/engines/linear/linear_engine.h"
#include "hw/engines/linear/linear_piece.h"

namespace quadrille::hw {
namespace {

double real(std::int64_t count) { return static_cast<double>(count); }

class LinearUnit final : public Engine<LinearAttend> {
 public:
  explicit LinearUnit(const LinearConfig& config) : config_(config), engine_(config) {}

  Stream input(const LinearAttend& operation) const override {
    return input_stream(config_, operation);
  }
  Stream output(const LinearAttend& operation) const override {
    return output_stream(config_, operation);
  }
  std::int64_t alone_cycles(const LinearAttend& operation, const CommandCourse&) const override {
    return engine_.alone_cycles(operation);
  }
  Activity activity(const LinearAttend& operation, const CommandCourse&) const override {
    return engine_.activity(operation);
  }
  /// The state stays from one command to the next; a body follows its sequence itself.
  void begin(const LinearAttend& operation) override { engine_.follow(operation); }
  CommandCourse execute(const LinearAttend& operation, const Bytes& scratchpad,
                        Activity& values) override {
    engine_.execute(operation, scratchpad, values);
    return {};
  }
  std::unique_ptr<BeatEngine<LinearAttend>> body(Activity* values) override {
    return make_linear_beat_body(config_, values);
  }

 private:
  LinearConfig config_;
  LinearEngine engine_;
};

// Memories of the linear-attention engine, bits of registers: S and z; beside
// them the chunk's shares, a product of 16 bits or a code of 8 grown by the
// chunk's tokens; sums of V before, behind and of all; and codes of 8 bits: two
// chunks of phi(K), phi(RP), the ring of V rows.
double linear_register_bits(const LinearConfig& config) {
  const double growth = std::ceil(std::log2(config.chunk_tokens));
  const double state = real(config.max_width) * config.lanes * (kLinearStateBits + 16.0 + growth);
  const double keys_sum = config.max_width * (kLinearSumBits + 8.0 + growth);
  const double value_sums = 3.0 * kLinearSumBits * config.lanes;
  const double codes =
      config.max_width * (2.0 * config.chunk_tokens + 2.0 * config.max_horizon + 1.0) +
      real(linear_ring_rows(config)) * config.lanes;
  return state + keys_sum + value_sums + 8.0 * codes;
}

// Narrow MACs make the outer products, the scores of a chunk and the weights of
// the relative positions; wide ones the readout, with a column for z, and scores
// and weights times rows of V. The merge adds all entries of S and z at once: an
// adder each, priced like a shift-adder. Every lane has its copy of the tables.
double linear_area(const LinearConfig& config, const Technology& technology) {
  const auto value = [&](const char* row) { return technology.value(row); };
  const double lanes = config.lanes;
  const double rows = config.chunk_tokens + 2.0 * config.max_horizon + 1.0;
  return lanes * (lanes + rows) * value("area.mac8") +
         lanes * (lanes + 1.0 + rows) * value("area.mac_wide") +
         config.max_width * (lanes + 1.0) * value("area.shift_add") +
         linear_register_bits(config) * value("area.register_bit") +
         3.0 * 256.0 * 8.0 * lanes * value("area.sram_bit") + lanes * value("area.requantise");
}

class LinearEntry final : public EngineEntry {
 public:
  const char* name() const override { return "linear"; }
  std::vector<UnitEntry> units() const override { return {{Unit::kLinear, "linear"}}; }
  std::unique_ptr<ChipEngine> make(const ChipConfig& chip) const override {
    return std::make_unique<OneUnitEngine<LinearAttend>>(*this,
                                                         std::make_unique<LinearUnit>(chip.linear));
  }

  bool in_rtl() const override { return true; }
  RtlDesign rtl_design(const ChipConfig& chip) const override {
    return linear_rtl_design(chip.linear);
  }
  EngineBodies rtl_bodies(const ChipConfig&, ChipEngine&, std::shared_ptr<const RtlLibrary> library,
                          const RtlTrace* trace) const override {
    return one_body(make_linear_rtl_body(std::move(library), trace));
  }

  double area_um2(const ChipConfig& chip, const Technology& technology) const override {
    return linear_area(chip.linear, technology);
  }
};

}  // namespace

const EngineEntry& linear_entry() {
  static const LinearEntry entry;
  return entry;
}

}  // namespace quadrille::hw
