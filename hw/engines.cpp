#include "hw/engines.h"

#include <utility>

#include "hw/engines/cim/cim_entry.h"
#include "hw/engines/damf/damf_entry.h"
#include "hw/engines/linear/linear_entry.h"
#include "hw/engines/sinkhorn/sinkhorn_entry.h"
#include "hw/engines/softmax/softmax_entry.h"
#include "hw/engines/vector/vector_entry.h"
#include "model/errors.h"

namespace quadrille::hw {

const EngineList& engines() {
  static const EngineList list({&cim_entry(), &softmax_entry(), &damf_entry(), &sinkhorn_entry(),
                                &linear_entry(), &vector_entry()});
  return list;
}

EngineList::EngineList(std::vector<const EngineEntry*> entries) : entries_(std::move(entries)) {
  std::size_t count = 1;
  for (const EngineEntry* entry : entries_) count += entry->units().size();
  units_.resize(count);
  units_[static_cast<std::size_t>(Unit::kDma)].name = "dma";
  for (const EngineEntry* entry : entries_) {
    const std::vector<UnitEntry> units = entry->units();
    if (units.empty() || units.size() > 2) {
      throw InvariantError(std::string("engine ") + entry->name() + " has " +
                           std::to_string(units.size()) + " units, expected one or two");
    }
    for (const UnitEntry& unit : units) {
      const auto number = static_cast<std::size_t>(unit.unit);
      if (number >= count || units_[number].name != nullptr) {
        throw InvariantError(std::string("unit ") + unit.name + " has number " +
                             std::to_string(number) + ", expected a free one of 0.." +
                             std::to_string(count - 1));
      }
      units_[number] = {unit.name, entry};
    }
  }
}

std::vector<std::string> EngineList::names() const {
  std::vector<std::string> names;
  for (const EngineEntry* entry : entries_) names.emplace_back(entry->name());
  return names;
}

std::vector<std::string> EngineList::names_in_rtl() const {
  std::vector<std::string> names;
  for (const EngineEntry* entry : entries_) {
    if (entry->in_rtl()) names.emplace_back(entry->name());
  }
  return names;
}

const EngineEntry* EngineList::find(const std::string& name) const {
  for (const EngineEntry* entry : entries_) {
    if (name == entry->name()) return entry;
  }
  return nullptr;
}

}  // namespace quadrille::hw
