#include "hw/counters/counter_tree.h"

#include "model/errors.h"

namespace quadrille::hw {

void CounterModule::add(const CounterInfo& info, std::optional<std::int64_t> value) {
  add(info, info.name, value);
}

void CounterModule::add(const CounterInfo& info, std::string name,
                        std::optional<std::int64_t> value) {
  below(info.group).counters_.push_back({std::move(name), &info, value});
}

CounterModule& CounterModule::below(const std::string& path) {
  if (path.empty()) return *this;
  const std::size_t dot = path.find('.');
  const std::string first = path.substr(0, dot);
  const std::string rest = dot == std::string::npos ? "" : path.substr(dot + 1);
  for (CounterModule& child : children_) {
    if (child.name_ == first) return child.below(rest);
  }
  children_.emplace_back(first);
  return children_.back().below(rest);
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
