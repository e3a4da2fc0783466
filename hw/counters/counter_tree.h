// Counters as the report prints them: the tree of counters is the tree of
// modules.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "hw/counters/counter_info.h"

namespace quadrille::hw {

struct Counter {
  std::string name;
  const CounterInfo* info = nullptr;  ///< A row of the table of counters.
  /// Absent where the run does not know it.
  std::optional<std::int64_t> value;
};

/// A module's counters and its parts, in the order in which they were added:
/// the same run gives the same tree.
class CounterModule {
 public:
  explicit CounterModule(std::string name) : name_(std::move(name)) {}

  /// Below this module, where the row's group says. `info` must outlive the tree.
  void add(const CounterInfo& info, std::optional<std::int64_t> value);
  /// The same under a name of its own, for rows that there are many of.
  void add(const CounterInfo& info, std::string name, std::optional<std::int64_t> value);
  void adopt(CounterModule child) { children_.push_back(std::move(child)); }

  const std::string& name() const { return name_; }
  const std::vector<Counter>& counters() const { return counters_; }
  const std::vector<CounterModule>& children() const { return children_; }

  /// The counter at a path of dots below this module ("memory.dram.read_bytes"),
  /// or null.
  const Counter* find(const std::string& path) const;
  /// Its value; throws InvariantError when there is no such counter or value.
  std::int64_t value(const std::string& path) const;

 private:
  /// The module at a path of dots, made where it is not there yet.
  CounterModule& below(const std::string& path);

  std::string name_;
  std::vector<Counter> counters_;
  std::vector<CounterModule> children_;
};

}  // namespace quadrille::hw
