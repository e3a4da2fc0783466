// Where the cycles of a unit went: busy, stalled by cause, or idle.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace quadrille::hw {

/// What a unit that has work lacks: always a resource. A running command's causes come
/// first: they win over a waiting one's where two units share an engine.
enum class StallCause {
  kFill,           ///< Latency between engine and scratchpad, at a stream's ends.
  kReadPort,       ///< The scratchpad's read port gives too few beats. Beat timing only.
  kWritePort,      ///< Its write port takes too few. Beat timing only.
  kBankConflict,   ///< Another port had the bank. Beat timing only.
  kDram,           ///< Bandwidth, rows and latencies of the DRAM.
  kCimWritePort,   ///< Waits while the cells are written.
  kCimThroughput,  ///< Waits while the CIM computes; the next ones likewise.
  kSoftmaxThroughput,
  kDamfThroughput,
  kVectorThroughput,
  kSinkhornThroughput,
  kLinearThroughput,
  kOtherThroughput,  ///< Of an engine beside the chip's own.
  kWriteExclusion,   ///< The CIM bank cannot be written while it computes.
  /// The next command waits for commands of other units. It stands in logs alone:
  /// WaitCauses replaces it by what those units lacked, and no report shows it.
  kDependency,
};
/// Those that are resources.
inline constexpr int kStallCauses = static_cast<int>(StallCause::kDependency);
/// The name in reports; not of kDependency.
const char* stall_cause_name(StallCause cause);

/// A cycle is exactly one of these.
class CycleState {
 public:
  static constexpr CycleState idle() { return CycleState(-2); }
  static constexpr CycleState busy() { return CycleState(-1); }
  static constexpr CycleState stalled(StallCause cause) {
    return CycleState(static_cast<int>(cause));
  }
  constexpr bool is_idle() const { return code_ == -2; }
  constexpr bool is_busy() const { return code_ == -1; }
  constexpr StallCause cause() const { return static_cast<StallCause>(code_); }
  constexpr bool operator==(CycleState other) const { return code_ == other.code_; }

 private:
  constexpr explicit CycleState(int code) : code_(code) {}
  int code_;
};

struct OccupancyTotals {
  std::int64_t busy = 0;
  std::array<std::int64_t, kStallCauses + 1> stalled{};
  std::int64_t idle = 0;

  std::int64_t& stalled_by(StallCause cause) { return stalled[static_cast<std::size_t>(cause)]; }
  std::int64_t stalled_by(StallCause cause) const {
    return stalled[static_cast<std::size_t>(cause)];
  }
  std::int64_t all_stalled() const;
  std::int64_t total() const { return busy + all_stalled() + idle; }
  void add(CycleState state, std::int64_t cycles);
};

/// The states of one unit, from cycle 0 on without gaps. Consecutive equal
/// states are one span.
class OccupancyLog {
 public:
  struct Span {
    CycleState state;
    std::int64_t end;
  };

  /// `keep_spans` where the log will be merged with another unit's.
  explicit OccupancyLog(bool keep_spans) : keep_spans_(keep_spans) {}

  /// The next `cycles` cycles are in `state`.
  void add(CycleState state, std::int64_t cycles);
  std::int64_t end() const { return end_; }
  /// Of the first `cycles` cycles; what was not logged is idle.
  OccupancyTotals totals(std::int64_t cycles) const;
  const std::vector<Span>& spans() const { return spans_; }

 private:
  bool keep_spans_;
  std::int64_t end_ = 0;
  OccupancyTotals totals_;
  std::vector<Span> spans_;
};

struct CycleInterval {
  std::int64_t from;
  std::int64_t to;
};

/// Two units that are one engine: a cycle is busy when either is, else stalled
/// when either is (the cause that comes first in StallCause), else idle. Both
/// logs must keep their spans. Intervals that count as kDependency go to `waits`.
OccupancyTotals merged_totals(const OccupancyLog& first, const OccupancyLog& second,
                              std::int64_t cycles, std::vector<CycleInterval>* waits = nullptr);

}  // namespace quadrille::hw
