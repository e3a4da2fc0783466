// Counters as the report prints them: the tree of counters is the tree of
// modules.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace quadrille::hw {

struct Counter {
  std::string name;
  const char* unit = "";         ///< A literal.
  const char* description = "";  ///< A literal.
  /// Absent for counters of values in a run without data.
  std::optional<std::int64_t> value;
};

/// A module's counters and its parts, in the order in which they were added:
/// the same run gives the same tree.
class CounterModule {
 public:
  explicit CounterModule(std::string name) : name_(std::move(name)) {}

  void add(std::string name, const char* unit, const char* description,
           std::optional<std::int64_t> value);
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
  std::string name_;
  std::vector<Counter> counters_;
  std::vector<CounterModule> children_;
};

}  // namespace quadrille::hw
