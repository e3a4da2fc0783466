#include "hw/memory/dram_timing.h"

#include "model/numerics/integers.h"

namespace quadrille::hw {
namespace {

constexpr std::int64_t kTicks = kTicksPerCycle;

/// The first cycle at whose begin `ticks` have passed.
constexpr std::int64_t cycle_after(std::int64_t ticks) { return model::ceil_div(ticks, kTicks); }

}  // namespace

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

std::int64_t BurstTrain::slot_free(std::int64_t i) const {
  if (bursts_ + i < window) return 0;
  const std::size_t place = next_ + static_cast<std::size_t>(i);
  return ends_[place < ends_.size() ? place : place - ends_.size()] + release;
}

void BurstTrain::record(std::int64_t issue, std::int64_t end) {
  last_end_ = std::max(last_end_, end);
  if (bursts_ == 0) first_end_ = last_end_;
  last_issue_ = issue;
  put(last_end_);
  ++bursts_;
}

// --- The device, burst by burst --------------------------------------------------

DramTiming::DramTiming(const DramDevice& device)
    : device_(device),
      bursts_per_row_(std::int64_t{device.channels} * (device.row_bytes / device.burst_bytes)) {
  while ((std::int64_t{1} << burst_shift_) < device.burst_bytes) ++burst_shift_;
}

DramState DramTiming::initial_state() const {
  DramState::Channel channel;
  channel.banks.resize(static_cast<std::size_t>(device_.banks));
  if (device_.refresh_interval > 0) channel.refresh_at = device_.refresh_interval;
  DramState state;
  state.channels.assign(static_cast<std::size_t>(device_.channels), channel);
  return state;
}

std::int64_t DramTiming::burst(DramState& state, std::uint64_t address, bool write,
                               std::int64_t issue) const {
  return cycle_after(
      burst_at(state, static_cast<std::int64_t>(address) >> burst_shift_, write, issue));
}

std::int64_t DramTiming::burst_at(DramState& state, std::int64_t index, bool write,
                                  std::int64_t issue) const {
  const std::int64_t row_address = index / bursts_per_row_;
  const std::int64_t row = row_address / device_.banks;
  DramState::Channel& channel = state.channels[channel_of(index)];
  DramState::Bank& bank = channel.banks[static_cast<std::size_t>(row_address % device_.banks)];
  const std::int64_t latency = device_.latency(write);
  const std::int64_t turn = write == channel.wrote ? 0 : write ? device_.to_write : device_.to_read;
  const std::int64_t issued = issue * kTicks;
  for (;;) {
    std::int64_t column = std::max(issued, bank.column_free);
    const bool hit = bank.open_row == row;
    std::int64_t activate = 0;
    if (!hit) {
      activate = std::max(column, bank.row_free);
      if (bank.open_row >= 0) activate += device_.precharge;
      if (device_.activate_gap > 0)
        activate = std::max(activate, channel.last_activate + device_.activate_gap);
      column = activate + device_.activate;
    }
    const std::int64_t start = std::max(column + latency, channel.bus_free + turn);
    const std::int64_t end = start + device_.burst;
    if (end > channel.refresh_at) {
      refresh(channel, issued);
      continue;
    }
    if (hit) {
      ++state.row_hits;
    } else {
      ++state.row_misses;
      bank.open_row = row;
      bank.row_free = activate + device_.least_open;
      channel.last_activate = activate;
    }
    bank.column_free = start - latency + device_.burst;
    if (write) bank.row_free = std::max(bank.row_free, end + device_.write_recovery);
    channel.bus_free = end;
    channel.wrote = write;
    return end;
  }
}

// Of the refreshes that came and went while nothing was asked for only the last can
// make anyone wait.
void DramTiming::refresh(DramState::Channel& channel, std::int64_t now) const {
  const std::int64_t late = std::max<std::int64_t>(0, now - channel.refresh_at);
  const std::int64_t begin =
      channel.refresh_at + late / device_.refresh_interval * device_.refresh_interval;
  for (DramState::Bank& bank : channel.banks) {
    bank.open_row = -1;
    bank.column_free = std::max(bank.column_free, begin + device_.refresh);
  }
  channel.refresh_at = begin + device_.refresh_interval;
}

// --- Many bursts at once ---------------------------------------------------------

/// Ends of the bursts of a run of which each channel carries one behind the other.
class DramTiming::BusBoundEnds {
 public:
  BusBoundEnds(const DramTiming& timing, const Run& run)
      : channels_(run.state.channels),
        first_(timing.channel_of(run.first)),
        burst_(timing.device_.burst) {}

