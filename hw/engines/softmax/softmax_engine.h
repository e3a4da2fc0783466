// The softmax engine: a row of integer scores in, its 8-bit codes and one
// reciprocal out. Two passes over each row, rows overlapped.
// docs/engines/softmax.md.
#pragma once

#include <cstdint>
#include <memory>

#include "hw/engines/activity.h"
#include "hw/engines/beat_engine.h"
#include "hw/engines/rtl/rtl_library.h"
#include "hw/engines/softmax/softmax_operations.h"
#include "hw/memory/bytes.h"

namespace quadrille::hw {

/// The engine's latencies in cycles; the documentation prints these numbers.
struct SoftmaxTiming {
  /// Cycles from the acceptance of a row's last beat to its first slot in pass 2:
  /// the maximum over the lanes, the running maximum, the register pass 2 reads.
  int maximum_latency = 3;
  /// Cycles from a slot's issue to its beat at the output: read, subtract,
  /// multiply, shift, round and table, octave's shift (6). The reciprocal's slot
  /// follows the last codes' by one cycle: two sums (1 more), reciprocal (4),
  /// output buffer (2). Codes wait for as long, so they leave in order.
  int slot_latency = 13;
  int output_fifo = 16;  ///< Slots in the pipeline and behind it; credits.
  int row_buffers = 2;   ///< One fills while the other is read.
};
inline constexpr SoftmaxTiming kSoftmaxTiming;

class SoftmaxEngine {
 public:
  /// Throws InvariantError when a beat does not fit the port.
  explicit SoftmaxEngine(const SoftmaxConfig& config);

  /// Cycles from the one that accepts the command to the one that shows
  /// command_ready again, when neither stream stalls.
  std::int64_t alone_cycles(const SoftmaxRows& operation) const;

  /// Everything that the operation alone determines; the same without data.
  static Activity activity(const SoftmaxRows& operation);

  /// The command's data in one go. Nothing in `values` depends on this
  /// engine's data; activity() has all of its counters.
  void execute(const SoftmaxRows& operation, Bytes scratchpad, Activity& values) const;

 private:
  SoftmaxConfig config_;
};

/// The body that is timed cycle by cycle.
std::unique_ptr<BeatEngine<SoftmaxRows>> make_softmax_beat_body(const SoftmaxConfig& config);

/// Keys that row i of the operation sees.
int visible_keys(const SoftmaxRows& operation, int row);

/// Throws InvariantError with names and numbers when the operation is impossible.
void validate(const SoftmaxConfig& config, const SoftmaxRows& operation);

/// What of the RTL is to be built for `config`, and the body around a library of it;
/// with a waveform when `trace` is not null.
RtlDesign softmax_rtl_design(const SoftmaxConfig& config);
std::unique_ptr<BeatEngine<SoftmaxRows>> make_softmax_rtl_body(
    std::shared_ptr<const RtlLibrary> library, const RtlTrace* trace = nullptr);

}  // namespace quadrille::hw
