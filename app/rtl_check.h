// A task with its engines in RTL against the SystemC bodies and the level
// `fixed`: where do they first differ, and what did the RTL do around there?
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "app/simulation.h"
#include "hw/engines.h"

namespace quadrille::app {

struct RtlCheckOptions {
  std::string waves;                ///< FST file for the engine that differs; "": none.
  std::int64_t waves_cycles = 200;  ///< Before and after the difference.
  hw::RtlBodies bodies;
};

struct RtlCheck {
  std::int64_t cycles = 0;
  std::vector<std::string> engines;    ///< That ran in RTL; none: nothing was compared.
  std::vector<std::string> not_built;  ///< That the task uses, without RTL for this chip.
  /// One line: engine, command, cycle, pin and values; then tensor, index, values.
  std::optional<std::string> difference;
  bool waves_written = false;
};

/// Throws InputError when an engine that the task uses has no RTL with
/// waveforms at the chip's parameters, or when options.waves cannot be written.
void require_waves(Simulation& simulation, const RtlCheckOptions& options);

/// Runs the task with every engine it uses in RTL, where it is built with the
/// chip's parameters, SystemC bodies beside it, and compares all pins in every
/// cycle; the outputs with `fixed`, the cycles with `beat_cycles`. At the first
/// difference the run stops. Then the RTL runs alone to its end, for the tensors
/// and, if asked for, the waveform, which require_waves() must have allowed.
RtlCheck check_rtl(Simulation& simulation, std::int64_t beat_cycles,
                   const RtlCheckOptions& options = {});

}  // namespace quadrille::app
