#include "hw/counters/counter_tree.h"

#include "model/errors.h"

namespace quadrille::hw {

void CounterModule::add(std::string name, const char* unit, const char* description,
                        std::optional<std::int64_t> value) {
  counters_.push_back({std::move(name), unit, description, value});
}

const Counter* CounterModule::find(const std::string& path) const {
  const std::size_t dot = path.find('.');
  if (dot == std::string::npos) {
    for (const Counter& counter : counters_) {
      if (counter.name == path) return &counter;
    }
    return nullptr;
  }
  for (const CounterModule& child : children_) {
    if (path.compare(0, dot, child.name()) == 0) return child.find(path.substr(dot + 1));
  }
  return nullptr;
}

std::int64_t CounterModule::value(const std::string& path) const {
  const Counter* counter = find(path);
  if (counter == nullptr) throw InvariantError("no counter " + name_ + "." + path);
  if (!counter->value) throw InvariantError("counter " + name_ + "." + path + " has no value");
  return *counter->value;
}

}  // namespace quadrille::hw
