// The adapter between a verilated `damf_engine` and BeatEngine: packs the
// command, moves beats, reads pins, computes nothing. Only for files that do
// not include <systemc>.
#pragma once

#include <verilated.h>

#include <cstring>
#include <memory>
#include <variant>

#include "hw/engines/damf/damf_engine.h"

namespace quadrille::hw {

/// Bits of the packed command, least significant first: fields in the order of
/// docs/engines/damf.md.
class DamfCommandBits {
 public:
  static constexpr int kWords = 6;  ///< 171 bits.

  explicit DamfCommandBits(const DamfOperation& operation) {
    std::visit([this](const auto& op) { pack(op); }, operation);
  }
  std::uint32_t word(int i) const { return words_[i]; }

 private:
  void put(std::uint64_t value, int bits) {
    for (int i = 0; i < bits; ++i, ++position_) {
      if ((value >> i & 1U) != 0) words_[position_ / 32] |= 1U << (position_ % 32);
    }
  }

  void put_shape(int tokens, int width) {
    put(static_cast<std::uint64_t>(tokens), 16);
    put(static_cast<std::uint64_t>(width), 16);
  }

  void pack(const DamfProject& op) {
    put(0, 1 + 2 + 2 + 1 + 1 + 5 + 1);
    put_shape(op.tokens, op.width);
    put(0, 41);
    put(0, 41);
    for (const model::Multiplier& multiplier : {op.s_multiplier, op.t_multiplier}) {
      put(multiplier.mantissa, 16);
      put(static_cast<std::uint64_t>(multiplier.shift), 6);
    }
  }

  void pack(const DamfAttend& op) {
    const model::DamfSettings& settings = op.settings;
    put(1, 1);
    put(static_cast<std::uint64_t>(settings.mode), 2);
    put(static_cast<std::uint64_t>(settings.maximum), 2);
    put(static_cast<std::uint64_t>(settings.negative), 1);
    put(static_cast<std::uint64_t>(settings.shift_order), 1);
    put(static_cast<std::uint64_t>(settings.guard_bits), 5);
    put(settings.causal ? 1 : 0, 1);
    put_shape(op.tokens, op.width);
    put(op.rule.threshold_low, 41);
    put(op.rule.threshold_high, 41);
  }

  std::uint32_t words_[kWords] = {};
  int position_ = 0;
};

/// Bytes of a Verilator port of any width.
template <typename Port>
void port_from_bytes(Port& port, const std::uint8_t* bytes, std::size_t count) {
  std::memset(&port, 0, sizeof(port));
  std::memcpy(&port, bytes, count);
}

template <typename Model>
class DamfRtlBody final : public BeatEngine<DamfOperation> {
 public:
  explicit DamfRtlBody(const DamfConfig& config) : config_(config) {
    model_.rst_ni = 0;
    model_.clk_i = 0;
    model_.eval();
    clock();
    model_.rst_ni = 1;
    clock();
    sample();
  }
  ~DamfRtlBody() override { model_.final(); }

  bool command_ready() const override { return command_ready_; }
  bool input_ready() const override { return input_ready_; }
  bool output_valid() const override { return output_valid_; }
  const Beat& output() const override { return output_; }

  void tick(const BeatInputs<DamfOperation>& inputs) override {
    model_.command_valid_i = inputs.command != nullptr;
    if (inputs.command != nullptr) {
      const DamfCommandBits bits(*inputs.command);
      for (int i = 0; i < DamfCommandBits::kWords; ++i) model_.command_i[i] = bits.word(i);
    }
    model_.input_valid_i = inputs.input != nullptr;
    if (inputs.input != nullptr) {
      port_from_bytes(model_.input_data_i, inputs.input->bytes.data(),
                      static_cast<std::size_t>(config_.lanes));
    }
    model_.output_ready_i = inputs.output_ready;
    clock();
    sample();
  }

 private:
  void clock() {
    model_.clk_i = 1;
    model_.eval();
    model_.clk_i = 0;
    model_.eval();
  }

  void sample() {
    command_ready_ = model_.command_ready_o != 0;
    input_ready_ = model_.input_ready_o != 0;
    output_valid_ = model_.output_valid_o != 0;
    if (!output_valid_) return;
    output_.size = model_.output_bytes_o;
    std::memcpy(output_.bytes.data(), &model_.output_data_o,
                4 * static_cast<std::size_t>(config_.lanes));
  }

  DamfConfig config_;
  VerilatedContext context_;
  Model model_{&context_};
  bool command_ready_ = false;
  bool input_ready_ = false;
  bool output_valid_ = false;
  Beat output_;
};

}  // namespace quadrille::hw
