// The body of an engine in RTL: packs the command, moves beats, reads pins.
#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "hw/engines/beat_engine.h"
#include "hw/engines/rtl/command_bits.h"
#include "hw/engines/rtl/rtl_library.h"

namespace quadrille::hw {

/// An engine with the pins of docs/rtl.md; pack_command(operation) gives its packed
/// command.
template <typename Operation>
class RtlBody : public BeatEngine<Operation> {
 public:
  using PackCommand = std::function<CommandBits(const Operation&)>;

  /// Writes a waveform too when `trace` is not null.
  RtlBody(std::shared_ptr<const RtlLibrary> library, PackCommand pack_command,
          const RtlTrace* trace)
      : pack_command_(std::move(pack_command)), model_(std::move(library), trace) {
    reset();
  }

  bool command_ready() const override { return command_ready_.high(); }
  bool input_ready() const override { return input_ready_.high(); }
  bool output_valid() const override { return output_valid_.high(); }
  bool repeat_input() const override { return repeat_input_ && repeat_input_.high(); }
  const Beat& output() const override { return output_; }

  void tick(const BeatInputs<Operation>& inputs) override {
    command_valid_.set(inputs.command != nullptr ? 1 : 0);
    if (inputs.command != nullptr) {
      const CommandBits bits = pack_command_(*inputs.command);
      command_.from_bytes(bits.data(), CommandBits::kBytes);
    }
    input_valid_.set(inputs.input != nullptr ? 1 : 0);
    if (inputs.input != nullptr) input_data_.from_bytes(inputs.input->bytes.data(), Beat::kBytes);
    output_ready_.set(inputs.output_ready ? 1 : 0);
    model_.edge(clock_);
    sample();
  }

 protected:
  RtlPin pin(const std::string& name) const { return model_.pin(name); }

 private:
  void reset() {
    RtlPin reset_n = model_.pin("rst_ni");
    reset_n.set(1);
    model_.evaluate();
    reset_n.set(0);
    model_.edge(clock_);
    reset_n.set(1);
    model_.edge(clock_);
    model_.end_reset();
    sample();
  }

  void sample() {
    if (!output_valid()) return;
    output_.size = static_cast<int>(output_bytes_.value());
    output_data_.to_bytes(output_.bytes.data(), Beat::kBytes);
  }

  PackCommand pack_command_;
  RtlModel model_;
  RtlPin clock_ = model_.pin("clk_i");
  RtlPin command_valid_ = model_.pin("command_valid_i");
  RtlPin command_ready_ = model_.pin("command_ready_o");
  RtlPin command_ = model_.pin("command_i");
  RtlPin input_valid_ = model_.pin("input_valid_i");
  RtlPin input_ready_ = model_.pin("input_ready_o");
  RtlPin input_data_ = model_.pin("input_data_i");
  RtlPin output_valid_ = model_.pin("output_valid_o");
  RtlPin output_ready_ = model_.pin("output_ready_i");
  RtlPin output_data_ = model_.pin("output_data_o");
  RtlPin output_bytes_ = model_.pin("output_bytes_o");
  RtlPin repeat_input_ = model_.optional_pin("repeat_input_o");
  Beat output_;
};

}  // namespace quadrille::hw
