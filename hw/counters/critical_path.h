// The chain of commands that made a run as long as it is.
#pragma once

#include <cstdint>
#include <vector>

#include "hw/chip_result.h"
#include "hw/engines.h"
#include "hw/sequencer/program.h"

namespace quadrille::hw {

/// Why a command started no earlier than it did.
enum class CriticalLink {
  kStart,       ///< It is the first of the run.
  kQueue,       ///< Its unit was busy with the command before it.
  kDependency,  ///< It needs what the command before it on the path made.
  kExclusion,   ///< The engine's other unit ran, which excludes its own.
};
const char* critical_link_name(CriticalLink link);

/// A command on the path, with the cycles that are its share: from the end of the one
/// before it on the path to its own end.
struct CriticalStep {
  int command = 0;
  std::int64_t from_cycle = 0;
  std::int64_t to_cycle = 0;
  CriticalLink link = CriticalLink::kStart;

  std::int64_t cycles() const { return to_cycle - from_cycle; }
};

/// In the order of time, without gaps from cycle 0 to the run's last: walks back from the
/// command that ends last to the one that each waited for longest. Of several that ended
/// in the same cycle the unit's queue counts before a dependency, and of those the first
/// that the command names. `list`: the engines of the chip that ran.
std::vector<CriticalStep> critical_path(const Program& program, const ChipResult& result,
                                        const EngineList& list = hw::engines());

}  // namespace quadrille::hw
