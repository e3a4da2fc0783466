// The adapter between a verilated engine and BeatEngine: packs the command,
// moves beats, reads pins. Only for files that do not include <systemc>.
#pragma once

#include <verilated.h>

#include <array>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "hw/engines/beat_engine.h"
#include "hw/engines/rtl_not_built.h"
#include "hw/engines/rtl_wave.h"
#include "model/errors.h"

namespace quadrille::hw {

/// A packed command, fields least significant first in the order of the
/// engine's page (docs/engines/). Unused bits are zero.
class CommandBits {
 public:
  static constexpr int kBytes = 64;

  /// Appends the low `bits` bits of `value`. Throws InvariantError when they
  /// do not hold it, or when the command is full.
  void put(std::uint64_t value, int bits) {
    if (position_ + bits > 8 * kBytes || (bits < 64 && value >> bits != 0)) {
      throw InvariantError("packed command: " + std::to_string(value) + " in " +
                           std::to_string(bits) + " bits at bit " + std::to_string(position_));
    }
    for (int i = 0; i < bits; ++i, ++position_) {
      if ((value >> i & 1U) != 0)
        bytes_[static_cast<std::size_t>(position_ / 8)] |=
            static_cast<std::uint8_t>(1U << (position_ % 8));
    }
  }
  /// Puts a signed number, in two's complement.
  void put_signed(std::int64_t value, int bits) {
    const std::int64_t limit = std::int64_t{1} << (bits - 1);
    if (value < -limit || value >= limit) {
      throw InvariantError("packed command: " + std::to_string(value) + " in " +
                           std::to_string(bits) + " signed bits at bit " +
                           std::to_string(position_));
    }
    put(static_cast<std::uint64_t>(value) & ((std::uint64_t{1} << bits) - 1), bits);
  }
  /// Bits that another kind of command uses.
  void skip(int bits) { position_ += bits; }

  const std::uint8_t* data() const { return bytes_.data(); }
  int bits() const { return position_; }

 private:
  std::array<std::uint8_t, kBytes> bytes_{};
  int position_ = 0;
};

/// A Verilator port of any width from bytes, least significant first, and back.
/// Bytes beyond the port are dropped, beyond `count` zero.
template <typename Port>
void port_from_bytes(Port& port, const std::uint8_t* bytes, std::size_t count) {
  std::memset(&port, 0, sizeof(port));
  std::memcpy(&port, bytes, count < sizeof(port) ? count : sizeof(port));
}
template <typename Port>
void bytes_from_port(std::uint8_t* bytes, const Port& port, std::size_t count) {
  std::memcpy(bytes, &port, count < sizeof(port) ? count : sizeof(port));
}

/// Is true when `Model` has a pin repeat_input_o.
template <typename Model, typename = void>
struct RepeatsInput : std::false_type {};
template <typename Model>
struct RepeatsInput<Model, std::void_t<decltype(std::declval<Model&>().repeat_input_o)>>
    : std::true_type {};

/// Must precede a model's destruction: its scopes sign off from the thread's
/// context, which is that of the model made last unless told.
template <typename Model>
void finish_model(Model& model, VerilatedContext& context) {
  model.final();
  Verilated::threadContextp(&context);
}

/// `Model` is Verilator's class of an engine with the pins of docs/rtl.md;
/// pack_command(operation) gives its packed command.
template <typename Model, typename Operation>
class RtlBody : public BeatEngine<Operation> {
 public:
  using PackCommand = std::function<CommandBits(const Operation&)>;

  explicit RtlBody(PackCommand pack_command) : pack_command_(std::move(pack_command)) { reset(); }
  /// Writes a waveform too; `Model` must be a TRACED one (cmake/verilate.cmake).
  RtlBody(PackCommand pack_command, const RtlTrace& trace)
      : pack_command_(std::move(pack_command)), wave_(std::make_unique<RtlWave>(trace)) {
    context_.traceEverOn(true);
    model_.trace(wave_->fst(), RtlWave::kLevels);
    wave_->open();
    reset();
  }
  ~RtlBody() override { finish_model(model_, context_); }

