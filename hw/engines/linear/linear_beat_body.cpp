// The linear-attention engine beat by beat. What a beat computes is computed when
// it is accepted; behind that is one pipeline that never stalls. Only acceptance
// waits: for the merged state, for the output beats of the query before, and for
// credits.
#include <algorithm>
#include <array>
#include <cstring>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "hw/engines/credit_pipeline.h"
#include "hw/engines/linear/linear_engine.h"
#include "hw/engines/linear/linear_piece.h"
#include "hw/engines/linear/linear_rows.h"
#include "model/errors.h"

namespace quadrille::hw {
namespace {

using Sums = std::vector<std::int64_t>;

class LinearBeatBody final : public BeatEngine<LinearAttend> {
 public:
  LinearBeatBody(const LinearConfig& config, Activity* values)
      : config_(config),
        values_(values),
        pipeline_(kLinearTiming.query_latency, kLinearTiming.output_fifo) {
    check(config);
  }

  bool command_ready() const override { return phase_ == Phase::kIdle; }
  bool input_ready() const override {
    switch (phase_) {
      case Phase::kIdle:
      case Phase::kDrain:
        return false;
      case Phase::kQueries:
        return state_merged() && (!last_of_row() || slots_free());
      default:
        return true;
    }
  }
  bool output_valid() const override { return pipeline_.valid(); }
  const Beat& output() const override { return pipeline_.front(); }

  void tick(const BeatInputs<LinearAttend>& inputs) override {
    const bool starts = inputs.command != nullptr && command_ready();
    const bool takes_input = inputs.input != nullptr && input_ready();
    const bool gives_output = inputs.output_ready && output_valid();
    launch_slot();
    if (takes_input) accept(*inputs.input);
    if (gives_output) pipeline_.take();
    const bool settled = cycle_ + 1 >= settled_at_;
    if (phase_ == Phase::kDrain && slots_.empty() && pipeline_.empty() && settled)
      phase_ = Phase::kIdle;
    if (starts) start(*inputs.command);
    pipeline_.advance();
    ++cycle_;
  }

 private:
  enum class Phase { kIdle, kTables, kPositions, kKeys, kValues, kWindow, kQueries, kDrain };

  // ------------------------------------------------------------ order of beats

  bool state_merged() const { return cycle_ >= merged_at_; }
  /// A query needs the slot issuer and all of its credits.
  bool slots_free() const {
    return slots_.empty() &&
           pipeline_.credits() >= static_cast<std::size_t>(linear_query_slots(config_, op_));
  }

  void start(const LinearAttend& operation) {
    check(config_, operation);
    sequence_.follow(operation);
    op_ = operation;
    if (op_.reset) reset();
    chunk_index_ = 0;
    row_ = column_ = 0;
    phase_ = Phase::kTables;
    if (linear_load_beats(config_, op_) == 0) begin_chunk();
  }

  /// Elements of a row in this phase.
  int row_width() const {
    switch (phase_) {
      case Phase::kTables:
        return 256;
      case Phase::kValues:
      case Phase::kWindow:
        return op_.value_width;
      default:
        return op_.width;
    }
  }
  int row_lanes() const {
    return op_.kind == LinearKind::kDamf ? row_width()
                                         : std::min(config_.lanes, row_width() - column_);
  }
  bool last_of_row() const { return column_ + row_lanes() >= row_width(); }

  int phase_rows() const {
    switch (phase_) {
      case Phase::kTables:
        return 3;
      case Phase::kPositions:
        return 2 * op_.horizon + 1;
      case Phase::kKeys:
      case Phase::kValues:
        return chunk_.keys;
      case Phase::kWindow:
        return linear_new_window_rows(op_, chunk_.first + query_);
      default:
        return 1;  // Queries: each is a phase of its own.
    }
  }

  void accept(const Beat& beat) {
    take(beat);
    if (!last_of_row()) {
      column_ += row_lanes();
      return;
    }
    column_ = 0;
    if (++row_ < phase_rows()) return;
    row_ = 0;
    next_phase();
  }

