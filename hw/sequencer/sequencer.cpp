#include "hw/sequencer/sequencer.h"

#include <algorithm>
#include <string>

#include "model/errors.h"

namespace quadrille::hw {

// One unit's commands. Its process wakes when the running command ends, or
// when something that the next one waits for has happened; never in between.
class Sequencer::Queue : public sc_core::sc_module {
 public:
  Queue(sc_core::sc_module_name name, Sequencer& owner, const UnitQueue& unit)
      : sc_core::sc_module(name), owner_(owner), unit_(unit) {
    SC_HAS_PROCESS(Queue);
    SC_METHOD(advance);
    sensitive << wake_;
  }

  void push(int index) { commands_.push_back(index); }
  const char* unit_name() const { return unit_.name; }
  const std::optional<Unit>& excludes() const { return unit_.excludes; }
  bool running() const { return running_; }
  bool waiting() const { return !running_ && next_ < commands_.size(); }
  int head() const { return commands_[next_]; }
  const std::vector<int>& commands() const { return commands_; }
  std::size_t next() const { return next_; }

  void wake() {
    if (waiting()) wake_.notify(sc_core::SC_ZERO_TIME);
  }
  void ends_at(std::int64_t cycle) {
    end_ = cycle;
    wake_.notify(owner_.clock_.time(cycle - owner_.clock_.now()));
  }

 private:
  void advance() {
    try {
      const std::int64_t now = owner_.clock_.now();
      if (running_ && end_ == now) finish(now);
      if (waiting() && owner_.may_start(*this)) start(now);
      // A wake-up of this very cycle may have swallowed the end's notification.
      if (running_ && end_ > now) wake_.notify(owner_.clock_.time(end_ - now));
    } catch (...) {
      owner_.fail(std::current_exception());
    }
  }

  void finish(std::int64_t now) {
    const int index = head();
    unit_.executor->finish(index, owner_.program_->commands[static_cast<std::size_t>(index)], now);
    running_ = false;
    ++next_;
    free_since_ = now;
    owner_.ended(index, now);
  }

  void start(std::int64_t now) {
    const auto index = static_cast<std::size_t>(head());
    CommandStart start;
    start.index = head();
    start.command = &owner_.program_->commands[index];
    start.cycle = now;
    const std::int64_t ready = std::max(free_since_, owner_.states_[index].ready);
    start.dependency_cycles = ready - free_since_;
    start.exclusion_cycles = now - ready;
    running_ = true;
    end_ = UnitExecutor::kOpenEnd;
    const std::int64_t end = unit_.executor->start(start);
    if (end == UnitExecutor::kOpenEnd) return;  // command_ends() will tell.
    if (end <= now) {
      throw InvariantError("command " + std::to_string(index) + " (" + unit_.name +
                           ") would end at cycle " + std::to_string(end) +
                           ", not after its start " + std::to_string(now));
    }
    end_ = end;
  }

