// The DAMF engine cycle by cycle. Its pipelines never stall: a micro-operation
// leaves a fixed number of cycles after it was issued, so what it computes is
// computed at issue and stamped with the cycle in which it becomes visible.
// What can wait (issue, credits, output FIFO) is kept exactly as the RTL keeps it.
#include <algorithm>
#include <array>
#include <cstring>
#include <deque>
#include <memory>
#include <vector>

#include "hw/engines/damf/damf_engine.h"
#include "hw/engines/damf/damf_rows.h"
#include "model/errors.h"

namespace quadrille::hw {
namespace {

using model::DamfMode;

class DamfBeatBody final : public BeatEngine<DamfOperation> {
 public:
  explicit DamfBeatBody(const DamfConfig& config)
      : config_(config), credits_(DamfTiming::fifo_depth(config)) {
    if (4 * config.lanes > Beat::kBytes) {
      throw InvariantError("DAMF lanes " + std::to_string(config.lanes) +
                           ": an output beat holds at most " + std::to_string(Beat::kBytes / 4));
    }
  }

  bool command_ready() const override { return state_ == State::kIdle; }

  bool input_ready() const override {
    switch (state_) {
      case State::kU:
      case State::kV:
      case State::kPairs:
        return true;
      case State::kTokens:
        return !last_of_row() || credits_ > 0;
      case State::kArray:
        if (first_of_block() && cycle_ < prepared_cycle_) return false;
        return !last_of_row_block() || credits_ >= block_rows();
      case State::kCollapsed:
        if (attend_.settings.causal) return credits_ > 0;
        return key_ + 1 < attend_.tokens || emission_ends_now();
      case State::kIdle:
      case State::kDrain:
        return false;
    }
    return false;
  }

  bool output_valid() const override {
    return !output_.empty() && output_.front().offered <= cycle_;
  }

  const Beat& output() const override { return output_.front().beat; }

  void tick(const BeatInputs<DamfOperation>& inputs) override {
    const bool take_command = command_ready() && inputs.command != nullptr;
    const bool take_input = input_ready() && inputs.input != nullptr;
    const bool give_output = output_valid() && inputs.output_ready;
    // Emission looks at the credits of this cycle, before any are returned.
    if (emission_left_ > 0 && credits_ > 0) emit();
    if (take_input) accept(*inputs.input);
    if (give_output) {
      output_.pop_front();
      ++credits_;
    }
    if (state_ == State::kDrain && emission_left_ == 0 &&
        credits_ == DamfTiming::fifo_depth(config_)) {
      state_ = State::kIdle;
    }
    if (take_command) start(*inputs.command);
    ++cycle_;
  }

 private:
  enum class State { kIdle, kU, kV, kTokens, kPairs, kArray, kCollapsed, kDrain };

  struct Pending {
    std::int64_t offered;  ///< Earliest cycle in which the FIFO offers it.
    Beat beat;
  };

  // ------------------------------------------------------------ issue

  int width() const { return state_is_project_ ? project_.width : attend_.width; }
  int group_lanes() const { return std::min(config_.lanes, width() - column_); }
  bool last_of_row() const { return column_ + config_.lanes >= width(); }

  int block_rows() const { return std::min(config_.query_rows, attend_.tokens - block_); }
  int block_keys() const {
    return attend_.settings.causal ? block_ + block_rows() : attend_.tokens;
  }
  bool first_of_block() const { return key_ == 0 && column_ == 0; }
  bool last_of_row_block() const { return key_ + 1 == block_keys(); }
  bool emission_ends_now() const {
    return emission_left_ == 0 || (emission_left_ == 1 && credits_ > 0);
  }

  void start(const DamfOperation& operation) {
    key_ = column_ = block_ = 0;
    state_is_project_ = std::holds_alternative<DamfProject>(operation);
    if (state_is_project_) {
      project_ = std::get<DamfProject>(operation);
      check(project_);
      u_.clear();
      v_.clear();
      dot_s_ = dot_t_ = 0;
      state_ = State::kU;
    } else {
      attend_ = std::get<DamfAttend>(operation);
      check(attend_);
      rows_ = std::make_unique<DamfRows>(attend_);
      pairs_.clear();
      clear_group();
      state_ = State::kPairs;
    }
  }

  // The stream functions own the check of a command.
  template <typename Command>
  void check(const Command& command) const {
    static_cast<void>(output_stream(config_, command));
  }

