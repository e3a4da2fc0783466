// Work spread over processes: SystemC has one current kernel per process, so points are
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
  /// Runs in a forked process. What it returns goes to `done`.
  std::function<std::string(std::int64_t item)> work;
  /// These run in the caller's process, in the order in which items end. What they throw ends all.
  std::function<void(std::int64_t item, const std::string& result)> done;
  /// An item whose process ended twice without a result: "signal 9 (Killed)".
  std::function<void(std::int64_t item, const std::string& how)> lost;
  /// Called a few times per second.
  std::function<void()> tick;
};

/// Every item goes to the next process that is free. A process that ends with an item
/// unfinished is replaced, and the item tried once more. The processes end with this one,
/// however it ends (PR_SET_PDEATHSIG). InputError if no process can be made.
void run_in_processes(const ParallelWork& work);

}  // namespace quadrille::app