  void next_phase() {
    switch (phase_) {
      case Phase::kTables:
        phase_ = Phase::kPositions;
        if (op_.horizon < 0) begin_chunk();
        break;
      case Phase::kPositions:
        begin_chunk();
        break;
      case Phase::kKeys:
        phase_ = Phase::kValues;
        break;
      case Phase::kValues:
        begin_query();
        break;
      case Phase::kWindow:
        phase_ = Phase::kQueries;
        break;
      case Phase::kQueries:
        ++query_;
        begin_query();
        break;
      case Phase::kIdle:
      case Phase::kDrain:
        break;
    }
  }

  void begin_chunk() {
    if (chunk_index_ == linear_chunks(config_, op_)) {
      phase_ = Phase::kDrain;
      return;
    }
    chunk_ = linear_chunk(config_, op_, chunk_index_);
    query_ = 0;
    phase_ = Phase::kKeys;
    if (chunk_.keys == 0) begin_query();
  }

  void begin_query() {
    if (query_ == chunk_.queries) {
      end_chunk();
      return;
    }
    std::fill(readout_.begin(), readout_.end(), 0);
    std::fill(scores_.begin(), scores_.end(), 0);
    std::fill(weights_.begin(), weights_.end(), 0);
    const bool window = linear_streams_window(op_);
    phase_ = window && linear_new_window_rows(op_, chunk_.first + query_) > 0 ? Phase::kWindow
                                                                              : Phase::kQueries;
  }

  void end_chunk() {
    if (chunk_.keys > 0) {
      for (std::size_t i = 0; i < state_.size(); ++i) state_[i] += aside_[i];
      std::fill(aside_.begin(), aside_.end(), 0);
      // The merge begins behind the last query, and behind the last outer
      // product.
      const std::int64_t last =
          std::max(cycle_, array_free_at_ - 1) + linear_row_beats(config_, op_);
      merged_at_ = last + kLinearTiming.merge_latency;
      settled_at_ = last + kLinearTiming.end_latency;
    }
    ++chunk_index_;
    begin_chunk();
  }

  // ------------------------------------------------------------ beats

  void take(const Beat& beat) {
    switch (phase_) {
      case Phase::kTables:
        std::copy_n(beat.bytes.begin(), row_lanes(),
                    tables_[static_cast<std::size_t>(row_)].begin() + column_);
        break;
      case Phase::kPositions:
        for (int lane = 0; lane < row_lanes(); ++lane)
          positions_[cell(row_, column_ + lane, op_.width)] = phi(2, beat, lane);
        break;
      case Phase::kKeys:
        key(beat);
        break;
      case Phase::kValues:
        value(beat);
        break;
      case Phase::kWindow:
        hold(beat, streamed_rows_++);
        break;
      case Phase::kQueries:
        query(beat);
        break;
      case Phase::kIdle:
      case Phase::kDrain:
        break;
    }
  }

  static int element(const Beat& beat, int lane) {
    return static_cast<std::int8_t>(beat.bytes[static_cast<std::size_t>(lane)]);
  }
  std::int64_t phi(std::size_t table, const Beat& beat, int lane) const {
    return tables_[table][cell(element(beat, lane) + 128, 0, 1)];
  }

  // The state has a column for z, of keys alone, behind those of V.
  int state_columns() const { return op_.value_width + 1; }

  void reset() {
    const int width = op_.width;
    state_.assign(cell(width, 0, state_columns()), 0);
    aside_ = state_;
    keys_.assign(cell(config_.chunk_tokens, 0, width), 0);
    scores_.assign(static_cast<std::size_t>(config_.chunk_tokens), 0);
    readout_.assign(static_cast<std::size_t>(state_columns()), 0);
    positions_.assign(cell(2 * std::max(op_.horizon, 0) + 1, 0, width), 0);
    weights_.assign(cell(2 * std::max(op_.horizon, 0) + 1, 0, 1), 0);
    ring_.assign(cell(linear_ring_rows(config_), 0, op_.value_width), 0);
    before_.assign(static_cast<std::size_t>(op_.value_width), 0);
    streamed_ = total_ = before_;
    streamed_rows_ = 0;
    damf_.emplace(linear_damf_settings(op_));
  }

