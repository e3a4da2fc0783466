// The compute port of the CIM bank beat by beat: codes come into one of two
// input registers, are applied to the cells one bit per cycle, and the sums
// are read from output buffers into the output FIFO, a beat per cycle.
#include <algorithm>
#include <array>
#include <deque>
#include <optional>
#include <utility>
#include <vector>

#include "hw/engines/cim/cim_bank.h"
#include "hw/engines/credit_pipeline.h"

namespace quadrille::hw {
namespace {

class CimMultiplyBeatBody final : public BeatEngine<CimMultiply> {
 public:
  explicit CimMultiplyBeatBody(CimBank& bank)
      : bank_(bank),
        config_(bank.config()),
        beats_(kCimTiming.read_latency(bank.config()), kCimTiming.output_beats(bank.config())) {}

  bool command_ready() const override { return !operation_.has_value(); }
  bool input_ready() const override {
    return operation_ && loading_ < operation_->tokens && !input(loading_).full;
  }
  bool output_valid() const override { return beats_.valid(); }
  const Beat& output() const override { return beats_.front(); }

  void tick(const BeatInputs<CimMultiply>& inputs) override {
    const bool starts = inputs.command != nullptr && command_ready();
    const bool takes_input = inputs.input != nullptr && input_ready();
    const bool gives_output = inputs.output_ready && output_valid();
    // A token's first bit cycle needs an output buffer for its sums; the later ones have it.
    const bool computes = operation_ && computing_ < operation_->tokens && input(computing_).full &&
                          (bit_ > 0 || buffers_used() < kCimTiming.output_buffers);
    const bool reads = !sums_.empty() && sums_.front().stored <= cycle_ && beats_.can_launch();
    if (takes_input) load(*inputs.input);
    if (computes) apply_bit();
    if (reads) read();
    if (gives_output) beats_.take();
    beats_.advance();
    ++cycle_;
    if (operation_ && read_ == operation_->tokens && beats_.empty()) {
      bank_.finish(*operation_);
      operation_.reset();
    }
    if (starts) start(*inputs.command);
  }

 private:
  struct InputRegister {
    std::vector<std::uint8_t> codes;
    bool full = false;
  };
  struct Sums {
    std::int64_t stored = 0;  ///< The cycle from which on they can be read.
    std::vector<std::int32_t> words;
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
    loading_ = loaded_ = computing_ = bit_ = read_ = read_bytes_ = 0;
    for (InputRegister& each : inputs_)
      each.codes.assign(static_cast<std::size_t>(operation.rows), 0);
  }

  int buffers_used() const { return static_cast<int>(sums_.size()) + (bit_ > 0 ? 1 : 0); }

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
    if (bit_ == 0) adding_.assign(static_cast<std::size_t>(operation_->columns), 0);
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
    sums_.push_back({cycle_ + kCimTiming.array_latency, adding_});
  }

  void add_row(int row, std::int32_t weight) {
    const int first =
        operation_->region.first_macro + row / config_.rows * operation_->region.column_tiles;
    for (int tile = 0; tile < operation_->region.column_tiles; ++tile) {
      const std::int8_t* cells = bank_.cell_row(first + tile, row % config_.rows);
      const int column = tile * config_.columns;
      std::int32_t* sums = adding_.data() + column;
      const int count = std::min(config_.columns, operation_->columns - column);
      for (int j = 0; j < count; ++j) sums[j] += weight * cells[j];
    }
  }

  /// The next bytes of the oldest token's sums.
  void read() {
    const std::vector<std::int32_t>& words = sums_.front().words;
    Beat beat;
    beat.size = std::min(config_.output_bytes_per_cycle, 4 * operation_->columns - read_bytes_);
    for (int b = 0; b < beat.size; ++b) {
      const int at = read_bytes_ + b;
      const auto word = static_cast<std::uint32_t>(words[static_cast<std::size_t>(at / 4)]);
      beat.bytes[static_cast<std::size_t>(b)] = static_cast<std::uint8_t>(word >> (8 * (at % 4)));
    }
    read_bytes_ += beat.size;
    beats_.launch(beat);
    if (read_bytes_ < 4 * operation_->columns) return;
    read_bytes_ = 0;
    sums_.pop_front();
    ++read_;
  }

  CimBank& bank_;
  const CimConfig& config_;
  std::optional<CimMultiply> operation_;
  std::array<InputRegister, static_cast<std::size_t>(kCimTiming.input_buffers)> inputs_;
  int loading_ = 0;                   ///< Token whose codes come in.
  int loaded_ = 0;                    ///< Bytes of it so far.
  int computing_ = 0;                 ///< Token in the array.
  int bit_ = 0;                       ///< Its next bit.
  std::vector<std::int32_t> adding_;  ///< Its sums so far.
  std::deque<Sums> sums_;             ///< Sums in the output buffers or on their way there.
  int read_ = 0;                      ///< Tokens read from them.
  int read_bytes_ = 0;                ///< Bytes read of the oldest one there.
  CreditPipeline<Beat> beats_;
  std::int64_t cycle_ = 0;
};

}  // namespace

std::unique_ptr<BeatEngine<CimMultiply>> make_cim_multiply_beat_body(CimBank& bank) {
  return std::make_unique<CimMultiplyBeatBody>(bank);
}

}  // namespace quadrille::hw
