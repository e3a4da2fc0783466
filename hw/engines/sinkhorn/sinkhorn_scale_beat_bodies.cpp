// SinkhornScale beat by beat. How long the banks and the log units are busy
// follows from shapes, so a sweep is a timer; its data are computed when the
// timer is set.
#include <algorithm>
#include <array>
#include <vector>

#include "hw/engines/sinkhorn/sinkhorn_block.h"
#include "hw/engines/sinkhorn/sinkhorn_command_body.h"
#include "hw/engines/sinkhorn/sinkhorn_layout.h"
#include "hw/engines/sinkhorn/sinkhorn_line_sums.h"
#include "model/numerics/integers.h"
#include "model/numerics/logarithm.h"

namespace quadrille::hw {
namespace {

constexpr SinkhornTiming kTiming = kSinkhornTiming;
using model::SinkhornForm;

/// Output slots of a block, one section after the other.
class OutputWalk {
 public:
  struct Section {
    enum Kind { kRows, kColumns, kCounts, kKernel } kind;
    SinkhornCut cut;
    std::int64_t total;
    int each;  ///< Words per matrix; not of kKernel.
  };

  OutputWalk(const SinkhornConfig& config, const SinkhornScale& operation, int matrices) {
    const auto add_words = [&](Section::Kind kind, int each) {
      sections_.push_back(
          {kind, sinkhorn_word_cut(config, operation, each), std::int64_t{each} * matrices, each});
    };
    if (operation.form != SinkhornForm::kMatrix) {
      add_words(Section::kRows, operation.rows);
      add_words(Section::kColumns, operation.columns);
    }
    add_words(Section::kCounts, 1);
    if (operation.kernel_wanted)
      sections_.push_back({Section::kKernel, sinkhorn_kernel_cut(config, operation, matrices),
                           std::int64_t{matrices} * operation.rows * operation.columns, 0});
  }

  bool done() const { return section_ == sections_.size(); }
  Section::Kind kind() const { return sections_[section_].kind; }
  std::int64_t position() const { return position_; }
  int size() const { return sections_[section_].cut.size(position_, sections_[section_].total); }
  /// Cycles of the bank port that the slot needs.
  int cycles(const SinkhornLayout& layout) const {
    return kind() == Section::kKernel
               ? layout.beat_cycles(position_, size())
               : layout.word_cycles(position_, size(), sections_[section_].each);
  }
  void advance() {
    position_ += size();
    if (position_ < sections_[section_].total) return;
    position_ = 0;
    ++section_;
  }

 private:
  std::vector<Section> sections_;
  std::size_t section_ = 0;
  std::int64_t position_ = 0;
};

/// Starting scalings of a block as they come in: rows', then columns'.
class WarmWalk {
 public:
  WarmWalk(const SinkhornConfig& config, const SinkhornScale& operation, int matrices)
      : row_cut_(sinkhorn_word_cut(config, operation, operation.rows)),
        column_cut_(sinkhorn_word_cut(config, operation, operation.columns)),
        row_words_(operation.rows),
        column_words_(operation.columns),
        rows_(operation.warm ? std::int64_t{operation.rows} * matrices : 0),
        columns_(operation.warm ? std::int64_t{operation.columns} * matrices : 0) {}

  bool done() const { return position_ == rows_ + columns_; }
  SinkhornSide side() const {
    return position_ < rows_ ? SinkhornSide::kRows : SinkhornSide::kColumns;
  }
  std::int64_t position() const { return position_ < rows_ ? position_ : position_ - rows_; }
  int size() const {
    return position_ < rows_ ? row_cut_.size(position(), rows_)
                             : column_cut_.size(position(), columns_);
  }
  int each() const { return position_ < rows_ ? row_words_ : column_words_; }
  void advance() { position_ += size(); }
  void restart() { position_ = 0; }