  bool command_ready() const override { return model_.command_ready_o != 0; }
  bool input_ready() const override { return model_.input_ready_o != 0; }
  bool output_valid() const override { return model_.output_valid_o != 0; }
  bool repeat_input() const override {
    if constexpr (RepeatsInput<Model>::value) {
      return model_.repeat_input_o != 0;
    } else {
      return false;
    }
  }
  const Beat& output() const override { return output_; }

  void tick(const BeatInputs<Operation>& inputs) override {
    model_.command_valid_i = inputs.command != nullptr;
    if (inputs.command != nullptr) {
      const CommandBits bits = pack_command_(*inputs.command);
      port_from_bytes(model_.command_i, bits.data(), CommandBits::kBytes);
    }
    model_.input_valid_i = inputs.input != nullptr;
    if (inputs.input != nullptr)
      port_from_bytes(model_.input_data_i, inputs.input->bytes.data(), Beat::kBytes);
    model_.output_ready_i = inputs.output_ready;
    if (wave_) {
      model_.eval();
      wave_->before_edge();
    }
    clock();
    sample();
  }

 protected:
  const Model& model() const { return model_; }

 private:
  void reset() {
    model_.rst_ni = 1;
    model_.eval();
    model_.rst_ni = 0;
    clock();
    model_.rst_ni = 1;
    clock();
    sample();
    reset_done_ = true;
  }

  void clock() {
    model_.clk_i = 1;
    model_.eval();
    if (wave_ && reset_done_) wave_->after_edge();
    model_.clk_i = 0;
    model_.eval();
  }

  void sample() {
    if (model_.output_valid_o == 0) return;
    output_.size = model_.output_bytes_o;
    bytes_from_port(output_.bytes.data(), model_.output_data_o, Beat::kBytes);
  }

  PackCommand pack_command_;
  VerilatedContext context_;
  Model model_{&context_};
  Beat output_;
  bool reset_done_ = false;
  std::unique_ptr<RtlWave> wave_;  ///< Null: no waveform.
};

/// A set of parameters that an engine's RTL was verilated for.
template <typename Config, typename Body>
struct RtlPoint {
  Config config;
  Body (*make)(const Config&);
  /// The TRACED model of the same point, or null.
  Body (*make_traced)(const Config&, const RtlTrace&) = nullptr;
};

/// The body of the point that is `config`. `describe` lists the parameters of a
/// configuration. Throws RtlNotBuilt that lists the built points when there is none.
template <typename Config, typename Body, std::size_t N>
Body make_at_point(const RtlPoint<Config, Body> (&points)[N], const Config& config,
                   std::string (*describe)(const Config&)) {
  std::string built;
  for (const RtlPoint<Config, Body>& point : points) {
    if (describe(point.config) == describe(config)) return point.make(config);
    built += (built.empty() ? "(" : ") or (") + describe(point.config);
  }
  throw RtlNotBuilt("RTL is not built for " + describe(config) + "; expected " + built + ")");
}

/// Makes the same body with a waveform. Throws RtlNotBuilt that lists the points
/// that can write one.
template <typename Config, typename Body, std::size_t N>
Body make_traced_at_point(const RtlPoint<Config, Body> (&points)[N], const Config& config,
                          const RtlTrace& trace, std::string (*describe)(const Config&)) {
  std::string built;
  for (const RtlPoint<Config, Body>& point : points) {
    if (point.make_traced == nullptr) continue;
    if (describe(point.config) == describe(config)) return point.make_traced(config, trace);
    built += (built.empty() ? "(" : ") or (") + describe(point.config);
  }
  throw RtlNotBuilt("no waveforms of RTL with " + describe(config) + "; expected " + built + ")");
}

}  // namespace quadrille::hw
