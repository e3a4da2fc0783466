// The cycles in which a burst's data cross the DRAM's data bus: one closed
// recurrence, kept apart from the module that owns the bytes.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <tlm>
#include <vector>

#include "hw/memory/dram_device.h"

namespace quadrille::hw {

/// The memory that a DRAM device keeps between bursts. Times in ticks.
struct DramState {
  static constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max() / 2;
  struct Bank {
    std::int64_t open_row = -1;
    std::int64_t column_free = 0;  ///< First time of the next column access.
    std::int64_t row_free = 0;     ///< First time at which the open row may be closed.
  };
  struct Channel {
    std::vector<Bank> banks;
    std::int64_t bus_free = 0;  ///< First time at which the data bus is free.
    std::int64_t last_activate = -kNever;
    std::int64_t refresh_at = kNever;  ///< The next refresh that has not been seen to.
    bool wrote = false;                ///< Direction of the last burst.
  };
  std::vector<Channel> channels;
  std::int64_t row_hits = 0;
  std::int64_t row_misses = 0;
  std::int64_t skipped = 0;  ///< Of the hits, those that block() timed in closed form.
};

/// The bursts of one DMA command, in order, with the rule by which their
/// master issues them. It travels with the master's transactions: a target
/// that knows it times a whole block of bursts in one call; one that does not
/// sees a plain transaction.
///
///   issue(k) = max(first_issue, issue(k-1) + spacing, end(k-window) + release)
///
/// The master takes data in order: end(k) is the cycle from which the data of
/// burst k and of all before it are there.
class BurstTrain : public tlm::tlm_extension<BurstTrain> {
 public:
  int window = 1;   ///< Bursts that may be outstanding.
  int spacing = 1;  ///< Cycles between two issues.
  int release = 1;  ///< Cycles from a burst's data end until its slot is used again.
  /// The transaction's [address, address + length) is the first of `rows` such
  /// blocks, pitch_bytes apart.
  std::int64_t rows = 1;
  std::int64_t pitch_bytes = 0;

  void begin(std::int64_t first_issue);
  /// Issue cycle of the next burst.
  std::int64_t next_issue() const;
  /// The next burst was issued at `issue` and its data ended at `end`.
  void record(std::int64_t issue, std::int64_t end);
  /// `count` more bursts, the last of them issued at `last_issue`. After ends.seek(i),
  /// ends.next() gives, burst by burst, the cycles in which the data of the i-th of
  /// them and of those behind it have crossed their buses. No burst ends sooner than
  /// the one `lag` before it.
  template <typename Ends>
  void record_run(std::int64_t count, std::int64_t last_issue, std::int64_t lag, Ends ends);
  /// Cycle from which the window lets the i-th burst to come be issued, i < window.
  std::int64_t slot_free(std::int64_t i) const;
  std::int64_t bursts() const { return bursts_; }
  std::int64_t last_issue() const { return last_issue_; }
  std::int64_t first_end() const { return first_end_; }
  std::int64_t last_end() const { return last_end_; }

  tlm::tlm_extension_base* clone() const override { return new BurstTrain(*this); }
  void copy_from(const tlm::tlm_extension_base& other) override {
    *this = static_cast<const BurstTrain&>(other);
  }

 private:
  void put(std::int64_t end) {
    ends_[next_] = end;
    if (++next_ == ends_.size()) next_ = 0;
  }

  std::int64_t first_issue_ = 0;
  std::int64_t last_issue_ = 0;
  std::int64_t first_end_ = 0;
  std::int64_t last_end_ = 0;
  std::int64_t bursts_ = 0;
  std::vector<std::int64_t> ends_;  ///< Ends of the last `window` bursts, a ring.
  std::size_t next_ = 0;            ///< Place of the next one, which is the oldest.
};

template <typename Ends>
void BurstTrain::record_run(std::int64_t count, std::int64_t last_issue, std::int64_t lag,
                            Ends ends) {
  const std::int64_t skipped = std::max<std::int64_t>(0, count - window);
  next_ = (next_ + static_cast<std::size_t>(skipped)) % ends_.size();
  std::int64_t end = last_end_;
  const std::int64_t first = std::max<std::int64_t>(0, skipped - lag);
  ends.seek(first);
  for (std::int64_t i = first; i < count; ++i) {
    end = std::max(end, ends.next());
    if (i >= skipped) put(end);
  }
  last_issue_ = last_issue;
  last_end_ = end;
  bursts_ += count;
}

/// The device rule. Consecutive bursts lie in consecutive channels. A row address
/// counts rows of all channels together and walks over the banks, so that
/// neighbouring rows lie in different banks. docs/timing.md writes the rule down; in
/// short, a burst waits for its row (precharge, activation), its bank, its channel's
/// bus and the turn-around of that, and one that would not end before the next
/// refresh waits for that and finds its row closed.
class DramTiming {
 public:
  explicit DramTiming(const DramDevice& device);

  DramState initial_state() const;

  /// Cycle in which the data of a burst at `address` (any byte in it), issued
  /// at cycle `issue`, have all crossed the bus.
  std::int64_t burst(DramState& state, std::uint64_t address, bool write, std::int64_t issue) const;

  /// The bursts that cover the train's rows of `length` bytes from `address`
  /// on, issued by the train's rule; the same ends and counts as burst() one by
  /// one, at a cost that hardly grows with the bursts. Returns their number.
  std::int64_t block(DramState& state, BurstTrain& train, std::uint64_t address,
                     std::int64_t length, bool write) const;

 private:
  /// Bursts to one row of all channels; what block() looks ahead over. The skips ask
  /// that the last `channels` bursts went to that row, one in each channel.
  struct Run {
    DramState& state;
    BurstTrain& train;
    bool write;
    std::int64_t row;
    std::size_t bank;
    std::int64_t first;  ///< Index of the next burst.
    std::int64_t count;  ///< Bursts still to be timed.
  };
  class BusBoundEnds;
  struct IssueBoundEnds;
  /// The first bursts of a run that wait for nothing but their buses, and when the
  /// last of them is issued.
  struct BusBound {
    std::int64_t bursts = 0;
    std::int64_t last_issue = 0;
  };

  /// End of a burst's data, in ticks.
  std::int64_t burst_at(DramState& state, std::int64_t index, bool write, std::int64_t issue) const;
  void refresh(DramState::Channel& channel, std::int64_t now) const;
  void in_row(Run run) const;
  /// Bursts, whole rounds over the channels, that are proved to wait for nothing but
  /// their buses, or nothing but their turn to be issued, timed at once. Returns how
  /// many. docs/timing.md has the proofs.
  std::int64_t skip_bus_bound(const Run& run) const;
  std::int64_t skip_issue_bound(const Run& run) const;
  BusBound bus_bound(const Run& run, std::int64_t most_bursts) const;
  /// `channel` has carried hits of the run, the last of which ended at `end`.
  void leave(const Run& run, DramState::Channel& channel, std::int64_t end) const;
  std::size_t channel_of(std::int64_t index) const {
    return static_cast<std::size_t>(index % device_.channels);
  }

  DramDevice device_;
  int burst_shift_ = 0;          ///< log2 of the burst's bytes.
  std::int64_t bursts_per_row_;  ///< Of all channels.
};

}  // namespace quadrille::hw
