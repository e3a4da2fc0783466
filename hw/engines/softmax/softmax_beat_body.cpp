// The softmax engine beat by beat. Pass 1 fills one of two row buffers and
// keeps the maximum; pass 2 issues one slot per cycle, a row's code beats and
// then its reciprocal, into one pipeline.
#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "hw/engines/credit_pipeline.h"
#include "hw/engines/softmax/softmax_engine.h"
#include "model/numerics/exp2.h"
#include "model/numerics/reciprocal.h"
#include "model/numerics/rounding.h"

namespace quadrille::hw {
namespace {

class SoftmaxBeatBody final : public BeatEngine<SoftmaxRows> {
 public:
  explicit SoftmaxBeatBody(const SoftmaxConfig& config)
      : config_(config),
        exp2_table_(model::make_exp2_table()),
        pipeline_(kSoftmaxTiming.slot_latency, kSoftmaxTiming.output_fifo) {}

  bool command_ready() const override { return !operation_.has_value(); }
  bool input_ready() const override {
    return operation_ && fill_row_ < operation_->queries && !buffer(fill_row_).full;
  }
  bool output_valid() const override { return pipeline_.valid(); }
  const Beat& output() const override { return pipeline_.front(); }

  void tick(const BeatInputs<SoftmaxRows>& inputs) override {
    const bool starts = inputs.command != nullptr && command_ready();
    const bool takes_input = inputs.input != nullptr && input_ready();
    const bool gives_output = inputs.output_ready && output_valid();
    const bool issues = slot_ready() && pipeline_.can_launch();
    if (takes_input) fill(*inputs.input);
    if (issues) issue();
    if (gives_output) {
      pipeline_.take();
      if (drain_row_ == operation_->queries && pipeline_.empty()) operation_.reset();
    }
    if (starts) {
      validate(config_, *inputs.command);
      operation_ = *inputs.command;
      fill_row_ = drain_row_ = 0;
      drain_key_ = 0;
    }
    pipeline_.advance();
    ++cycle_;
  }

 private:
  struct RowBuffer {
    std::vector<std::int32_t> scores;
    std::int64_t maximum = 0;
    std::int64_t maximum_known_at = 0;
    bool full = false;
  };

  /// A row's code slots read its buffer; its reciprocal's follows without.
  bool slot_ready() const {
    if (!operation_ || drain_row_ == operation_->queries) return false;
    if (drain_key_ == operation_->keys) return true;
    const RowBuffer& source = buffer(drain_row_);
    return source.full && cycle_ >= source.maximum_known_at;
  }

  RowBuffer& buffer(int row) { return buffers_[static_cast<std::size_t>(row) % buffers_.size()]; }
  const RowBuffer& buffer(int row) const {
    return buffers_[static_cast<std::size_t>(row) % buffers_.size()];
  }

  void fill(const Beat& beat) {
    RowBuffer& target = buffer(fill_row_);
    if (filled_ == 0) {
      target.scores.assign(static_cast<std::size_t>(operation_->keys), 0);
      target.maximum = INT32_MIN;
    }
    const int count = std::min(config_.lanes, operation_->keys - filled_);
    const int visible = visible_keys(*operation_, fill_row_);
    for (int lane = 0; lane < count; ++lane, ++filled_) {
      std::uint32_t word = 0;
      for (std::size_t b = 0; b < 4; ++b)
        word |= static_cast<std::uint32_t>(beat.bytes[4 * static_cast<std::size_t>(lane) + b])
                << (8 * b);
      const auto score = static_cast<std::int32_t>(word);
      target.scores[static_cast<std::size_t>(filled_)] = score;
      if (filled_ < visible) target.maximum = std::max<std::int64_t>(target.maximum, score);
    }
    if (filled_ == operation_->keys) {
      filled_ = 0;
      target.full = true;
      target.maximum_known_at = cycle_ + kSoftmaxTiming.maximum_latency;
      ++fill_row_;
    }
  }

  void issue() {
    RowBuffer& source = buffer(drain_row_);
    Beat slot;
    if (drain_key_ == operation_->keys) {
      const model::Reciprocal inverse = model::reciprocal(sum_);
      slot.size = 4;
      for (std::size_t b = 0; b < 3; ++b)
        slot.bytes[b] = static_cast<std::uint8_t>(inverse.mantissa >> (8 * b));
      slot.bytes[3] = static_cast<std::uint8_t>(inverse.shift);
      pipeline_.launch(slot);
      drain_key_ = 0;
      ++drain_row_;
      return;
    }
    if (drain_key_ == 0) sum_ = 0;
    const int visible = visible_keys(*operation_, drain_row_);
    const int count = std::min(config_.lanes, operation_->keys - drain_key_);
    slot.size = count;
    for (int lane = 0; lane < count; ++lane, ++drain_key_) {
      if (drain_key_ >= visible) continue;
      const std::uint32_t code =
          exponential(source.maximum - source.scores[static_cast<std::size_t>(drain_key_)]);
      slot.bytes[static_cast<std::size_t>(lane)] = static_cast<std::uint8_t>(code);
      sum_ += code;
    }
    pipeline_.launch(slot);
    // The last read frees the buffer; pass 1 may write it from the next cycle.
    if (drain_key_ == operation_->keys) source.full = false;
  }

  /// One lane: multiply, round, table, shift and round.
  std::uint32_t exponential(std::int64_t distance) const {
    const std::int64_t x =
        model::round_shift(distance * static_cast<std::int64_t>(operation_->factor.mantissa),
                           operation_->factor.shift);
    const std::int64_t octaves = x >> model::kExp2FractionBits;
    if (octaves > 8) return 0;
    const auto index = static_cast<std::size_t>(x) % exp2_table_.size();
    return static_cast<std::uint32_t>(model::round_shift(
        exp2_table_[index], model::kExp2FractionBits + static_cast<int>(octaves)));
  }

  SoftmaxConfig config_;
  std::array<std::uint16_t, 1 << model::kExp2FractionBits> exp2_table_;
  CreditPipeline<Beat> pipeline_;
  std::optional<SoftmaxRows> operation_;
  std::array<RowBuffer, static_cast<std::size_t>(kSoftmaxTiming.row_buffers)> buffers_;
  std::int64_t cycle_ = 0;
  int fill_row_ = 0;
  int filled_ = 0;  ///< Scores of the row being filled.
  int drain_row_ = 0;
  int drain_key_ = 0;
  std::uint64_t sum_ = 0;
};

}  // namespace

std::unique_ptr<BeatEngine<SoftmaxRows>> make_softmax_beat_body(const SoftmaxConfig& config) {
  return std::make_unique<SoftmaxBeatBody>(config);
}

}  // namespace quadrille::hw
