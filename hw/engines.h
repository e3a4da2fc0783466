// The one list of engines. Whoever wants to know which there are, what they are
// called or which unit belongs to which asks here; nobody else counts them up.
#pragma once

#include <string>
#include <vector>

#include "hw/engines/engine_entry.h"

namespace quadrille::hw {

class EngineList {
 public:
  /// In the order of reports. The entries must outlive the list. InvariantError when
  /// units are numbered with gaps or twice, or an engine has more than two.
  explicit EngineList(std::vector<const EngineEntry*> entries);

  const std::vector<const EngineEntry*>& entries() const { return entries_; }
  std::vector<std::string> names() const;
  /// Of those that exist in RTL.
  std::vector<std::string> names_in_rtl() const;
  /// Null when no engine has this name.
  const EngineEntry* find(const std::string& name) const;

  /// Units of the engines and the DMA.
  int units() const { return static_cast<int>(units_.size()); }
  const char* unit_name(Unit unit) const { return at(unit).name; }
  /// Null for the DMA.
  const EngineEntry* engine_of(Unit unit) const { return at(unit).engine; }

 private:
  struct UnitOfEngine {
    const char* name = nullptr;
    const EngineEntry* engine = nullptr;
  };
  const UnitOfEngine& at(Unit unit) const { return units_.at(static_cast<std::size_t>(unit)); }

  std::vector<const EngineEntry*> entries_;
  std::vector<UnitOfEngine> units_;
};

/// The engines of every chip. A chip can have more (ChipOptions::engines).
const EngineList& engines();

inline const char* unit_name(Unit unit) { return engines().unit_name(unit); }

}  // namespace quadrille::hw