 private:
  SinkhornCut row_cut_;
  SinkhornCut column_cut_;
  int row_words_;
  int column_words_;
  std::int64_t rows_;
  std::int64_t columns_;
  std::int64_t position_ = 0;
};

// --- resident -------------------------------------------------------------------

class ResidentBody final : public SinkhornCommandBody {
 public:
  ResidentBody(const SinkhornConfig& config, const SinkhornScale& operation, std::int64_t cycle)
      : config_(config), operation_(operation) {
    open_block(cycle);
  }

  int latency() const override { return sinkhorn_output_latency(operation_); }
  bool input_ready(std::int64_t cycle) const override { return loading_ && cycle >= free_at_; }
  bool slot_ready(std::int64_t cycle) const override {
    return !loading_ && !finished() && cycle >= slot_at_;
  }
  bool finished() const override { return first_ >= operation_.batch; }
  CommandCourse course() const override { return course_; }
  std::int64_t saturated() const override { return saturated_; }

  std::optional<Beat> take(const Beat& beat, std::int64_t cycle) override {
    if (!warm_->done()) {
      for (int k = 0; k < warm_->size(); ++k)
        block_->set_scaling(warm_->side(), warm_->position() + k, beat_word(beat, k, 4));
      free_at_ = cycle + layout_->word_cycles(warm_->position(), warm_->size(), warm_->each());
      warm_->advance();
      return {};
    }
    const int size = cut_.size(position_, layout_->elements());
    free_at_ = cycle + layout_->beat_cycles(position_, size);
    for (int k = 0; k < size; ++k, ++position_) {
      std::int64_t masked = 0;
      const std::int32_t code = beat_word(beat, k, operation_.element_bytes);
      block_->set_logit(position_, sinkhorn_logit(code, operation_.factor,
                                                  hidden(position_) ? masked : saturated_));
    }
    if (position_ == layout_->elements()) sweep_all();
    return {};
  }

  Beat issue(std::int64_t cycle) override {
    Beat slot;
    using Section = OutputWalk::Section;
    for (int k = 0; k < output_->size(); ++k) {
      const std::int64_t at = output_->position() + k;
      switch (output_->kind()) {
        case Section::kRows:
          append_word(slot, block_->scaling(SinkhornSide::kRows, at));
          break;
        case Section::kColumns:
          append_word(slot, block_->scaling(SinkhornSide::kColumns, at));
          break;
        case Section::kCounts:
          append_word(slot, block_->progress().half_steps(static_cast<int>(at)));
          break;
        case Section::kKernel:
          append_word(slot, block_->kernel(at, saturated_));
          break;
      }
    }
    output_->advance();
    if (output_->done())
      close_block(cycle + 1);
    else
      slot_at_ = cycle + output_->cycles(*layout_);
    return slot;
  }

 private:
  void open_block(std::int64_t cycle) {
    const int matrices = std::min(
        operation_.batch - first_,
        sinkhorn_block_matrices(config_, operation_.rows, operation_.columns, operation_.form));
    layout_.emplace(config_, operation_.rows, operation_.columns, matrices);
    block_ = make_sinkhorn_block(operation_, matrices);
    warm_.emplace(config_, operation_, matrices);
    output_.emplace(config_, operation_, matrices);
    cut_ = sinkhorn_element_cut(config_, operation_, matrices);
    position_ = 0;
    free_at_ = cycle;
    loading_ = true;
  }

  // The block is in the banks from free_at_ on.
  void sweep_all() {
    loading_ = false;
    std::int64_t at =
        free_at_ + kTiming.load_latency + sinkhorn_conversion_cycles(operation_, *layout_).cycles;
    block_->loaded();
    const std::int64_t rows =
        sinkhorn_sweep_cycles(operation_, *layout_, SinkhornSide::kRows).cycles;
    const std::int64_t columns =
        sinkhorn_sweep_cycles(operation_, *layout_, SinkhornSide::kColumns).cycles;
    while (!block_->progress().done()) {
      at += block_->progress().sums(SinkhornSide::kRows) ? rows : 0;
      at += block_->progress().sums(SinkhornSide::kColumns) ? columns : 0;
      block_->sweep();
    }
    slot_at_ = at + output_->cycles(*layout_) - 1;
  }

