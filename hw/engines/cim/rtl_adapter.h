// The adapter between a verilated `cim_engine` and the bank's two bodies: packs
// commands, moves beats, reads pins, keeps the bank's books, computes nothing.
// Only for files that do not include <systemc>.
//
// A unit without a command is not ticked, and two units read and tick their
// bodies one after the other: so the engine has a clock pin per port. A tick is
// an edge of the port's own clock; the other port stands still. That equals one
// clock for both, because they meet in the cells alone and whoever starts a
// command on what the other port did has seen its end (CimBank).
#pragma once

#include <verilated.h>

#include <memory>
#include <optional>
#include <utility>

#include "hw/engines/cim/cim_bank.h"
#include "hw/engines/rtl_body.h"

namespace quadrille::hw {

/// Bits of the packed commands: docs/engines/cim.md.
inline CommandBits pack_region(const CimRegion& region, int rows, int columns) {
  CommandBits bits;
  bits.put(static_cast<std::uint64_t>(region.first_macro), 12);
  bits.put(static_cast<std::uint64_t>(region.column_tiles), 12);
  bits.put(static_cast<std::uint64_t>(rows), 17);
  bits.put(static_cast<std::uint64_t>(columns), 20);
  return bits;
}

inline CommandBits pack(const CimWrite& operation) {
  CommandBits bits = pack_region(operation.region, operation.rows, operation.columns);
  bits.put(operation.transpose ? 1 : 0, 1);
  return bits;
}

inline CommandBits pack(const CimMultiply& operation) {
  CommandBits bits = pack_region(operation.region, operation.rows, operation.columns);
  bits.put(static_cast<std::uint64_t>(operation.tokens), 16);
  bits.put(static_cast<std::uint64_t>(operation.input_bits), 4);
  bits.put(operation.input_signed ? 1 : 0, 1);
  bits.put(static_cast<std::uint64_t>(operation.weight_bits), 4);
  return bits;
}

/// The bank's books on one port: a command starts when it is accepted and
/// finishes when the port shows command_ready again.
template <typename Operation>
class CimPortBooks {
 public:
  explicit CimPortBooks(CimBank& bank) : bank_(bank) {}

  void start(const Operation& operation) {
    bank_.start(operation);
    operation_ = operation;
  }
  void finish_if(bool command_ready) {
    if (!operation_ || !command_ready) return;
    bank_.finish(*operation_);
    operation_.reset();
  }

 private:
  CimBank& bank_;
  std::optional<Operation> operation_;
};

/// One verilated bank, reset; its ports share it. In a waveform a port's edge
/// lies in the cycle of its own tick; of two ticks in one cycle the second's
/// inputs show, and the registers of both.
template <typename Model>
struct CimRtlModel {
  CimRtlModel() { reset(); }
  /// `Model` must be a TRACED one (cmake/verilate.cmake).
  explicit CimRtlModel(const RtlTrace& trace) : wave(std::make_unique<RtlWave>(trace)) {
    context.traceEverOn(true);
    model.trace(wave->fst(), RtlWave::kLevels);
    wave->open();
    reset();
  }
  ~CimRtlModel() { finish_model(model, context); }
  CimRtlModel(const CimRtlModel&) = delete;
  CimRtlModel& operator=(const CimRtlModel&) = delete;

  void reset() {
    model.rst_ni = 1;
    model.eval();
    model.rst_ni = 0;
    edge(model.clk_write_i);
    edge(model.clk_multiply_i);
    model.rst_ni = 1;
    model.eval();
    reset_done = true;
  }

  void edge(CData& clock) {
    const bool shows = wave && reset_done;
    if (shows) {
      model.eval();
      wave->before_edge();
    }
    clock = 1;
    model.eval();
    if (shows) wave->after_edge();
    clock = 0;
    model.eval();
  }

  VerilatedContext context;
  Model model{&context};
  bool reset_done = false;
  std::unique_ptr<RtlWave> wave;  ///< Null: no waveform.
};

template <typename Operation, typename Command, typename Data>
void drive_cim_port(const BeatInputs<Operation>& inputs, CData& command_valid, Command& command,
                    CData& input_valid, Data& data) {
  command_valid = inputs.command != nullptr;
  if (inputs.command != nullptr) {
    const CommandBits bits = pack(*inputs.command);
    port_from_bytes(command, bits.data(), CommandBits::kBytes);
  }
  input_valid = inputs.input != nullptr;
  if (inputs.input != nullptr) port_from_bytes(data, inputs.input->bytes.data(), Beat::kBytes);
}

template <typename Model>
class CimWriteRtlBody final : public BeatEngine<CimWrite> {
 public:
  CimWriteRtlBody(CimBank& bank, std::shared_ptr<CimRtlModel<Model>> shared)
      : books_(bank), shared_(std::move(shared)), model_(shared_->model) {}

  bool command_ready() const override { return model_.write_command_ready_o != 0; }
  bool input_ready() const override { return model_.write_input_ready_o != 0; }
  bool output_valid() const override { return false; }
  const Beat& output() const override { return nothing_; }

  void tick(const BeatInputs<CimWrite>& inputs) override {
    if (inputs.command != nullptr && command_ready()) books_.start(*inputs.command);
    drive_cim_port(inputs, model_.write_command_valid_i, model_.write_command_i,
                   model_.write_input_valid_i, model_.write_input_data_i);
    shared_->edge(model_.clk_write_i);
    books_.finish_if(command_ready());
  }

 private:
  CimPortBooks<CimWrite> books_;
  std::shared_ptr<CimRtlModel<Model>> shared_;
  Model& model_;
  Beat nothing_;
};

template <typename Model>
class CimMultiplyRtlBody final : public BeatEngine<CimMultiply> {
 public:
  CimMultiplyRtlBody(CimBank& bank, std::shared_ptr<CimRtlModel<Model>> shared)
      : books_(bank), shared_(std::move(shared)), model_(shared_->model) {}

  bool command_ready() const override { return model_.multiply_command_ready_o != 0; }
  bool input_ready() const override { return model_.multiply_input_ready_o != 0; }
  bool output_valid() const override { return model_.multiply_output_valid_o != 0; }
  const Beat& output() const override { return output_; }

  void tick(const BeatInputs<CimMultiply>& inputs) override {
    if (inputs.command != nullptr && command_ready()) books_.start(*inputs.command);
    drive_cim_port(inputs, model_.multiply_command_valid_i, model_.multiply_command_i,
                   model_.multiply_input_valid_i, model_.multiply_input_data_i);
    model_.multiply_output_ready_i = inputs.output_ready;
    shared_->edge(model_.clk_multiply_i);
    books_.finish_if(command_ready());
    if (!output_valid()) return;
    output_.size = model_.multiply_output_bytes_o;
    bytes_from_port(output_.bytes.data(), model_.multiply_output_data_o, Beat::kBytes);
  }

 private:
  CimPortBooks<CimMultiply> books_;
  std::shared_ptr<CimRtlModel<Model>> shared_;
  Model& model_;
  Beat output_;
};

template <typename Model, typename... Trace>
CimBodies make_cim_rtl_bodies_of(CimBank& bank, const Trace&... trace) {
  const auto shared = std::make_shared<CimRtlModel<Model>>(trace...);
  return {std::make_unique<CimWriteRtlBody<Model>>(bank, shared),
          std::make_unique<CimMultiplyRtlBody<Model>>(bank, shared)};
}

}  // namespace quadrille::hw
