// The cycles in which a burst's data cross the DRAM's data bus: one closed
// recurrence, kept apart from the module that owns the bytes.
#pragma once

#include <cstdint>
#include <tlm>
#include <vector>

#include "hw/chip_config.h"

namespace quadrille::hw {

/// The memory that a DRAM device keeps between bursts.
struct DramState {
  struct Bank {
    std::int64_t open_row = -1;
    std::int64_t column_free = 0;  ///< First cycle of the next column access.
  };
  std::vector<Bank> banks;
  std::int64_t bus_free = 0;  ///< First cycle in which the data bus is free.
  std::int64_t row_hits = 0;
  std::int64_t row_misses = 0;
};

/// The bursts of one DMA command, in order, with the rule by which their
/// master issues them. It travels with the master's transactions: a target
/// that knows it times a whole block of bursts in one call; one that does not
/// sees a plain transaction.
///
///   issue(k) = max(first_issue, issue(k-1) + spacing, end(k-window) + release)
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
  /// `count` more bursts were issued as the rule says, their data ending
  /// `step` cycles apart, each at least `spacing`.
  void record_run(std::int64_t count, std::int64_t step);
  std::int64_t bursts() const { return bursts_; }
  std::int64_t first_end() const { return first_end_; }
  std::int64_t last_end() const { return last_end_; }

  tlm::tlm_extension_base* clone() const override { return new BurstTrain(*this); }
  void copy_from(const tlm::tlm_extension_base& other) override {
    *this = static_cast<const BurstTrain&>(other);
  }

 private:
  std::int64_t first_issue_ = 0;
  std::int64_t last_issue_ = 0;
  std::int64_t first_end_ = 0;
  std::int64_t last_end_ = 0;
  std::int64_t bursts_ = 0;
  std::vector<std::int64_t> ends_;  ///< Ends of the last `window` bursts, a ring.
  std::size_t next_ = 0;            ///< Place of the next one, which is the oldest.
};

/// The device rule. Row address a / row_bytes walks over the banks, so that
/// neighbouring rows lie in different banks. With H the hit latency, M the
/// added miss latency and B the burst's cycles on the bus, a burst issued at
/// cycle i to bank b:
///
///   column = max(i, column_free[b]) + (row is open in b ? 0 : M)
///   start  = max(column + H, bus_free)
///   end    = start + B
///   bus_free = end;  column_free[b] = start - H + B
///
/// Left out, and said so: refresh, bus turn-around between reads and writes,
/// and four-activate windows.
class DramTiming {
 public:
  explicit DramTiming(const DramConfig& config);

  DramState initial_state() const;

  /// Cycle in which the data of a burst at `address` (any byte in it), issued
  /// at cycle `issue`, have all crossed the bus.
  std::int64_t burst(DramState& state, std::uint64_t address, std::int64_t issue) const;

  /// The bursts that cover the train's rows of `length` bytes from `address`
  /// on, issued by the train's rule; the same ends and counts as burst() one by
  /// one, at a cost that hardly grows with the bursts. Returns their number.
  std::int64_t block(DramState& state, BurstTrain& train, std::uint64_t address,
                     std::int64_t length) const;

  /// True when row hits of a train follow each other without a gap:
  /// (window - 1) B >= H + release and spacing <= B.
  bool streams(const BurstTrain& train) const;

 private:
  struct Place {
    std::int64_t row;
    std::size_t bank;
  };
  Place place(std::int64_t row_address) const {
    return {row_address / banks_, static_cast<std::size_t>(row_address % banks_)};
  }
  std::int64_t burst_in(DramState& state, std::int64_t row_address, std::int64_t issue) const;

  int burst_shift_ = 0;  ///< log2 of the burst's bytes.
  std::int64_t burst_cycles_;
  std::int64_t row_bytes_;
  std::int64_t bursts_per_row_;
  std::int64_t banks_;
  std::int64_t hit_latency_;
  std::int64_t miss_latency_;
};

}  // namespace quadrille::hw