  void key(const Beat& beat) {
    std::array<std::int64_t, Beat::kBytes> codes{};
    if (op_.kind == LinearKind::kDamf) {
      damf_->load(element(beat, 0), element(beat, 1));
      codes[0] = 1;
      codes[1] = element(beat, 1);
    } else {
      for (int lane = 0; lane < row_lanes(); ++lane)
        codes[static_cast<std::size_t>(lane)] = phi(1, beat, lane);
    }
    for (int lane = 0; lane < row_lanes(); ++lane) {
      const std::int64_t code = codes[static_cast<std::size_t>(lane)];
      keys_[cell(row_, column_ + lane, op_.width)] = code;
      aside_[cell(column_ + lane, op_.value_width, state_columns())] += code;
    }
  }

  std::int64_t* ring_row(int position) {
    return &ring_[cell(position % linear_ring_rows(config_), 0, op_.value_width)];
  }
  /// A row of V joins the ring.
  void hold(const Beat& beat, int position) {
    std::int64_t* row = ring_row(position);
    for (int c = 0; c < op_.value_width; ++c) {
      row[c] = element(beat, c);
      streamed_[static_cast<std::size_t>(c)] += row[c];
    }
  }

  void value(const Beat& beat) {
    if (op_.causal) hold(beat, op_.first_position + chunk_.first + row_);
    for (int c = 0; c < op_.value_width; ++c) {
      const std::int64_t code = element(beat, c);
      total_[static_cast<std::size_t>(c)] += code;
      for (int l = 0; l < op_.width; ++l)
        aside_[cell(l, c, state_columns())] += keys_[cell(row_, l, op_.width)] * code;
    }
    array_free_at_ = std::max(array_free_at_, cycle_) + linear_row_beats(config_, op_);
  }

  void query(const Beat& beat) {
    std::array<std::int64_t, Beat::kBytes> codes{};
    if (op_.kind == LinearKind::kDamf) {
      const DamfRow row = damf_->next(element(beat, 0), element(beat, 1));
      if (values_ != nullptr) values_->uniform_rows += row.uniform ? 1 : 0;
      const LinearDamfQuery pair(row);
      codes[0] = pair.a_max;
      codes[1] = pair.s;
    } else {
      for (int lane = 0; lane < row_lanes(); ++lane)
        codes[static_cast<std::size_t>(lane)] = phi(0, beat, lane);
    }
    for (int lane = 0; lane < row_lanes(); ++lane) {
      const std::int64_t code = codes[static_cast<std::size_t>(lane)];
      const int l = column_ + lane;
      for (int c = 0; c < state_columns(); ++c)
        readout_[static_cast<std::size_t>(c)] += code * state_[cell(l, c, state_columns())];
      for (int j = 0; op_.causal && j < chunk_.keys; ++j)
        scores_[static_cast<std::size_t>(j)] += code * keys_[cell(j, l, op_.width)];
      for (int r = 0; r < linear_weights(op_); ++r)
        weights_[static_cast<std::size_t>(r)] += code * positions_[cell(r, l, op_.width)];
    }
    if (last_of_row()) finish_query();
  }

  // ------------------------------------------------------------ one query

  void add_row(std::int64_t weight, const std::int64_t* row, std::int64_t count = 1) {
    for (int c = 0; c < op_.value_width; ++c)
      readout_[static_cast<std::size_t>(c)] += weight * row[c];
    readout_.back() += weight * count;
  }

  void finish_query() {
    const int position = op_.first_position + chunk_.first + query_;
    if (op_.causal) {
      // Keys of the chunk up to the query's own position.
      for (int j = 0; j < std::min(chunk_.keys, query_ + 1); ++j)
        add_row(scores_[static_cast<std::size_t>(j)],
                ring_row(op_.first_position + chunk_.first + j));
    }
    if (op_.horizon >= 0) add_relative(position);
    issue(LinearDivision(readout_.back()));
  }

