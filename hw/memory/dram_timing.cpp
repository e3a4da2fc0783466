#include "hw/memory/dram_timing.h"

#include <algorithm>

namespace quadrille::hw {

void BurstTrain::begin(std::int64_t first_issue) {
  first_issue_ = first_issue;
  last_issue_ = 0;
  first_end_ = 0;
  last_end_ = 0;
  bursts_ = 0;
  next_ = 0;
  ends_.assign(static_cast<std::size_t>(window), 0);
}

std::int64_t BurstTrain::next_issue() const {
  if (bursts_ == 0) return first_issue_;
  const std::int64_t in_order = last_issue_ + spacing;
  return bursts_ < window ? in_order : std::max(in_order, ends_[next_] + release);
}

void BurstTrain::record(std::int64_t issue, std::int64_t end) {
  if (bursts_ == 0) first_end_ = end;
  last_issue_ = issue;
  last_end_ = end;
  ends_[next_] = end;
  if (++next_ == ends_.size()) next_ = 0;
  ++bursts_;
}

void BurstTrain::record_run(std::int64_t count, std::int64_t step) {
  // The last issue as far as order tells. The window may have delayed it, but
  // ends lie at least `spacing` apart: for the next burst its own window bound
  // governs then, and in-order issue adds nothing.
  last_issue_ += count * spacing;
  const std::int64_t skipped = std::max<std::int64_t>(0, count - window);
  next_ = (next_ + static_cast<std::size_t>(skipped)) % ends_.size();
  std::int64_t end = last_end_ + skipped * step;
  for (std::int64_t i = skipped; i < count; ++i) {
    end += step;
    ends_[next_] = end;
    if (++next_ == ends_.size()) next_ = 0;
  }
  last_end_ = end;
  bursts_ += count;
}

DramTiming::DramTiming(const DramConfig& config)
    : burst_cycles_(config.burst_cycles),
      row_bytes_(config.row_bytes),
      bursts_per_row_(config.row_bytes / config.burst_bytes),
      banks_(config.banks),
      hit_latency_(config.row_hit_latency_cycles),
      miss_latency_(config.row_miss_latency_cycles) {
  while ((std::int64_t{1} << burst_shift_) < config.burst_bytes) ++burst_shift_;
}

DramState DramTiming::initial_state() const {
  DramState state;
  state.banks.resize(static_cast<std::size_t>(banks_));
  return state;
}

std::int64_t DramTiming::burst(DramState& state, std::uint64_t address, std::int64_t issue) const {
  return burst_in(state, static_cast<std::int64_t>(address) / row_bytes_, issue);
}

std::int64_t DramTiming::burst_in(DramState& state, std::int64_t row_address,
                                  std::int64_t issue) const {
  const Place at = place(row_address);
  DramState::Bank& bank = state.banks[at.bank];
  std::int64_t column = std::max(issue, bank.column_free);
  if (bank.open_row == at.row) {
    ++state.row_hits;
  } else {
    ++state.row_misses;
    bank.open_row = at.row;
    column += miss_latency_;
  }
  const std::int64_t start = std::max(column + hit_latency_, state.bus_free);
  bank.column_free = start - hit_latency_ + burst_cycles_;
  state.bus_free = start + burst_cycles_;
  return state.bus_free;
}

bool DramTiming::streams(const BurstTrain& train) const {
  return (train.window - 1) * burst_cycles_ >= hit_latency_ + train.release &&
         train.spacing <= burst_cycles_;
}

std::int64_t DramTiming::block(DramState& state, BurstTrain& train, std::uint64_t address,
                               std::int64_t length) const {
  if (length <= 0) return 0;
  const bool streaming = streams(train);
  std::int64_t total = 0;
  std::int64_t open = -1;  // Row address of the previous burst of this block...
  std::int64_t run = 0;    // ...and the bursts to it that are still to be recorded.
  const auto flush = [&] {
    if (run == 0) return;
    // Each of them waits for nothing but the bus (docs/timing.md).
    train.record_run(run, burst_cycles_);
    state.row_hits += run;
    state.bus_free += run * burst_cycles_;
    state.banks[place(open).bank].column_free += run * burst_cycles_;
    run = 0;
  };
  for (std::int64_t row = 0; row < train.rows; ++row) {
    const std::int64_t begin = static_cast<std::int64_t>(address) + row * train.pitch_bytes;
    const std::int64_t last = (begin + length - 1) >> burst_shift_;
    std::int64_t burst_index = begin >> burst_shift_;
    total += last - burst_index + 1;
    while (burst_index <= last) {
      const std::int64_t row_address = burst_index / bursts_per_row_;
      std::int64_t here = 1;
      if (streaming) {
        const std::int64_t row_end = (row_address + 1) * bursts_per_row_;
        here = std::min(last + 1, row_end) - burst_index;
      }
      burst_index += here;
      if (!streaming || row_address != open) {
        flush();
        const std::int64_t issue = train.next_issue();
        train.record(issue, burst_in(state, row_address, issue));
        open = row_address;
        --here;
      }
      run += here;
    }
  }
  flush();
  return total;
}

}  // namespace quadrille::hw