  void seek(std::int64_t i) {
    const auto channels = static_cast<std::int64_t>(channels_.size());
    left_ = channels - i % channels;
    channel_ = (first_ + static_cast<std::size_t>(i % channels)) % channels_.size();
    carried_ = i / channels * burst_;
  }
  /// When the next burst's bus is free for it, in ticks; then it is the turn of the
  /// burst behind it.
  std::int64_t next_start() {
    const std::int64_t start = channels_[channel_].bus_free + carried_;
    if (++channel_ == channels_.size()) channel_ = 0;
    if (--left_ == 0) {
      left_ = static_cast<std::int64_t>(channels_.size());
      carried_ += burst_;
    }
    return start;
  }
  std::int64_t next() { return cycle_after(next_start() + burst_); }

 private:
  const std::vector<DramState::Channel>& channels_;
  std::size_t first_;
  std::int64_t burst_;
  std::size_t channel_ = 0;
  std::int64_t left_ = 0;  ///< Bursts of this round over the channels.
  std::int64_t carried_ = 0;
};

/// Ends of bursts that are issued in order and never wait.
struct DramTiming::IssueBoundEnds {
  std::int64_t end;
  std::int64_t spacing;
  void seek(std::int64_t i) { end += i * spacing; }
  std::int64_t next() { return end += spacing; }
};

void DramTiming::leave(const Run& run, DramState::Channel& channel, std::int64_t end) const {
  DramState::Bank& bank = channel.banks[run.bank];
  channel.bus_free = end;
  bank.column_free = end - device_.latency(run.write);
  if (run.write) bank.row_free = std::max(bank.row_free, end + device_.write_recovery);
}

// A window's worth of bursts is looked at one by one; the proof covers the rest.
DramTiming::BusBound DramTiming::bus_bound(const Run& run, std::int64_t most_bursts) const {
  const std::int64_t channels = device_.channels;
  const BurstTrain& train = run.train;
  const std::int64_t latency = device_.latency(run.write);
  const std::int64_t window = train.window;
  BusBoundEnds bus(*this, run);
  bus.seek(0);
  BusBound proved;
  std::int64_t issue = train.last_issue();
  std::int64_t left_of_round = channels;
  const std::int64_t looked = std::min(most_bursts, window);
  for (std::int64_t i = 0; i < looked; ++i) {
    issue = std::max(issue + train.spacing, train.slot_free(i));
    if (issue * kTicks + latency > bus.next_start()) return proved;
    if (--left_of_round > 0) continue;
    left_of_round = channels;
    proved = {i + 1, issue};
  }
  if (most_bursts <= window) return proved;
  std::int64_t least = DramState::kNever;
  std::int64_t most = 0;
  for (const DramState::Channel& channel : run.state.channels) {
    least = std::min(least, channel.bus_free);
    most = std::max(most, channel.bus_free);
  }
  const std::int64_t behind_end = (train.release + 1) * kTicks - 1 + latency;
  const bool window_opens = window * device_.burst >= channels * (most - least + behind_end) +
                                                          (2 * channels - 1) * device_.burst;
  const bool order_is_in_time = channels * (issue * kTicks + latency) <=
                                channels * least + (window - channels) * device_.burst;
  const bool bus_is_slower = device_.burst >= channels * train.spacing * kTicks;
  if (!bus_is_slower || !window_opens || !order_is_in_time) return proved;
  // The last issue: in order behind the last that was looked at, or let in by a slot.
  // Slots open `channels` spacings apart per round, so that older ones than those of
  // the last round add nothing.
  proved = {most_bursts, issue + (most_bursts - window) * train.spacing};
  const std::int64_t from = std::max(most_bursts - channels, window);
  const std::int64_t seen = std::max<std::int64_t>(0, from - window - channels + 1);
  std::int64_t end = train.last_end();
  bus.seek(seen);
  for (std::int64_t i = seen; i < most_bursts - window; ++i) {
    end = std::max(end, bus.next());
    if (i + window < from) continue;
    proved.last_issue = std::max(
        proved.last_issue, end + train.release + (most_bursts - 1 - window - i) * train.spacing);
  }
  return proved;
}

std::int64_t DramTiming::skip_bus_bound(const Run& run) const {
  const std::int64_t channels = device_.channels;
  std::int64_t rounds = run.count / channels;
  for (const DramState::Channel& channel : run.state.channels)
    rounds = std::min(rounds, (channel.refresh_at - channel.bus_free) / device_.burst);
  const BusBound proved = bus_bound(run, rounds * channels);
  if (proved.bursts == 0) return 0;
  run.train.record_run(proved.bursts, proved.last_issue, channels, BusBoundEnds(*this, run));
  for (DramState::Channel& channel : run.state.channels)
    leave(run, channel, channel.bus_free + proved.bursts / channels * device_.burst);
  return proved.bursts;
}

std::int64_t DramTiming::skip_issue_bound(const Run& run) const {
  const std::int64_t channels = device_.channels;
  const BurstTrain& train = run.train;
  const std::int64_t spacing = train.spacing;
  if (device_.burst > channels * spacing * kTicks) return 0;
  const std::int64_t latency = device_.latency(run.write);
  const std::int64_t to_end = latency + device_.burst;
  const std::int64_t last = train.last_issue();
  std::int64_t bursts = run.count;
  for (std::int64_t i = 0; i < channels; ++i) {
    const DramState::Channel& channel = run.state.channels[channel_of(run.first + i)];
    const std::int64_t issued = (last + (i + 1) * spacing) * kTicks;
    if (channel.bus_free > issued + latency || channel.banks[run.bank].column_free > issued)
      return 0;
    bursts = std::min(bursts, ((channel.refresh_at - to_end) / kTicks - last) / spacing);
  }
  // If the ends of the last window of bursts let this one go, the ends of this one, no
  // later behind their issues, let all others go.
  for (std::int64_t i = 0; i < std::min<std::int64_t>(bursts, train.window); ++i) {
    if (train.slot_free(i) > last + (i + 1) * spacing) bursts = i;
  }
  bursts = bursts / channels * channels;
  if (bursts <= 0) return 0;
  run.train.record_run(bursts, last + bursts * spacing, channels,
                       IssueBoundEnds{last + cycle_after(to_end), spacing});
  for (std::int64_t i = bursts - channels; i < bursts; ++i) {
    leave(run, run.state.channels[channel_of(run.first + i)],
          (last + (i + 1) * spacing) * kTicks + to_end);
  }
  return bursts;
}

// After a round over the channels one by one every channel has the row open, with
// nothing behind it on its bus, and the rest may go at once; a refresh, or a window that
// makes them wait, brings the next round.
void DramTiming::in_row(Run run) const {
  while (run.count > 0) {
    const std::int64_t end = run.first + std::min<std::int64_t>(run.count, device_.channels);
    for (; run.first < end; ++run.first, --run.count) {
      const std::int64_t issue = run.train.next_issue();
      run.train.record(issue, cycle_after(burst_at(run.state, run.first, run.write, issue)));
    }
    if (run.count < device_.channels) continue;
    std::int64_t skipped = skip_bus_bound(run);
    if (skipped == 0) skipped = skip_issue_bound(run);
    run.state.row_hits += skipped;
    run.state.skipped += skipped;
    run.first += skipped;
    run.count -= skipped;
  }
}

std::int64_t DramTiming::block(DramState& state, BurstTrain& train, std::uint64_t address,
                               std::int64_t length, bool write) const {
  if (length <= 0) return 0;
  std::int64_t total = 0;
  for (std::int64_t row = 0; row < train.rows; ++row) {
    const std::int64_t begin = static_cast<std::int64_t>(address) + row * train.pitch_bytes;
    const std::int64_t end = ((begin + length - 1) >> burst_shift_) + 1;
    std::int64_t index = begin >> burst_shift_;
    total += end - index;
    while (index < end) {
      const std::int64_t row_address = index / bursts_per_row_;
      const std::int64_t here = std::min(end, (row_address + 1) * bursts_per_row_) - index;
      in_row({state, train, write, row_address / device_.banks,
              static_cast<std::size_t>(row_address % device_.banks), index, here});
      index += here;
    }
  }
  return total;
}

}  // namespace quadrille::hw
