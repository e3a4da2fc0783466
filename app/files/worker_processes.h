// Work spread over processes: SystemC has one current kernel per process, so chips are
// simulated side by side in processes and not in threads.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace quadrille::app {

struct ParallelWork {
  std::vector<std::int64_t> items;
  int processes = 1;
  int tries = 2;  ///< How often an item is begun, where processes end without its result.
  /// Runs in a forked process. What it returns goes to `done`; it throws nothing.
  std::function<std::string(std::int64_t item)> work;
  /// These run in the caller's process, in the order in which items end. What they throw ends all.
  std::function<void(std::int64_t item, const std::string& result)> done;
  /// An item whose last try ended without a result: "signal 9 (Killed)".
  std::function<void(std::int64_t item, const std::string& how)> lost;
  /// Called a few times per second.
  std::function<void()> tick;
};

/// Every item goes to the next process that is free. A process that ends with an item
/// unfinished is replaced, and the item begun again if it has a try left. The processes end
/// with this one, however it ends (PR_SET_PDEATHSIG). InputError if no process can be made.
void run_in_processes(const ParallelWork& work);

/// `wanted`, or for 0 one per processor that this process may use.
int processes_of(int wanted);

}  // namespace quadrille::app