  void close_block(std::int64_t cycle) {
    block_->progress().join(course_);
    saturated_ += block_->saturated();
    first_ += layout_->matrices();
    if (!finished()) open_block(cycle);
  }

  bool hidden(std::int64_t position) const {
    return operation_.causal &&
           position % operation_.columns > position / operation_.columns % operation_.rows;
  }

  SinkhornConfig config_;
  SinkhornScale operation_;
  int first_ = 0;  ///< Matrix of the batch.
  std::optional<SinkhornLayout> layout_;
  std::unique_ptr<SinkhornBlock> block_;
  std::optional<WarmWalk> warm_;
  std::optional<OutputWalk> output_;
  SinkhornCut cut_;
  std::int64_t position_ = 0;
  bool loading_ = false;
  std::int64_t free_at_ = 0;  ///< The banks take another beat.
  std::int64_t slot_at_ = 0;  ///< The next slot has been read.
  CommandCourse course_;
  std::int64_t saturated_ = 0;
};

// --- streamed -------------------------------------------------------------------

/// One side of the matrix in the scaling memories.
struct StreamedSide {
  std::vector<std::int32_t> scalings;
  std::vector<std::int32_t> next;
  std::int64_t target = 0;
  std::int32_t residual = 0;
  std::int64_t clamped = 0;
};

class StreamedBody final : public SinkhornCommandBody {
 public:
  StreamedBody(const SinkhornConfig& config, const SinkhornScale& operation, std::int64_t cycle)
      : config_(config),
        operation_(operation),
        chunks_(sinkhorn_chunks(config, operation)),
        progress_(operation, 1),
        warm_(config, operation, 1),
        output_(config, operation, 1),
        pass_at_(cycle) {
    rows_.scalings.resize(static_cast<std::size_t>(operation.rows));
    rows_.next.resize(rows_.scalings.size());
    columns_.scalings.resize(static_cast<std::size_t>(operation.columns));
    columns_.next.resize(columns_.scalings.size());
    columns_.target = operation.column_target;
    begin_pass();
  }

  int latency() const override { return kTiming.output_latency; }
  bool input_ready(std::int64_t cycle) const override {
    return !ended_ && cycle >= std::max(load_at_, free_at_[chunk_ % 2]);
  }
  /// It holds from the end of a sweep to the first beat of the next.
  bool repeat_input(std::int64_t cycle) const override {
    return !ended_ && progress_.sweeps() > 0 && untouched_ && cycle >= pass_at_;
  }
  bool slot_ready(std::int64_t cycle) const override {
    return ended_ && !output_.done() && cycle >= pass_at_;
  }
  bool finished() const override { return ended_ && output_.done(); }
  std::int64_t saturated() const override { return saturated_; }
  CommandCourse course() const override {
    CommandCourse course;
    progress_.join(course);
    course.input_passes = progress_.sweeps();
    return course;
  }

  std::optional<Beat> take(const Beat& beat, std::int64_t cycle) override {
    untouched_ = false;
    load_at_ = cycle + 1;
    if (!warm_.done()) {
      if (progress_.sweeps() == 0) {
        StreamedSide& side = warm_.side() == SinkhornSide::kRows ? rows_ : columns_;
        for (int k = 0; k < warm_.size(); ++k)
          side.scalings[static_cast<std::size_t>(warm_.position() + k)] = beat_word(beat, k, 4);
      }
      warm_.advance();
      return {};
    }
    store(beat, cycle);
    return {};
  }

  Beat issue(std::int64_t) override {
    Beat slot;
    for (int k = 0; k < output_.size(); ++k) {
      const auto at = static_cast<std::size_t>(output_.position() + k);
      if (output_.kind() == OutputWalk::Section::kCounts)
        append_word(slot, progress_.half_steps(0));
      else
        append_word(slot, output_.kind() == OutputWalk::Section::kRows ? rows_.scalings[at]
                                                                       : columns_.scalings[at]);
    }
    output_.advance();
    return slot;
  }

