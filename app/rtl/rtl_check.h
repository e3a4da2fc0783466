// A task with its engines in RTL against the SystemC bodies and the level
// `fixed`: where do they first differ, and what did the RTL do around there?
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "app/cycle_range.h"
#include "app/simulation.h"
#include "hw/engines.h"

namespace quadrille::app {

struct RtlCheckOptions {
  std::string waves;  ///< FST file; "": none.
  /// Without it, 200 cycles before and after a difference; else the whole run.
  std::optional<CycleRange> waves_cycles;
  /// Whose waveform is the file `waves`; another engine's is NAME.ENGINE.fst.
  std::string waves_engine;
  hw::RtlBodies bodies;
};

/// The waveform of an engine in these cycles, into `file`.
hw::RtlTrace wave_of(const std::string& file, const CycleRange& range, const hw::ChipConfig& chip);

/// The waveforms of a run with these engines in RTL.
std::map<std::string, hw::RtlTrace> waves_of(const RtlCheckOptions& options,
                                             const hw::ChipConfig& chip,
                                             const std::vector<std::string>& engines);

struct RtlCheck {
  std::int64_t cycles = 0;
  std::vector<std::string> engines;    ///< That ran in RTL; none: nothing was compared.
  std::vector<std::string> not_built;  ///< That the task uses, without RTL for this chip.
  /// One line: engine, command, cycle, pin and values; then tensor, index, values.
  std::optional<std::string> difference;
  std::vector<std::string> waves;  ///< Files that were written.
};

/// Throws InputError when an engine that the task uses has no RTL with
/// waveforms at the chip's parameters, or when options.waves cannot be written.
void require_waves(Simulation& simulation, const RtlCheckOptions& options);

/// Runs the task with every engine it uses in RTL, where it is built with the
/// chip's parameters, SystemC bodies beside it, and compares all pins in every
/// cycle; the outputs with `fixed`, the cycles with `beat_cycles`. At the first
/// difference the run stops. Then the RTL runs alone to its end, for the tensors
/// and, if asked for, the waveform, which require_waves() must have allowed; without a
/// difference it runs alone for the waveforms of all engines.
RtlCheck check_rtl(Simulation& simulation, std::int64_t beat_cycles,
                   const RtlCheckOptions& options = {});

}  // namespace quadrille::app
