#include "hw/chip_result.h"

#include "model/errors.h"

namespace quadrille::hw {

ChipTotals::ChipTotals(const EngineList& list) {
  dma.name = list.unit_name(Unit::kDma);
  for (const EngineEntry* entry : list.entries()) {
    engines.emplace_back();
    engines.back().name = entry->name();
  }
}

const EngineTotals& ChipTotals::engine(const std::string& name) const {
  for (const EngineTotals& engine : engines) {
    if (engine.name == name) return engine;
  }
  throw InvariantError("the chip has no engine named '" + name + "'");
}

EngineTotals& ChipTotals::engine(const std::string& name) {
  return const_cast<EngineTotals&>(static_cast<const ChipTotals&>(*this).engine(name));
}

Activity ChipTotals::activity() const {
  Activity sum;
  for (const EngineTotals& engine : engines) sum += engine.activity;
  return sum;
}

}  // namespace quadrille::hw