 private:
  void begin_pass() {
    sum_rows_ = progress_.sums(SinkhornSide::kRows);
    sum_columns_ = progress_.sums(SinkhornSide::kColumns);
    for (StreamedSide* side : {&rows_, &columns_}) {
      side->residual = 0;
      side->clamped = 0;
    }
    column_sums_.clear(columns_.scalings.size());
    warm_.restart();
    chunk_ = 0;
    position_ = 0;
    load_at_ = summed_at_ = drained_at_ = pass_at_;
    free_at_ = {pass_at_, pass_at_};
    untouched_ = true;
  }

  /// A beat into the half of the tile memory that fills.
  void store(const Beat& beat, std::int64_t cycle) {
    const SinkhornChunk& chunk = chunks_[chunk_];
    const SinkhornLayout layout(config_, chunk.rows, chunk.columns, 1);
    if (position_ == 0) {
      logits_.assign(static_cast<std::size_t>(layout.elements()), 0);
      if (chunk.column == 0) row_sums_.clear(static_cast<std::size_t>(chunk.rows));
    }
    const int size = SinkhornCut{chunk.columns, config_.lanes}.size(position_, layout.elements());
    load_at_ = cycle + layout.beat_cycles(position_, size);
    for (int k = 0; k < size; ++k, ++position_) {
      const std::int64_t row = chunk.row + position_ / chunk.columns;
      const std::int64_t column = chunk.column + position_ % chunk.columns;
      const bool counts = progress_.sweeps() == 0 && (!operation_.causal || column <= row);
      std::int64_t not_again = 0;
      logits_[static_cast<std::size_t>(position_)] = static_cast<std::int16_t>(
          sinkhorn_logit(beat_word(beat, k, operation_.element_bytes), operation_.factor,
                         counts ? saturated_ : not_again));
    }
    if (position_ == layout.elements()) sum_chunk(chunk, layout);
  }

  void sum_chunk(const SinkhornChunk& chunk, const SinkhornLayout& layout) {
    summed_at_ = std::max(load_at_ + kTiming.load_latency, summed_at_);
    if (sum_rows_) {
      add_to_rows(chunk);
      summed_at_ += layout.pass(SinkhornSide::kRows).cycles;
      if (chunk.ends_rows) {
        summed_at_ = std::max(summed_at_, drained_at_);
        drained_at_ = summed_at_ + model::ceil_div(chunk.rows, config_.log_units);
        solve(row_sums_, chunk.rows, chunk.row, rows_);
      }
    }
    if (sum_columns_) {
      add_to_columns(chunk);
      summed_at_ += layout.pass(SinkhornSide::kColumns).cycles;
    }
    free_at_[chunk_ % 2] = summed_at_;
    position_ = 0;
    if (++chunk_ == chunks_.size()) end_pass();
  }

  /// Lane r owns row r of the chunk; one column per step.
  void add_to_rows(const SinkhornChunk& chunk) {
    std::vector<std::int16_t> step(static_cast<std::size_t>(chunk.rows));
    for (int c = 0; c < chunk.columns; ++c) {
      const int first =
          operation_.causal ? std::clamp(chunk.column + c - chunk.row, 0, chunk.rows) : 0;
      for (int r = first; r < chunk.rows; ++r)
        step[static_cast<std::size_t>(r)] =
            logits_[static_cast<std::size_t>(r) * static_cast<std::size_t>(chunk.columns) +
                    static_cast<std::size_t>(c)];
      const auto line = static_cast<std::size_t>(first);
      add_terms(row_sums_, line, step.data() + first, step.size() - line, left(),
                &columns_.scalings[static_cast<std::size_t>(std::int64_t{chunk.column} + c)], 1);
    }
  }

