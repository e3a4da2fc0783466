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
#include "hw/engines/requantise.h"
#include "model/numerics/rounding.h"

namespace quadrille::hw {
namespace {

class CimMultiplyBeatBody final : public BeatEngine<CimMultiply> {
 public:
  CimMultiplyBeatBody(CimBank& bank, Activity* values)
      : bank_(bank),
        config_(bank.config()),
        values_(values),
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
    loading_ = loaded_ = computing_ = bit_ = read_ = read_columns_ = 0;
    beats_.set_latency(kCimTiming.read_latency(config_, operation.epilogue));
    reciprocals_next_ = operation.epilogue.normalise;
    scales_.clear();
    for (InputRegister& each : inputs_)
      each.codes.assign(static_cast<std::size_t>(operation.rows), 0);
  }

  int buffers_used() const { return static_cast<int>(sums_.size()) + (bit_ > 0 ? 1 : 0); }

  void load(const Beat& beat) {
    if (reciprocals_next_) {
      load_reciprocals(beat);
      reciprocals_next_ = false;
      return;
    }
    InputRegister& target = input(loading_);
    const int count = std::min(config_.input_bytes_per_cycle, operation_->rows - loaded_);
    std::copy_n(beat.bytes.begin(), count, target.codes.begin() + loaded_);
    loaded_ += count;
    if (loaded_ < operation_->rows) return;
    loaded_ = 0;
    target.full = true;
    ++loading_;
    reciprocals_next_ =
        operation_->epilogue.normalise && loading_ % reciprocals_per_beat(config_) == 0;
  }

  void load_reciprocals(const Beat& beat) {
    const int count = std::min(reciprocals_per_beat(config_), operation_->tokens - loading_);
    for (int i = 0; i < count; ++i) {
      std::uint32_t word = 0;
      for (int b = 0; b < 4; ++b)
        word |= std::uint32_t{beat.bytes[static_cast<std::size_t>(4 * i + b)]} << (8 * b);
      scales_.push_back(scaling_of(word, operation_->epilogue.fraction_bits, "cim", loading_ + i));
    }
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

  /// The next results of the oldest token.
  void read() {
    const std::vector<std::int32_t>& words = sums_.front().words;
    const CimEpilogue& epilogue = operation_->epilogue;
    const int count = std::min(results_per_beat(config_), operation_->columns - read_columns_);
    const int bytes = result_bytes(epilogue.result);
    Beat beat;
    beat.size = count * bytes;
    for (int i = 0; i < count; ++i) {
      const std::int64_t result = result_of(words[static_cast<std::size_t>(read_columns_ + i)]);
      for (int b = 0; b < bytes; ++b)
        beat.bytes[static_cast<std::size_t>(i * bytes + b)] =
            static_cast<std::uint8_t>(result >> (8 * b));
    }
    read_columns_ += count;
    beats_.launch(beat);
    if (read_columns_ < operation_->columns) return;
    read_columns_ = 0;
    sums_.pop_front();
    if (epilogue.normalise) scales_.pop_front();
    ++read_;
  }

  std::int64_t result_of(std::int32_t sum) {
    const CimEpilogue& epilogue = operation_->epilogue;
    std::int64_t x = sum;
    if (epilogue.normalise) x = clamp(scales_.front()(sum), 32);
    if (epilogue.result == CimResult::kSums32) return x;
    const Scaling requantisation(epilogue.multiplier);
    return clamp(requantisation(static_cast<std::int32_t>(x)), 8 * result_bytes(epilogue.result));
  }

  std::int64_t clamp(std::int64_t x, int bits) {
    const std::int64_t y = model::saturate(x, bits);
    if (values_ != nullptr && y != x) ++values_->saturated;
    return y;
  }

  CimBank& bank_;
  const CimConfig& config_;
  Activity* values_;
  std::optional<CimMultiply> operation_;
  std::array<InputRegister, static_cast<std::size_t>(kCimTiming.input_buffers)> inputs_;
  int loading_ = 0;                   ///< Token whose codes come in.
  int loaded_ = 0;                    ///< Bytes of it so far.
  int computing_ = 0;                 ///< Token in the array.
  int bit_ = 0;                       ///< Its next bit.
  std::vector<std::int32_t> adding_;  ///< Its sums so far.
  std::deque<Sums> sums_;             ///< Sums in the output buffers or on their way there.
  int read_ = 0;                      ///< Tokens read from them.
  int read_columns_ = 0;              ///< Sums read of the oldest one there.
  bool reciprocals_next_ = false;     ///< The next input beat are the next tokens' reciprocals.
  std::deque<Scaling> scales_;        ///< Of the tokens from their load to their read.
  CreditPipeline<Beat> beats_;
  std::int64_t cycle_ = 0;
};

}  // namespace

std::unique_ptr<BeatEngine<CimMultiply>> make_cim_multiply_beat_body(CimBank& bank,
                                                                     Activity* values) {
  return std::make_unique<CimMultiplyBeatBody>(bank, values);
}

}  // namespace quadrille::hw
