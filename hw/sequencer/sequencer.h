// Runs a program: one queue per unit, in order; a command starts when its unit
// is free and the commands it depends on have ended.
#pragma once

#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <systemc>
#include <vector>

#include "hw/clock.h"
#include "hw/sequencer/program.h"

namespace quadrille::hw {

/// A command as it starts, and what its unit waited for since it became free.
struct CommandStart {
  int index = 0;
  const Command* command = nullptr;
  std::int64_t cycle = 0;
  std::int64_t dependency_cycles = 0;
  std::int64_t exclusion_cycles = 0;  ///< Added when write_while_compute is false.
};

/// The sequencer asks this of a unit.
class UnitExecutor {
 public:
  static constexpr std::int64_t kOpenEnd = -1;
  virtual ~UnitExecutor() = default;
  /// Starts a command. Returns its end cycle (later than its start), or
  /// kOpenEnd: then Sequencer::command_ends() will tell.
  virtual std::int64_t start(const CommandStart& start) = 0;
  /// The command has ended; dependents start in this very cycle.
  virtual void finish(int index, const Command& command, std::int64_t cycle) = 0;
};

/// A unit's queue: one per unit, in the order of their numbers.
struct UnitQueue {
  const char* name = "";
  UnitExecutor* executor = nullptr;
  /// The unit that must not run while this one does, which names this one in turn;
  /// when both could start, the earlier command of the program does.
  std::optional<Unit> excludes;
};

class Sequencer : public sc_core::sc_module {
 public:
  Sequencer(sc_core::sc_module_name name, const Clock& clock, const std::vector<UnitQueue>& units);
  ~Sequencer() override;

  /// Throws InvariantError when a command depends on itself, on a later
  /// command or on none, naming the commands (and the circle, if it is one).
  /// The program must outlive the run.
  void load(const Program& program);

  /// The running command of an open-ended unit ends at `cycle` (> now).
  void command_ends(Unit unit, std::int64_t cycle);

  /// Stops the simulation at once; rethrown by check_finished().
  void fail(std::exception_ptr error);

  /// Rethrows what a process threw; throws InvariantError naming the commands
  /// that run or wait when not all have ended (a deadlock).
  void check_finished() const;
  std::int64_t end_cycle() const { return end_cycle_; }
  bool finished() const { return ended_ + 1 == static_cast<int>(states_.size()); }

 private:
  class Queue;
  struct CommandState {
    int pending = 0;  ///< Dependencies that have not ended.
    int first_dependent = 0;
    std::int64_t ready = 0;  ///< Cycle in which the last dependency ended.
  };

  void check_dependencies(const Program& program) const;
  void ended(int index, std::int64_t cycle);
  bool may_start(const Queue& queue) const;
  Queue& queue_of(Unit unit) const { return *queues_[static_cast<std::size_t>(unit)]; }

  Clock clock_;
  const Program* program_ = nullptr;
  std::vector<std::unique_ptr<Queue>> queues_;
  std::vector<Queue*> exclusive_;  ///< That exclude another.
  std::vector<CommandState> states_;
  std::vector<int> dependents_;  ///< Command i's are those from first_dependent on, up to i + 1's.
  int ended_ = 0;
  std::int64_t end_cycle_ = 0;
  std::exception_ptr error_;
};

}  // namespace quadrille::hw
