#include "hw/counters/critical_path.h"

#include <algorithm>
#include <optional>

namespace quadrille::hw {
namespace {

struct Predecessor {
  int command = -1;
  CriticalLink link = CriticalLink::kStart;
};

class Walk {
 public:
  Walk(const Program& program, const std::vector<CommandRecord>& records, const EngineList& list)
      : program_(program),
        records_(records),
        list_(list),
        by_unit_(static_cast<std::size_t>(list.units())),
        before_(records.size(), -1) {
    for (std::size_t i = 0; i < records.size(); ++i) {
      std::vector<int>& queue = by_unit_[static_cast<std::size_t>(records[i].unit)];
      if (!queue.empty()) before_[i] = queue.back();
      queue.push_back(static_cast<int>(i));
    }
  }

  int last() const {
    const auto last =
        std::max_element(records_.begin(), records_.end(),
                         [](const auto& a, const auto& b) { return a.end_cycle < b.end_cycle; });
    return static_cast<int>(last - records_.begin());
  }

  std::int64_t end(int command) const { return record(command).end_cycle; }

  Predecessor predecessor(int command) const {
    Predecessor found;
    const auto consider = [&](int other, CriticalLink link) {
      if (other < 0 || (found.command >= 0 && end(other) <= end(found.command))) return;
      found = {other, link};
    };
    consider(before_[static_cast<std::size_t>(command)], CriticalLink::kQueue);
    for (const int other : program_.commands[static_cast<std::size_t>(command)].depends_on)
      consider(other, CriticalLink::kDependency);
    if (record(command).exclusion_cycles > 0)
      consider(excluding(command), CriticalLink::kExclusion);
    return found;
  }

 private:
  const CommandRecord& record(int command) const {
    return records_[static_cast<std::size_t>(command)];
  }

  /// The command of the engine's other unit at whose end this one could start; -1: none.
  int excluding(int command) const {
    const EngineEntry* engine = list_.engine_of(record(command).unit);
    if (engine == nullptr) return -1;
    for (const UnitEntry& other : engine->units()) {
      if (other.unit == record(command).unit) continue;
      const std::vector<int>& queue = by_unit_[static_cast<std::size_t>(other.unit)];
      const auto after =
          std::upper_bound(queue.begin(), queue.end(), record(command).start_cycle,
                           [this](std::int64_t cycle, int each) { return cycle < end(each); });
      if (after != queue.begin()) return *std::prev(after);
    }
    return -1;
  }

  const Program& program_;
  const std::vector<CommandRecord>& records_;
  const EngineList& list_;
  std::vector<std::vector<int>> by_unit_;
  std::vector<int> before_;  ///< By command: the one before it in its unit's queue.
};

}  // namespace

const char* critical_link_name(CriticalLink link) {
  switch (link) {
    case CriticalLink::kStart:
      return "start";
    case CriticalLink::kQueue:
      return "queue";
    case CriticalLink::kDependency:
      return "dependency";
    case CriticalLink::kExclusion:
      return "write_exclusion";
  }
  return "";
}

std::vector<CriticalStep> critical_path(const Program& program, const ChipResult& result,
                                        const EngineList& list) {
  std::vector<CriticalStep> path;
  if (result.records.empty()) return path;
  const Walk walk(program, result.records, list);
  std::int64_t end = result.cycles;
  for (int at = walk.last(); at >= 0;) {
    const Predecessor waited = walk.predecessor(at);
    const std::int64_t from = waited.command < 0 ? 0 : std::min(end, walk.end(waited.command));
    path.push_back({at, from, end, waited.link});
    end = from;
    at = waited.command;
  }
  std::reverse(path.begin(), path.end());
  return path;
}

}  // namespace quadrille::hw