  void accept(const Beat& beat) {
    switch (state_) {
      case State::kU:
        load(beat, u_, State::kV);
        break;
      case State::kV:
        load(beat, v_, State::kTokens);
        break;
      case State::kTokens:
        token(beat);
        break;
      case State::kPairs:
        pair(beat);
        break;
      case State::kArray:
        array(beat);
        break;
      case State::kCollapsed:
        collapsed(beat);
        break;
      case State::kIdle:
      case State::kDrain:
        break;
    }
  }

  static int element(const Beat& beat, int lane) {
    return static_cast<std::int8_t>(beat.bytes[static_cast<std::size_t>(lane)]);
  }

  // ------------------------------------------------------------ project

  void load(const Beat& beat, std::vector<int>& buffer, State next) {
    for (int lane = 0; lane < group_lanes(); ++lane) buffer.push_back(element(beat, lane));
    if (last_of_row()) {
      column_ = 0;
      state_ = next;
    } else {
      column_ += config_.lanes;
    }
  }

  void token(const Beat& beat) {
    for (int lane = 0; lane < group_lanes(); ++lane) {
      const auto k = static_cast<std::size_t>(column_) + static_cast<std::size_t>(lane);
      dot_s_ += std::int64_t{element(beat, lane)} * u_[k];
      dot_t_ += std::int64_t{element(beat, lane)} * v_[k];
    }
    if (!last_of_row()) {
      column_ += config_.lanes;
      return;
    }
    Beat out;
    out.size = 2;
    out.bytes[0] = static_cast<std::uint8_t>(model::requantise(dot_s_, project_.s_multiplier, 8));
    out.bytes[1] = static_cast<std::uint8_t>(model::requantise(dot_t_, project_.t_multiplier, 8));
    push(out, DamfTiming::kProjectOutput + DamfTiming::tree_stages(config_.lanes));
    dot_s_ = dot_t_ = 0;
    column_ = 0;
    if (++key_ == project_.tokens) state_ = State::kDrain;
  }

  // ------------------------------------------------------------ attend

  void pair(const Beat& beat) {
    pairs_.push_back({element(beat, 0), element(beat, 1)});
    rows_->load(pairs_.back().s, pairs_.back().t);
    if (static_cast<int>(pairs_.size()) < attend_.tokens) return;
    if (attend_.settings.mode == DamfMode::kCollapsed) {
      state_ = State::kCollapsed;
    } else {
      state_ = State::kArray;
      prepare(0, cycle_ + 1);
    }
  }

  DamfRow row_of(int m) {
    const Pair& pair = pairs_[static_cast<std::size_t>(m)];
    return rows_->next(pair.s, pair.t);
  }

  // The rows of a block enter the row pipeline one per cycle from `issue` on.
  void prepare(int first, std::int64_t issue) {
    prepare_issue_ = issue;
    prepared_cycle_ = issue + DamfTiming::kRow;
    next_rows_.clear();
    for (int m = first; m < std::min(first + config_.query_rows, attend_.tokens); ++m)
      next_rows_.push_back(row_of(m));
  }

  void array(const Beat& beat) {
    if (first_of_block()) {
      active_rows_ = next_rows_;
      const int next = block_ + block_rows();
      if (next < attend_.tokens)
        prepare(next, std::max(cycle_ + 1, prepare_issue_ + config_.query_rows));
    }
    const auto lanes = static_cast<std::size_t>(config_.lanes);
    if (key_ == 0) sums_.assign(active_rows_.size() * lanes, 0);
    const int t = pairs_[static_cast<std::size_t>(key_)].t;
    for (std::size_t r = 0; r < active_rows_.size(); ++r) {
      const DamfRow& row = active_rows_[r];
      // Causal: a key beyond the row's own position is masked.
      if (attend_.settings.causal && key_ > block_ + static_cast<int>(r)) continue;
      const std::int64_t weight = rows_->weight(row, t);
      for (int lane = 0; lane < group_lanes(); ++lane) {
        sums_[r * lanes + static_cast<std::size_t>(lane)] +=
            (weight * element(beat, lane)) >> row.term_shift;
      }
    }
    if (!last_of_row_block()) {
      ++key_;
      return;
    }
    for (std::size_t r = 0; r < active_rows_.size(); ++r)
      push_sums(active_rows_[r], &sums_[r * lanes], DamfTiming::kArrayOutput + static_cast<int>(r));
    key_ = 0;
    if (!last_of_row()) {
      column_ += config_.lanes;
      return;
    }
    column_ = 0;
    block_ += block_rows();
    if (block_ >= attend_.tokens) state_ = State::kDrain;
  }

  void clear_group() {
    const auto lanes = static_cast<std::size_t>(config_.lanes);
    plain_.assign(lanes, 0);
    positive_.assign(lanes, 0);
    negative_.assign(lanes, 0);
  }