  void add_relative(int position) {
    const int k = op_.horizon;
    const int keys = op_.total_keys;
    if (k == 0 && !op_.causal) {
      add_row(weights_[0], total_.data(), keys);
      return;
    }
    // The row that leaves the window joins the sum before it.
    if (const int leaving = position - k; leaving >= 0 && leaving < keys) {
      const std::int64_t* row = ring_row(leaving);
      for (std::size_t c = 0; c < before_.size(); ++c) before_[c] += row[c];
    }
    add_row(weights_[0], before_.data(), std::clamp(position - k + 1, 0, keys));
    const int visible = op_.causal ? std::min(position + 1, keys) : keys;
    for (int key = std::max(position - k + 1, 0); key < std::min(position + k, visible); ++key)
      add_row(weights_[static_cast<std::size_t>(std::int64_t{key} - position + k)], ring_row(key));
    if (op_.causal) return;
    Sums after = total_;
    for (std::size_t c = 0; c < after.size(); ++c) after[c] -= streamed_[c];
    add_row(weights_[2 * static_cast<std::size_t>(k)], after.data(), keys - streamed_rows_);
  }

  void issue(const LinearDivision& division) {
    Beat out;
    out.size = 4 * op_.value_width;
    std::int64_t saturated = 0;
    for (int c = 0; c < op_.value_width; ++c) {
      const std::int32_t code = division.apply(readout_[static_cast<std::size_t>(c)], saturated);
      std::memcpy(&out.bytes[4 * static_cast<std::size_t>(c)], &code, 4);
    }
    if (values_ != nullptr) values_->saturated += saturated;
    slots_.push_back(out);
    if (op_.sums_wanted) {
      for (int c = 0; c < op_.value_width; c += linear_numerator_columns(config_))
        slots_.push_back(
            sums_beat(c, std::min(linear_numerator_columns(config_), op_.value_width - c)));
      slots_.push_back(sums_beat(op_.value_width, 1));
    }
    launch_slot();
  }

  Beat sums_beat(int first, int count) const {
    Beat beat;
    beat.size = 8 * count;
    std::memcpy(beat.bytes.data(), &readout_[static_cast<std::size_t>(first)],
                static_cast<std::size_t>(beat.size));
    return beat;
  }

  void launch_slot() {
    if (slots_.empty()) return;
    pipeline_.launch(slots_.front());
    slots_.pop_front();
  }

  LinearConfig config_;
  Activity* values_;
  CreditPipeline<Beat> pipeline_;
  std::deque<Beat> slots_;  ///< Output beats of the query that issues them now.
  std::int64_t cycle_ = 0;

  // The command and where its input stands.
  LinearAttend op_;
  Phase phase_ = Phase::kIdle;
  LinearChunk chunk_;
  int chunk_index_ = 0;
  int query_ = 0;                   ///< The query's place in the chunk.
  int row_ = 0;                     ///< The row's place in the phase.
  int column_ = 0;                  ///< First element of the next beat.
  std::int64_t merged_at_ = 0;      ///< The state may be read from this cycle on.
  std::int64_t settled_at_ = 0;     ///< The command may end from this cycle on.
  std::int64_t array_free_at_ = 0;  ///< The outer products take row_beats cycles a token.

  // Over the commands of a sequence.
  LinearSequence sequence_;
  std::array<model::PhiTable, 3> tables_{};  ///< phi of Q, K and RP.
  Sums positions_;                           ///< phi(RP)
  Sums state_;                               ///< S, and z as last column.
  std::optional<DamfRows> damf_;
  Sums ring_;              ///< Rows of V by position.
  Sums before_;            ///< Sum of the rows before the window.
  Sums streamed_;          ///< Sum of the rows that came into the ring.
  Sums total_;             ///< Sum of all rows.
  int streamed_rows_ = 0;  ///< Stays 0 when causal.

  // These belong to a chunk and to a query.
  Sums aside_;  ///< The chunk's share of the state.
  Sums keys_;   ///< phi(K) of the chunk.
  Sums scores_;
  Sums weights_;
  Sums readout_;  ///< Numerator, and the denominator as last column.
};

}  // namespace

std::unique_ptr<BeatEngine<LinearAttend>> make_linear_beat_body(const LinearConfig& config,
                                                                Activity* values) {
  return std::make_unique<LinearBeatBody>(config, values);
}

}  // namespace quadrille::hw
