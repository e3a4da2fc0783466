// The vector unit beat by beat: every accepted element beat enters the
// pipeline; a row's reciprocal is held beside it.
#include <optional>
#include <string>

#include "hw/engines/credit_pipeline.h"
#include "hw/engines/vector/vector_engine.h"
#include "model/numerics/reciprocal.h"
#include "model/numerics/rounding.h"

namespace quadrille::hw {
namespace {

class VectorBeatBody final : public BeatEngine<VectorRequantise> {
 public:
  VectorBeatBody(const VectorConfig& config, Activity* values)
      : config_(config),
        values_(values),
        pipeline_(kVectorTiming.latency, kVectorTiming.output_fifo) {}

  bool command_ready() const override { return !operation_.has_value(); }
  bool input_ready() const override {
    if (!operation_ || row_ == operation_->rows) return false;
    return reciprocal_next_ || pipeline_.can_launch();
  }
  bool output_valid() const override { return pipeline_.valid(); }
  const Beat& output() const override { return pipeline_.front(); }

  void tick(const BeatInputs<VectorRequantise>& inputs) override {
    const bool starts = inputs.command != nullptr && command_ready();
    const bool takes_input = inputs.input != nullptr && input_ready();
    const bool gives_output = inputs.output_ready && output_valid();
    if (takes_input) accept(*inputs.input);
    if (gives_output) {
      pipeline_.take();
      if (row_ == operation_->rows && pipeline_.empty()) operation_.reset();
    }
    if (starts) {
      validate(*inputs.command);
      operation_ = *inputs.command;
      row_ = 0;
      column_ = 0;
      reciprocal_next_ = operation_->normalise;
    }
    pipeline_.advance();
  }

 private:
  void accept(const Beat& beat) {
    if (reciprocal_next_) {
      const model::Reciprocal inverse =
          model::unpacked_reciprocal(static_cast<std::uint32_t>(beat.bytes[0]) |
                                     static_cast<std::uint32_t>(beat.bytes[1]) << 8 |
                                     static_cast<std::uint32_t>(beat.bytes[2]) << 16 |
                                     static_cast<std::uint32_t>(beat.bytes[3]) << 24);
      reciprocal_mantissa_ = inverse.mantissa;
      reciprocal_shift_ = inverse.shift - operation_->fraction_bits;
      if (reciprocal_shift_ < 0) {
        throw InvariantError("vector command: reciprocal of row " + std::to_string(row_) +
                             " has a shift below its fraction bits");
      }
      reciprocal_next_ = false;
      return;
    }
    const int count = std::min(config_.lanes, operation_->columns - column_);
    Beat result;
    for (int lane = 0; lane < count; ++lane) put(result, lane, compute(element(beat, lane)));
    pipeline_.launch(result);
    column_ += count;
    if (column_ == operation_->columns) {
      column_ = 0;
      ++row_;
      reciprocal_next_ = operation_->normalise;
    }
  }

  std::int64_t element(const Beat& beat, int lane) const {
    const auto at = static_cast<std::size_t>(lane);
    if (operation_->from == VectorSource::kCodes8) return beat.bytes[at];
    std::uint32_t word = 0;
    for (std::size_t b = 0; b < 4; ++b)
      word |= static_cast<std::uint32_t>(beat.bytes[4 * at + b]) << (8 * b);
    return static_cast<std::int32_t>(word);
  }

  std::int64_t compute(std::int64_t x) {
    if (operation_->normalise)
      x = clamp(model::round_shift(x * reciprocal_mantissa_, reciprocal_shift_), 32);
    if (operation_->to == VectorResult::kCodes8) {
      const auto mantissa = static_cast<std::int64_t>(operation_->multiplier.mantissa);
      x = clamp(model::round_shift(x * mantissa, operation_->multiplier.shift), 8);
    }
    return x;
  }

  std::int64_t clamp(std::int64_t x, int bits) {
    const std::int64_t y = model::saturate(x, bits);
    if (values_ != nullptr && y != x) ++values_->saturated;
    return y;
  }

  void put(Beat& beat, int lane, std::int64_t x) const {
    const std::size_t bytes = operation_->to == VectorResult::kSums32 ? 4 : 1;
    for (std::size_t b = 0; b < bytes; ++b)
      beat.bytes[static_cast<std::size_t>(lane) * bytes + b] =
          static_cast<std::uint8_t>(x >> (8 * b));
    beat.size += static_cast<int>(bytes);
  }

  VectorConfig config_;
  Activity* values_;
  CreditPipeline<Beat> pipeline_;
  std::optional<VectorRequantise> operation_;
  int row_ = 0;
  int column_ = 0;
  bool reciprocal_next_ = false;
  std::int64_t reciprocal_mantissa_ = 0;
  int reciprocal_shift_ = 0;
};

}  // namespace

std::unique_ptr<BeatEngine<VectorRequantise>> make_vector_beat_body(const VectorConfig& config,
                                                                    Activity* values) {
  return std::make_unique<VectorBeatBody>(config, values);
}

}  // namespace quadrille::hw
