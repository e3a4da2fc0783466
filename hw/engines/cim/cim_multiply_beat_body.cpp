// The compute port of the CIM bank beat by beat: codes come into one of two
// input registers, are applied to the cells one bit per cycle, and the sums
// leave through output buffers.
#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "hw/engines/cim/cim_bank.h"
#include "hw/engines/credit_pipeline.h"

namespace quadrille::hw {
namespace {

class CimMultiplyBeatBody final : public BeatEngine<CimMultiply> {
 public:
  explicit CimMultiplyBeatBody(CimBank& bank) : bank_(bank), config_(bank.config()) {}

  bool command_ready() const override { return !operation_.has_value(); }
  bool input_ready() const override {
    return operation_ && loading_ < operation_->tokens && !input(loading_).full;
  }
  bool output_valid() const override { return results_ && results_->valid(); }
  const Beat& output() const override { return output_; }

  void tick(const BeatInputs<CimMultiply>& inputs) override {
    const bool starts = inputs.command != nullptr && command_ready();
    const bool takes_input = inputs.input != nullptr && input_ready();
    const bool gives_output = inputs.output_ready && output_valid();
    // A token's first bit cycle needs an output buffer for its sums; the later ones have it.
    const bool computes = operation_ && computing_ < operation_->tokens && input(computing_).full &&
                          (bit_ > 0 || results_->can_launch());
    if (takes_input) load(*inputs.input);
    if (computes) apply_bit();
    if (gives_output) give();
    if (starts) start(*inputs.command);
    if (results_) {
      results_->advance();
      if (results_->valid()) present();
    }
  }

 private:
  struct InputRegister {
    std::vector<std::uint8_t> codes;
    bool full = false;
  };

  InputRegister& input(int token) {
    return inputs_[static_cast<std::size_t>(token) % inputs_.size()];
  }
  const InputRegister& input(int token) const {
    return inputs_[static_cast<std::size_t>(token) % inputs_.size()];
  }

  void start(const CimMultiply& operation) {
    bank_.start(operation);
    operation_ = operation;
    loading_ = loaded_ = computing_ = bit_ = given_ = given_bytes_ = 0;
    for (InputRegister& each : inputs_)
      each.codes.assign(static_cast<std::size_t>(operation.rows), 0);
    results_.emplace(kCimTiming.latency(operation.region.row_tiles), kCimTiming.output_buffers);
  }

  void load(const Beat& beat) {
    InputRegister& target = input(loading_);
    const int count = std::min(config_.input_bytes_per_cycle, operation_->rows - loaded_);
    std::copy_n(beat.bytes.begin(), count, target.codes.begin() + loaded_);
    loaded_ += count;
    if (loaded_ < operation_->rows) return;
    loaded_ = 0;
    target.full = true;
    ++loading_;
  }

  /// One bit of every code against the weights of its row, least significant
  /// first; the sign bit of signed codes subtracts.
  void apply_bit() {
    InputRegister& source = input(computing_);
    if (bit_ == 0) sums_.assign(static_cast<std::size_t>(operation_->columns), 0);
    const bool subtracts = operation_->input_signed && bit_ == operation_->input_bits - 1;
    const std::int32_t weight = (subtracts ? -1 : 1) * (1 << bit_);
    for (int row = 0; row < operation_->rows; ++row) {
      if ((source.codes[static_cast<std::size_t>(row)] >> bit_ & 1) == 0) continue;
      add_row(row, weight);
    }
    if (++bit_ < operation_->input_bits) return;
    bit_ = 0;
    source.full = false;
    ++computing_;
    results_->launch(sums_);
  }

  void add_row(int row, std::int32_t weight) {
    const int first =
        operation_->region.first_macro + row / config_.rows * operation_->region.column_tiles;
    for (int tile = 0; tile < operation_->region.column_tiles; ++tile) {
      const std::int8_t* cells = bank_.cell_row(first + tile, row % config_.rows);
      const int column = tile * config_.columns;
      std::int32_t* sums = sums_.data() + column;
      const int count = std::min(config_.columns, operation_->columns - column);
      for (int j = 0; j < count; ++j) sums[j] += weight * cells[j];
    }
  }

  /// The output register shows the next bytes of the oldest token's sums.
  void present() {
    const std::vector<std::int32_t>& sums = results_->front();
    output_ = Beat{};
    output_.size = std::min(config_.output_bytes_per_cycle, 4 * operation_->columns - given_bytes_);
    for (int b = 0; b < output_.size; ++b) {
      const int at = given_bytes_ + b;
      const auto word = static_cast<std::uint32_t>(sums[static_cast<std::size_t>(at / 4)]);
      output_.bytes[static_cast<std::size_t>(b)] =
          static_cast<std::uint8_t>(word >> (8 * (at % 4)));
    }
  }

  void give() {
    given_bytes_ += output_.size;
    if (given_bytes_ < 4 * operation_->columns) return;
    given_bytes_ = 0;
    results_->take();
    if (++given_ < operation_->tokens) return;
    bank_.finish(*operation_);
    operation_.reset();
    results_.reset();
  }

  CimBank& bank_;
  const CimConfig& config_;
  std::optional<CimMultiply> operation_;
  std::array<InputRegister, static_cast<std::size_t>(kCimTiming.input_buffers)> inputs_;
  int loading_ = 0;    ///< Token whose codes come in.
  int loaded_ = 0;     ///< Bytes of it so far.
  int computing_ = 0;  ///< Token in the array.
  int bit_ = 0;        ///< Its next bit.
  std::vector<std::int32_t> sums_;
  std::optional<CreditPipeline<std::vector<std::int32_t>>> results_;
  int given_ = 0;        ///< Tokens given.
  int given_bytes_ = 0;  ///< Bytes of the oldest one given.
  Beat output_;
};

}  // namespace

std::unique_ptr<BeatEngine<CimMultiply>> make_cim_multiply_beat_body(CimBank& bank) {
  return std::make_unique<CimMultiplyBeatBody>(bank);
}

}  // namespace quadrille::hw
