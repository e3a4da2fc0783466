// SinkhornApply beat by beat.
#include <algorithm>
#include <vector>

#include "hw/engines/sinkhorn/sinkhorn_command_body.h"
#include "hw/engines/sinkhorn/sinkhorn_line_sums.h"
#include "model/numerics/logarithm.h"
#include "model/numerics/rounding.h"

namespace quadrille::hw {
namespace {

class ApplyBody final : public SinkhornCommandBody {
 public:
  ApplyBody(const SinkhornConfig& config, const SinkhornApply& operation)
      : config_(config), operation_(operation) {
    if (operation.from == SinkhornSource::kElements) {
      column_scalings_.reserve(static_cast<std::size_t>(operation.columns));
      row_scalings_.reserve(static_cast<std::size_t>(operation.rows));
      phase_ = Phase::kColumnScalings;
    } else {
      begin_group();
    }
  }

  int latency() const override { return kSinkhornTiming.apply_latency; }
  bool input_ready(std::int64_t) const override { return phase_ != Phase::kEnd && !out_waits_; }
  bool input_needs_credit() const override { return phase_ == Phase::kElements; }
  bool slot_ready(std::int64_t) const override { return out_waits_; }
  bool finished() const override { return phase_ == Phase::kEnd && !out_waits_; }
  CommandCourse course() const override { return {}; }
  std::int64_t saturated() const override { return saturated_; }

  std::optional<Beat> take(const Beat& beat, std::int64_t) override {
    switch (phase_) {
      case Phase::kColumnScalings:
        take_words(beat, column_scalings_, operation_.columns, Phase::kRowScalings);
        return {};
      case Phase::kRowScalings:
        take_words(beat, row_scalings_, operation_.rows, Phase::kValues);
        if (phase_ == Phase::kValues) begin_group();
        return {};
      case Phase::kValues:
        for (int c = 0; c < width_; ++c)
          values_[static_cast<std::size_t>(std::int64_t{at_} * width_ + c)] =
              beat_word(beat, c, operation_.value_bytes);
        if (++at_ == operation_.columns) begin_elements();
        return {};
      case Phase::kElements:
        return take_elements(beat);
      case Phase::kEnd:
        break;
    }
    return {};
  }

  /// A row's out, after its last K.
  Beat issue(std::int64_t) override {
    out_waits_ = false;
    return out_;
  }

 private:
  enum class Phase { kColumnScalings, kRowScalings, kValues, kElements, kEnd };

  void take_words(const Beat& beat, std::vector<std::int32_t>& words, int total, Phase next) {
    const int count = std::min(config_.lanes, total - static_cast<int>(words.size()));
    for (int k = 0; k < count; ++k) words.push_back(beat_word(beat, k, 4));
    if (static_cast<int>(words.size()) == total) phase_ = next;
  }

  void begin_group() {
    width_ = std::min(config_.value_columns, operation_.value_width - first_column_);
    at_ = 0;
    if (width_ == 0) return begin_elements();
    values_.resize(static_cast<std::size_t>(operation_.columns) * static_cast<std::size_t>(width_));
    phase_ = Phase::kValues;
  }

  void begin_elements() {
    phase_ = Phase::kElements;
    row_ = at_ = 0;
    sums_.assign(static_cast<std::size_t>(width_), 0);
  }

  bool gives_kernel() const { return operation_.kernel_wanted && first_column_ == 0; }

  std::optional<Beat> take_elements(const Beat& beat) {
    const int count = std::min(config_.lanes, operation_.columns - at_);
    Beat kernel;
    for (int k = 0; k < count; ++k, ++at_) {
      const std::int64_t word = kernel_word(beat_word(beat, k, operation_.element_bytes));
      append_word(kernel, static_cast<std::int32_t>(word));
      for (int c = 0; c < width_; ++c)
        sums_[static_cast<std::size_t>(c)] +=
            word * values_[static_cast<std::size_t>(std::int64_t{at_} * width_ + c)];
    }
    std::optional<Beat> slot;
    if (gives_kernel()) slot = kernel;
    if (at_ < operation_.columns) return slot;
    if (width_ > 0) {
      out_ = round_row();
      out_waits_ = slot.has_value();
      if (!slot) slot = out_;
    }
    end_row();
    return slot;
  }

  std::int64_t kernel_word(std::int32_t element) {
    const bool visible = !operation_.causal || at_ <= operation_.first_row + row_;
    if (!visible) return 0;
    if (operation_.from == SinkhornSource::kKernel) return element;
    std::int64_t counted_by_scale = 0;
    std::int64_t counted_before = 0;
    const std::int64_t logit = sinkhorn_logit(element, operation_.factor, counted_by_scale);
    const std::int64_t x =
        logit * (1 << (model::kLogFractionBits - operation_.logit_fraction_bits)) +
        row_scalings_[static_cast<std::size_t>(row_)] +
        column_scalings_[static_cast<std::size_t>(at_)];
    return model::power_code(x, model::kKernelFractionBits,
                             first_column_ == 0 ? saturated_ : counted_before);
  }

  Beat round_row() {
    Beat out;
    for (std::int64_t& sum : sums_) {
      const std::int64_t rounded =
          model::round_shift(sum, model::kKernelFractionBits - model::kSinkhornOutputFractionBits);
      const std::int64_t word = model::saturate(rounded, 32);
      saturated_ += word != rounded ? 1 : 0;
      append_word(out, static_cast<std::int32_t>(word));
      sum = 0;
    }
    return out;
  }

  void end_row() {
    at_ = 0;
    if (++row_ < operation_.rows) return;
    first_column_ += width_;
    if (first_column_ < operation_.value_width)
      begin_group();
    else
      phase_ = Phase::kEnd;
  }

  SinkhornConfig config_;
  SinkhornApply operation_;
  Phase phase_ = Phase::kEnd;
  std::vector<std::int32_t> column_scalings_;
  std::vector<std::int32_t> row_scalings_;
  std::vector<std::int32_t> values_;  ///< The V buffer: [column][value column].
  std::vector<std::int64_t> sums_;
  int first_column_ = 0;  ///< The group's first column of V.
  int width_ = 0;
  int row_ = 0;
  int at_ = 0;  ///< Row of V, or element of the row.
  Beat out_;
  bool out_waits_ = false;
  std::int64_t saturated_ = 0;
};

}  // namespace

std::unique_ptr<SinkhornCommandBody> make_apply_body(const SinkhornConfig& config,
                                                     const SinkhornApply& operation) {
  return std::make_unique<ApplyBody>(config, operation);
}

}  // namespace quadrille::hw