  Sequencer& owner_;
  UnitQueue unit_;
  sc_core::sc_event wake_;
  std::vector<int> commands_;
  std::size_t next_ = 0;
  bool running_ = false;
  std::int64_t end_ = UnitExecutor::kOpenEnd;
  std::int64_t free_since_ = 0;
};

// NOLINTNEXTLINE(performance-unnecessary-value-param): SystemC takes module names by value.
Sequencer::Sequencer(sc_core::sc_module_name name, const Clock& clock,
                     const std::vector<UnitQueue>& units)
    : sc_core::sc_module(name), clock_(clock) {
  for (const UnitQueue& unit : units) {
    queues_.push_back(std::make_unique<Queue>(unit.name, *this, unit));
    if (unit.excludes) exclusive_.push_back(queues_.back().get());
  }
}

Sequencer::~Sequencer() = default;

void Sequencer::check_dependencies(const Program& program) const {
  const auto count = static_cast<int>(program.commands.size());
  for (int index = 0; index < count; ++index) {
    for (const int dependency : program.commands[static_cast<std::size_t>(index)].depends_on) {
      if (dependency >= 0 && dependency < index) continue;
      const std::string own = "command " + std::to_string(index);
      if (dependency < 0 || dependency >= count) {
        throw InvariantError(own + " depends on command " + std::to_string(dependency) +
                             ", which the program of " + std::to_string(count) +
                             " commands does not have");
      }
      // Follow the dependencies of the later command: do they lead back here?
      std::vector<int> path{dependency};
      std::vector<bool> seen(static_cast<std::size_t>(count), false);
      std::vector<int> came_from(static_cast<std::size_t>(count), -1);
      bool circle = dependency == index;
      while (!path.empty() && !circle) {
        const int at = path.back();
        path.pop_back();
        for (const int next : program.commands[static_cast<std::size_t>(at)].depends_on) {
          if (next < 0 || next >= count || seen[static_cast<std::size_t>(next)]) continue;
          seen[static_cast<std::size_t>(next)] = true;
          came_from[static_cast<std::size_t>(next)] = at;
          circle = circle || next == index;
          path.push_back(next);
        }
      }
      if (!circle) {
        throw InvariantError(own + " depends on command " + std::to_string(dependency) +
                             ", which is not earlier");
      }
      std::string names = std::to_string(index);
      for (int at = came_from[static_cast<std::size_t>(index)]; at >= 0 && at != dependency;
           at = came_from[static_cast<std::size_t>(at)]) {
        names += ", " + std::to_string(at);
      }
      if (dependency != index) names += ", " + std::to_string(dependency);
      throw InvariantError("deadlock: commands " + names + " wait for each other");
    }
  }
}

void Sequencer::load(const Program& program) {
  check_dependencies(program);
  program_ = &program;
  const std::size_t count = program.commands.size();
  states_.assign(count + 1, {});
  std::size_t edges = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const Command& command = program.commands[i];
    states_[i].pending = static_cast<int>(command.depends_on.size());
    edges += command.depends_on.size();
    for (const int dependency : command.depends_on) {
      ++states_[static_cast<std::size_t>(dependency) + 1].first_dependent;
    }
    const auto unit = static_cast<std::size_t>(unit_of(command.operation));
    if (unit >= queues_.size()) {
      throw InvariantError("command " + std::to_string(i) + " is for unit " + std::to_string(unit) +
                           ", this chip has " + std::to_string(queues_.size()));
    }
    queues_[unit]->push(static_cast<int>(i));
  }
  for (std::size_t i = 1; i <= count; ++i) {
    states_[i].first_dependent += states_[i - 1].first_dependent;
  }
  dependents_.resize(edges);
  std::vector<int> filled(count, 0);
  for (std::size_t i = 0; i < count; ++i) {
    for (const int dependency : program.commands[i].depends_on) {
      const auto d = static_cast<std::size_t>(dependency);
      dependents_[static_cast<std::size_t>(states_[d].first_dependent + filled[d]++)] =
          static_cast<int>(i);
    }
  }
  ended_ = 0;
}

void Sequencer::ended(int index, std::int64_t cycle) {
  ++ended_;
  end_cycle_ = cycle;
  const auto own = static_cast<std::size_t>(index);
  for (int d = states_[own].first_dependent; d < states_[own + 1].first_dependent; ++d) {
    const int dependent = dependents_[static_cast<std::size_t>(d)];
    CommandState& state = states_[static_cast<std::size_t>(dependent)];
    if (--state.pending > 0) continue;
    state.ready = cycle;
    Queue& queue =
        queue_of(unit_of(program_->commands[static_cast<std::size_t>(dependent)].operation));
    if (queue.waiting() && queue.head() == dependent) queue.wake();
  }
  for (Queue* queue : exclusive_) queue->wake();
  // Other modules of the simulation may run for ever (a platform's clocks).
  if (ended_ == static_cast<int>(states_.size()) - 1) sc_core::sc_pause();
}

bool Sequencer::may_start(const Queue& queue) const {
  if (states_[static_cast<std::size_t>(queue.head())].pending > 0) return false;
  if (!queue.excludes()) return true;
  const Queue& other = queue_of(*queue.excludes());
  if (other.running()) return false;
  const bool other_is_first = other.waiting() && other.head() < queue.head() &&
                              states_[static_cast<std::size_t>(other.head())].pending == 0;
  return !other_is_first;
}

void Sequencer::command_ends(Unit unit, std::int64_t cycle) { queue_of(unit).ends_at(cycle); }

void Sequencer::fail(std::exception_ptr error) {
  if (!error_) error_ = error;
  sc_core::sc_stop();
}

void Sequencer::check_finished() const {
  if (error_) std::rethrow_exception(error_);
  if (program_ == nullptr) throw InvariantError("the sequencer has no program");
  const std::size_t count = states_.size() - 1;
  if (static_cast<std::size_t>(ended_) == count) return;
  std::string line = "deadlock: " + std::to_string(count - static_cast<std::size_t>(ended_)) +
                     " of " + std::to_string(count) + " commands have not ended";
  for (const auto& queue : queues_) {
    if (queue->next() >= queue->commands().size()) continue;
    const int index = queue->head();
    line += "; command " + std::to_string(index) + " (" + queue->unit_name() + ")";
    if (queue->running()) {
      line += " runs and does not end";
      continue;
    }
    line += " waits";
    const int pending = states_[static_cast<std::size_t>(index)].pending;
    if (pending > 0) line += " for " + std::to_string(pending) + " of commands";
    if (pending > 0) {
      for (const int d : program_->commands[static_cast<std::size_t>(index)].depends_on) {
        line += " " + std::to_string(d);
      }
    }
  }
  throw InvariantError(line);
}

}  // namespace quadrille::hw
