// The CIM bank's RTL: its parameters, and the two bodies around one model of it. They
// pack commands, move beats, read pins, keep the bank's books, compute nothing.
//
// A unit without a command is not ticked, and two units read and tick their
// bodies one after the other: so the engine has a clock pin per port. A tick is
// an edge of the port's own clock; the other port stands still. That equals one
// clock for both, because they meet in the cells alone and whoever starts a
// command on what the other port did has seen its end (CimBank).
#include <memory>
#include <optional>
#include <utility>

#include "hw/engines/cim/cim_bank.h"
#include "hw/engines/rtl/command_bits.h"
#include "hw/engines/rtl/rtl_library.h"

namespace quadrille::hw {
namespace {

/// Bits of the packed commands: docs/engines/cim.md.
CommandBits pack_region(const CimRegion& region, int rows, int columns) {
  CommandBits bits;
  bits.put(static_cast<std::uint64_t>(region.first_macro), 12);
  bits.put(static_cast<std::uint64_t>(region.column_tiles), 12);
  bits.put(static_cast<std::uint64_t>(rows), 17);
  bits.put(static_cast<std::uint64_t>(columns), 20);
  return bits;
}

CommandBits pack(const CimWrite& operation) {
  CommandBits bits = pack_region(operation.region, operation.rows, operation.columns);
  bits.put(operation.transpose ? 1 : 0, 1);
  return bits;
}

CommandBits pack(const CimMultiply& operation) {
  CommandBits bits = pack_region(operation.region, operation.rows, operation.columns);
  bits.put(static_cast<std::uint64_t>(operation.tokens), 16);
  bits.put(static_cast<std::uint64_t>(operation.input_bits), 4);
  bits.put(operation.input_signed ? 1 : 0, 1);
  bits.put(static_cast<std::uint64_t>(operation.weight_bits), 4);
  const CimEpilogue& epilogue = operation.epilogue;
  bits.put(epilogue.works() ? 1 : 0, 1);
  bits.put(epilogue.normalise ? 1 : 0, 1);
  bits.put(static_cast<std::uint64_t>(result_bytes(epilogue.result) / 2), 2);
  bits.put(static_cast<std::uint64_t>(epilogue.normalise ? epilogue.fraction_bits : 0), 5);
  // Sums that keep their width go through the second product unchanged.
  const bool codes = epilogue.result != CimResult::kSums32;
  bits.put(codes ? epilogue.multiplier.mantissa : 1, 16);
  bits.put(static_cast<std::uint64_t>(codes ? epilogue.multiplier.shift : 0), 6);
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

/// The one model of a bank, reset; its ports share it. In a waveform a port's edge
/// lies in the cycle of its own tick; of two ticks in one cycle the second's
/// inputs show, and the registers of both.
struct CimRtlModel {
  CimRtlModel(std::shared_ptr<const RtlLibrary> library, const RtlTrace* trace)
      : model(std::move(library), trace) {
    RtlPin reset_n = model.pin("rst_ni");
    reset_n.set(1);
    model.evaluate();
    reset_n.set(0);
    for (const char* name : {"clk_write_i", "clk_multiply_i"}) {
      RtlPin clock = model.pin(name);
      model.edge(clock);
    }
    reset_n.set(1);
    model.evaluate();
    model.end_reset();
  }

  RtlModel model;
};

/// What both ports have: a command, an input, a clock, the bank's books.
template <typename Operation>
class CimPortBody : public BeatEngine<Operation> {
 public:
  CimPortBody(CimBank& bank, std::shared_ptr<CimRtlModel> shared, const std::string& prefix,
              const std::string& clock)
      : shared_(std::move(shared)),
        books_(bank),
        clock_(shared_->model.pin(clock)),
        command_valid_(shared_->model.pin(prefix + "command_valid_i")),
        command_ready_(shared_->model.pin(prefix + "command_ready_o")),
        command_(shared_->model.pin(prefix + "command_i")),
        input_valid_(shared_->model.pin(prefix + "input_valid_i")),
        input_ready_(shared_->model.pin(prefix + "input_ready_o")),
        input_data_(shared_->model.pin(prefix + "input_data_i")) {}

  bool command_ready() const override { return command_ready_.high(); }
  bool input_ready() const override { return input_ready_.high(); }
  bool output_valid() const override { return false; }
  const Beat& output() const override { return output_; }

  void tick(const BeatInputs<Operation>& inputs) override {
    if (inputs.command != nullptr && command_ready()) books_.start(*inputs.command);
    command_valid_.set(inputs.command != nullptr ? 1 : 0);
    if (inputs.command != nullptr) {
      const CommandBits bits = pack(*inputs.command);
      command_.from_bytes(bits.data(), CommandBits::kBytes);
    }
    input_valid_.set(inputs.input != nullptr ? 1 : 0);
    if (inputs.input != nullptr) input_data_.from_bytes(inputs.input->bytes.data(), Beat::kBytes);
    shared_->model.edge(clock_);
    books_.finish_if(command_ready());
  }

 protected:
  RtlPin pin(const std::string& name) const { return shared_->model.pin(name); }
  Beat output_;

 private:
  std::shared_ptr<CimRtlModel> shared_;
  CimPortBooks<Operation> books_;
  RtlPin clock_;
  RtlPin command_valid_, command_ready_, command_;
  RtlPin input_valid_, input_ready_, input_data_;
};

class CimMultiplyRtlBody final : public CimPortBody<CimMultiply> {
 public:
  CimMultiplyRtlBody(CimBank& bank, std::shared_ptr<CimRtlModel> shared)
      : CimPortBody(bank, std::move(shared), "multiply_", "clk_multiply_i") {}

  bool output_valid() const override { return output_valid_.high(); }

  void tick(const BeatInputs<CimMultiply>& inputs) override {
    output_ready_.set(inputs.output_ready ? 1 : 0);
    CimPortBody::tick(inputs);
    if (!output_valid()) return;
    output_.size = static_cast<int>(output_bytes_.value());
    output_data_.to_bytes(output_.bytes.data(), Beat::kBytes);
  }

 private:
  RtlPin output_valid_ = pin("multiply_output_valid_o");
  RtlPin output_ready_ = pin("multiply_output_ready_i");
  RtlPin output_data_ = pin("multiply_output_data_o");
  RtlPin output_bytes_ = pin("multiply_output_bytes_o");
};

}  // namespace

// write_while_compute is a rule for commands: the RTL is the same.
RtlDesign cim_rtl_design(const CimConfig& config) {
  RtlDesign design;
  design.engine = "cim";
  design.parameters = {{"cim.macros", "Macros", config.macros},
                       {"cim.rows", "Rows", config.rows},
                       {"cim.columns", "Columns", config.columns},
                       {"cim.weight_bits", "WeightBits", config.weight_bits},
                       {"cim.input_bits", "InputBits", config.input_bits},
                       {"cim.input_bytes_per_cycle", "InputBytes", config.input_bytes_per_cycle},
                       {"cim.output_bytes_per_cycle", "OutputBytes", config.output_bytes_per_cycle},
                       {"cim.write_bytes_per_cycle", "WriteBytes", config.write_bytes_per_cycle}};
  design.ports = {{"clk_write_i", "write_", false}, {"clk_multiply_i", "multiply_", true}};
  // Loops stay loops: thousands of columns are elaborated one by one before Verilator
  // sees that their code is the same.
  design.verilator_options = {"--unroll-count", "4"};
  return design;
}

CimBodies make_cim_rtl_bodies(CimBank& bank, std::shared_ptr<const RtlLibrary> library,
                              const RtlTrace* trace) {
  const auto shared = std::make_shared<CimRtlModel>(std::move(library), trace);
  return {std::make_unique<CimPortBody<CimWrite>>(bank, shared, "write_", "clk_write_i"),
          std::make_unique<CimMultiplyRtlBody>(bank, shared)};
}

}  // namespace quadrille::hw
