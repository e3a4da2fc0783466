// The Sinkhorn unit: scalings of a matrix held in banks that serve its rows and
// its columns, and the scaled matrix times V. docs/engines/sinkhorn.md.
#pragma once

#include <cstdint>
#include <memory>

#include "hw/engines/activity.h"
#include "hw/engines/beat_engine.h"
#include "hw/engines/rtl/rtl_library.h"
#include "hw/engines/sinkhorn/sinkhorn_operations.h"
#include "hw/memory/bytes.h"

namespace quadrille::hw {

/// The unit's latencies in cycles; the documentation prints these numbers.
struct SinkhornTiming {
  /// Cycles from an element's beat in the banks to the first step that may read
  /// it: multiply, round and saturate, write.
  int load_latency = 3;
  /// Cycles from the last sum leaving its lane to the next sweep's first step:
  /// read the scaling, rotate, spread, add (4), power or multiply (2), accumulate
  /// (1); logarithm (4), new scaling (2); residual's power (2), code (1),
  /// distance (1), verdict (2). The cycles in the drain registers come before.
  int sweep_latency = 19;
  /// Held K waits so long after its load: for the largest logit of a matrix, of a
  /// beat's piece (2) and of all so far (1).
  int maximum_latency = 3;
  /// A pass that writes back (kMatrix; logits to held K), from the end of its
  /// accesses to the next step: scaling spread (2), add or multiply (1), power or
  /// round (2), code (1), rotate (1), write (1), less the two until the next step
  /// reads the banks.
  int scale_latency = 6;
  /// Output slot issued to its beat offered: half-steps (1), scalings (1), rotate
  /// (1), add both and the logit (2), power (2), code (1), pieces joined (1),
  /// output register (2).
  int output_latency = 11;
  /// Held K's output latency: multiply, round (2) twice in place of the second
  /// addition, power and code.
  int held_output_latency = 13;
  /// Elements' beat taken to its K, or its row's out, offered: multiply, round
  /// (2), add both scalings (4); power (2), code (1); multiply (2), adder tree
  /// (3), accumulate (1), round (1), output buffer (2).
  int apply_latency = 16;
  int output_fifo = 17;  ///< Slots in the pipeline and behind it; credits.
};
inline constexpr SinkhornTiming kSinkhornTiming;

class SinkhornEngine {
 public:
  /// Throws InvariantError when the parameters fit no engine.
  explicit SinkhornEngine(const SinkhornConfig& config);

  /// The course that a command takes without data: half_steps sweeps, and one
  /// more with `verify`; no tolerance stop.
  CommandCourse course(const SinkhornOperation& operation) const;

  /// Cycles from the one that accepts the command to the one that shows
  /// command_ready again, when neither stream stalls. A repeated pass offers its
  /// first beat in the cycle that shows repeat_input.
  std::int64_t alone_cycles(const SinkhornOperation& operation, const CommandCourse& course) const;

  /// Everything that the operation and its course determine.
  Activity activity(const SinkhornOperation& operation, const CommandCourse& course) const;

  /// The command's data in one go. Adds to values.saturated.
  CommandCourse execute(const SinkhornOperation& operation, Bytes scratchpad,
                        Activity& values) const;

 private:
  SinkhornConfig config_;
};

/// The body that is timed cycle by cycle; adds to values->saturated.
std::unique_ptr<BeatEngine<SinkhornOperation>> make_sinkhorn_beat_body(const SinkhornConfig& config,
                                                                       Activity* values);

/// What of the RTL is to be built for `config`, and the body around a library of it;
/// with a waveform when `trace` is not null.
RtlDesign sinkhorn_rtl_design(const SinkhornConfig& config);
std::unique_ptr<BeatEngine<SinkhornOperation>> make_sinkhorn_rtl_body(
    const SinkhornConfig& config, std::shared_ptr<const RtlLibrary> library,
    const RtlTrace* trace = nullptr);

}  // namespace quadrille::hw