  void add_to_columns(const SinkhornChunk& chunk) {
    for (int r = 0; r < chunk.rows; ++r) {
      const int end = operation_.causal
                          ? std::clamp(chunk.row + r + 1 - chunk.column, 0, chunk.columns)
                          : chunk.columns;
      add_terms(column_sums_, static_cast<std::size_t>(chunk.column),
                &logits_[static_cast<std::size_t>(r) * static_cast<std::size_t>(chunk.columns)],
                static_cast<std::size_t>(end), left(),
                &rows_.scalings[static_cast<std::size_t>(std::int64_t{chunk.row} + r)], 1);
    }
  }

  /// `count` sums through the log units, into the lines from `first` on.
  void solve(const LogSums& sums, int count, int first, StreamedSide& side) {
    const bool damped = operation_.update == model::SinkhornUpdate::kDamped;
    for (int k = 0; k < count; ++k) {
      const auto line = static_cast<std::size_t>(std::int64_t{first} + k);
      side.next[line] = side.scalings[line];
      if (sums.sums[static_cast<std::size_t>(k)] == 0) continue;  // Sees nothing.
      const SolvedLine solved = solve_line(sums.logarithm(static_cast<std::size_t>(k)), side.target,
                                           side.scalings[line], damped);
      side.next[line] = solved.scaling;
      side.residual = std::max(side.residual, solved.residual);
      side.clamped += solved.saturated ? 1 : 0;
    }
  }

  void end_pass() {
    if (sum_columns_) {
      drained_at_ = sinkhorn_fold_end(config_, operation_, summed_at_, drained_at_);
      solve(column_sums_, operation_.columns, 0, columns_);
    }
    progress_.begin();
    if (progress_.measured(0, {rows_.residual, columns_.residual})) {
      if (sum_rows_) rows_.scalings = rows_.next;
      if (sum_columns_) columns_.scalings = columns_.next;
      saturated_ += rows_.clamped + columns_.clamped;
    }
    pass_at_ = drained_at_ + kTiming.sweep_latency;
    ended_ = progress_.done();
    if (!ended_) begin_pass();
  }

  int left() const { return model::kLogFractionBits - operation_.logit_fraction_bits; }

  SinkhornConfig config_;
  SinkhornScale operation_;
  std::vector<SinkhornChunk> chunks_;
  SinkhornProgress progress_;
  WarmWalk warm_;
  OutputWalk output_;
  StreamedSide rows_;
  StreamedSide columns_;
  std::vector<std::int16_t> logits_;  ///< The chunk that fills.
  LogSums row_sums_;                  ///< Its rows' sums.
  LogSums column_sums_;               ///< The sums of all columns.
  bool sum_rows_ = false;
  bool sum_columns_ = false;
  std::size_t chunk_ = 0;
  std::int64_t position_ = 0;
  std::int64_t pass_at_ = 0;                      ///< The pass (or the output) begins.
  std::int64_t load_at_ = 0;                      ///< The banks take another beat.
  std::int64_t summed_at_ = 0;                    ///< The steps so far end.
  std::int64_t drained_at_ = 0;                   ///< The log units are free.
  std::array<std::int64_t, 2> free_at_ = {0, 0};  ///< Halves of the tile memory.
  bool untouched_ = false;                        ///< No beat of the pass was taken.
  bool ended_ = false;
  std::int64_t saturated_ = 0;
};

}  // namespace

std::unique_ptr<SinkhornCommandBody> make_resident_body(const SinkhornConfig& config,
                                                        const SinkhornScale& operation,
                                                        std::int64_t cycle) {
  return std::make_unique<ResidentBody>(config, operation, cycle);
}

std::unique_ptr<SinkhornCommandBody> make_streamed_body(const SinkhornConfig& config,
                                                        const SinkhornScale& operation,
                                                        std::int64_t cycle) {
  return std::make_unique<StreamedBody>(config, operation, cycle);
}

}  // namespace quadrille::hw
