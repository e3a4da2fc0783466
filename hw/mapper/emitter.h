// Takes the commands of a program in running order: derives their dependencies
// from what they touch, hands out scratchpad memory, and keeps the schedule that
// the closed forms predict.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "hw/chip_config.h"
#include "hw/mapper/cost.h"
#include "hw/mapper/footprint.h"
#include "hw/sequencer/program.h"

namespace quadrille::hw {

/// A matrix in the scratchpad.
struct Buffer {
  std::uint64_t address = 0;
  std::int64_t pitch_bytes = 0;
  std::int64_t bytes = 0;  ///< 0: none.

  std::uint64_t at(std::int64_t row, std::int64_t offset_bytes = 0) const {
    return address + static_cast<std::uint64_t>(row * pitch_bytes + offset_bytes);
  }
};

/// Thrown where a plan finds no room; the planner tries another one.
struct DoesNotFit {
  int node = -1;
  std::string what;
  std::int64_t needed = 0;  ///< Bytes of the memory, or macros.
  std::int64_t there = 0;
  enum class Resource { kScratchpad, kMacros, kDram } resource = Resource::kScratchpad;
};

/// Who last used an interval of a memory: its writer, and the last reader of every unit
/// since; -1: nobody.
struct Use {
  int writer = -1;
  std::array<int, kUnits> readers{};
};

/// Intervals of a memory (or of the macros), each with its Use. A write replaces all that
/// lies in its interval; it is ordered behind what it replaces, so nothing is lost where
/// it covers a part only.
///
/// The intervals' beginnings lie side by side, their uses elsewhere: a program of
/// thousands of commands keeps a thousand intervals, and every command splits some.
class UseMap {
 public:
  UseMap();
  /// Calls visit(use) for every interval that overlaps [begin, end).
  template <typename Visit>
  void visit(std::int64_t begin, std::int64_t end, Visit visit) const {
    for (std::size_t i = find(begin); i < begins_.size() && begins_[i] < end; ++i)
      visit(uses_[slots_[i]]);
  }
  /// Calls visit(use) as above, and then `command` of `unit` is the interval's last
  /// writer or one of its readers.
  template <typename Visit>
  void touch(std::int64_t begin, std::int64_t end, bool write, Unit unit, int command,
             Visit visit) {
    const std::size_t first = split(begin);
    std::size_t last = first;
    for (; last < begins_.size() && begins_[last] < end; ++last) {
      visit(uses_[slots_[last]]);
      const bool longer = last + 1 == begins_.size() || begins_[last + 1] > end;
      if (longer) insert(last + 1, end);
      if (!write) uses_[slots_[last]].readers[static_cast<std::size_t>(unit)] = command;
    }
    if (write) replace(first, last, command);
  }

 private:
  /// The interval that `at` lies in.
  std::size_t find(std::int64_t at) const;
  /// An interval begins at `at`; its index.
  std::size_t split(std::int64_t at);
  /// The interval before `index` ends at `at`, where one with the same use begins.
  void insert(std::size_t index, std::int64_t at);
  /// Makes one interval of those from `first` to before `last`, with this writer.
  void replace(std::size_t first, std::size_t last, int writer);

  std::vector<std::int64_t> begins_;
  std::vector<std::uint32_t> slots_;  ///< Of an interval in uses_.
  std::vector<Use> uses_;
  std::vector<std::uint32_t> spare_;  ///< Slots of no interval.
};

/// First fit over the free intervals of the scratchpad.
class ScratchpadAllocator {
 public:
  explicit ScratchpadAllocator(const ScratchpadConfig& config);

  /// Rows lie a power of two apart that holds them, or whole words: beats that
  /// divide a word never straddle one.
  std::int64_t pitch(std::int64_t row_bytes) const;
  std::int64_t bytes(std::int64_t rows, std::int64_t row_bytes) const;
  bool fits(std::int64_t bytes) const;
  /// bytes = 0 where there is no room.
  Buffer allocate(std::int64_t rows, std::int64_t row_bytes);
  void release(Buffer& buffer);
  std::int64_t largest_free() const;
  std::int64_t high_water() const { return high_water_; }

 private:
  std::int64_t word_bytes_;
  std::vector<std::pair<std::int64_t, std::int64_t>> free_;  ///< [begin, end), sorted.
  std::int64_t high_water_ = 0;
};

class Emitter {
 public:
  /// Without `keep` only the schedule is kept, not the commands.
  Emitter(const ChipConfig& config, const CommandCost& cost, bool keep);

  /// The commands that follow belong to this node, step and head (-1: none).
  void enter(int node, const char* step, int head = -1) {
    node_ = node;
    step_ = step;
    head_ = head;
  }
  int node() const { return node_; }

  /// Appends a command. Returns the cycle in which it ends by the closed forms.
  template <typename Op>
  std::int64_t add(const Op& operation) {
    const std::int64_t end =
        schedule(unit_of(operation), Footprint(operation), cost_.cycles(operation));
    if (keep_) commands_.push_back(command(operation));
    if constexpr (std::is_same_v<Op, CimMultiply>)
      macro_tokens_ += std::int64_t{operation.tokens} * operation.region.macros();
    return end;
  }

  ScratchpadAllocator& memory() { return memory_; }
  /// Throws DoesNotFit naming `what` of the current node.
  Buffer allocate(std::int64_t rows, std::int64_t row_bytes, const char* what);

  /// The schedule so far.
  std::int64_t free_at(Unit unit) const { return free_at_[static_cast<std::size_t>(unit)]; }
  /// Cycle in which the last write to these bytes has ended.
  std::int64_t written_at(std::uint64_t address, std::int64_t bytes) const;
  std::int64_t macros_free_at(int first, int count) const;
  std::int64_t cycles() const { return cycles_; }
  /// All units together work so long, and the busiest one: no order of the same commands
  /// ends earlier.
  std::int64_t busy_cycles() const;
  std::int64_t busiest_cycles() const;
  /// Tokens that pass by a macro, of all macros together: MACs, masked ones and padding
  /// included, in units of a macro's.
  std::int64_t macro_tokens() const { return macro_tokens_; }
  std::int64_t command_count() const { return static_cast<std::int64_t>(ends_.size()); }
  bool keeps() const { return keep_; }

  std::vector<Command> take() { return std::move(commands_); }

 private:
  std::int64_t schedule(Unit unit, const Footprint& footprint, std::int64_t cycles);
  Command command(Operation operation) const;
  const ChipConfig& config_;
  const CommandCost& cost_;
  bool keep_;
  ScratchpadAllocator memory_;
  UseMap scratchpad_, macros_;
  std::array<std::int64_t, kUnits> free_at_{};
  std::array<int, kUnits> latest_{};  ///< Dependencies of the command being added, by unit.
  std::vector<std::int64_t> ends_;
  std::vector<Unit> units_;
  std::vector<Command> commands_;
  std::array<std::int64_t, kUnits> busy_{};
  std::int64_t cycles_ = 0, macro_tokens_ = 0;
  int node_ = 0;
  const char* step_ = "";
  int head_ = -1;
};

}  // namespace quadrille::hw