  void collapsed(const Beat& beat) {
    if (key_ == 0) {
      clear_group();
      if (attend_.settings.causal) rows_->restart();
    }
    const int t = pairs_[static_cast<std::size_t>(key_)].t;
    std::vector<std::int64_t>& weighted = t > 0 ? positive_ : negative_;
    for (int lane = 0; lane < group_lanes(); ++lane) {
      const auto c = static_cast<std::size_t>(lane);
      plain_[c] += element(beat, lane);
      weighted[c] += std::int64_t{t} * element(beat, lane);
    }
    if (attend_.settings.causal) {
      combine(row_of(key_), plain_, positive_, negative_, group_lanes());
    }
    if (++key_ < attend_.tokens) return;
    key_ = 0;
    if (!attend_.settings.causal) {
      emission_plain_ = plain_;
      emission_positive_ = positive_;
      emission_negative_ = negative_;
      emission_lanes_ = group_lanes();
      emission_left_ = attend_.tokens;
    }
    if (last_of_row()) {
      state_ = State::kDrain;
    } else {
      column_ += config_.lanes;
    }
  }

  void emit() {
    combine(row_of(attend_.tokens - emission_left_), emission_plain_, emission_positive_,
            emission_negative_, emission_lanes_);
    --emission_left_;
  }

  void combine(const DamfRow& row, const std::vector<std::int64_t>& plain,
               const std::vector<std::int64_t>& positive, const std::vector<std::int64_t>& negative,
               int lanes) {
    const bool clamp = attend_.settings.negative == model::DamfNegative::kClamp;
    std::array<std::int64_t, Beat::kBytes / 4> sums{};
    for (std::size_t c = 0; c < static_cast<std::size_t>(lanes); ++c) {
      const std::int64_t weighted = !clamp      ? positive[c] + negative[c]
                                    : row.s > 0 ? positive[c]
                                                : negative[c];
      sums[c] = row.uniform ? plain[c] : row.a_max * plain[c] + row.s * weighted;
    }
    push_lanes(row, sums.data(), lanes, DamfTiming::kCollapsedOutput);
  }

  // ------------------------------------------------------------ output

  void push_sums(const DamfRow& row, const std::int64_t* sums, int latency) {
    push_lanes(row, sums, group_lanes(), latency);
  }

  void push_lanes(const DamfRow& row, const std::int64_t* sums, int lanes, int latency) {
    Beat beat;
    beat.size = 4 * lanes;
    std::int64_t saturated = 0;
    for (int lane = 0; lane < lanes; ++lane) {
      const std::int32_t value = damf_output(sums[lane], row, saturated);
      std::memcpy(&beat.bytes[4 * static_cast<std::size_t>(lane)], &value, 4);
    }
    push(beat, latency);
  }

  void push(const Beat& beat, int latency) {
    --credits_;
    output_.push_back({cycle_ + latency, beat});
  }

  struct Pair {
    int s;
    int t;
  };

  DamfConfig config_;
  State state_ = State::kIdle;
  std::int64_t cycle_ = 0;
  bool state_is_project_ = false;
  DamfProject project_;
  DamfAttend attend_;

  // Issue.
  int key_ = 0;     ///< Token of the next beat.
  int column_ = 0;  ///< First column of the next beat.
  int block_ = 0;   ///< First query row of the block.

  // Project.
  std::vector<int> u_;
  std::vector<int> v_;
  std::int64_t dot_s_ = 0;
  std::int64_t dot_t_ = 0;

  // Attend.
  std::vector<Pair> pairs_;
  std::unique_ptr<DamfRows> rows_;
  std::int64_t prepare_issue_ = 0;
  std::int64_t prepared_cycle_ = 0;
  std::vector<DamfRow> next_rows_;
  std::vector<DamfRow> active_rows_;
  std::vector<std::int64_t> sums_;
  std::vector<std::int64_t> plain_;
  std::vector<std::int64_t> positive_;
  std::vector<std::int64_t> negative_;
  std::vector<std::int64_t> emission_plain_;
  std::vector<std::int64_t> emission_positive_;
  std::vector<std::int64_t> emission_negative_;
  int emission_left_ = 0;
  int emission_lanes_ = 0;

  int credits_;
  std::deque<Pending> output_;
};

}  // namespace

std::unique_ptr<BeatEngine<DamfOperation>> make_damf_beat_body(const DamfConfig& config) {
  return std::make_unique<DamfBeatBody>(config);
}

}  // namespace quadrille::hw
