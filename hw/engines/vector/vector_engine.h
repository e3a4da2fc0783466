// The vector unit: scales, normalises and saturates rows between the engines.
// It keeps no data from one command to the next. docs/engines/vector.md.
#pragma once

#include <cstdint>
#include <memory>

#include "hw/engines/activity.h"
#include "hw/engines/beat_engine.h"
#include "hw/engines/vector/vector_operations.h"
#include "hw/memory/bytes.h"

namespace quadrille::hw {

/// The unit's latencies in cycles; the documentation prints these numbers.
struct VectorTiming {
  int latency = 5;      ///< Cycles from an element beat's acceptance to its result at the output.
  int output_fifo = 8;  ///< Beats in the pipeline and behind it; credits.
};
inline constexpr VectorTiming kVectorTiming;

class VectorEngine {
 public:
  /// Throws InvariantError when a beat does not fit the port.
  explicit VectorEngine(const VectorConfig& config);

  /// Cycles from the one that accepts the command to the one that shows
  /// command_ready again, when neither stream stalls.
  std::int64_t alone_cycles(const VectorRequantise& operation) const;

  /// Everything that the operation alone determines; the same without data.
  static Activity activity(const VectorRequantise& operation);

  /// The command's data in one go. Adds to `values` only what depends on the
  /// data (`saturated`); activity() has the rest.
  void execute(const VectorRequantise& operation, Bytes scratchpad, Activity& values) const;

 private:
  VectorConfig config_;
};

/// The body that is timed cycle by cycle. Counters of values go to `*values`
/// unless that is null.
std::unique_ptr<BeatEngine<VectorRequantise>> make_vector_beat_body(const VectorConfig& config,
                                                                    Activity* values = nullptr);

/// Throws InvariantError with names and numbers when the operation is impossible.
void validate(const VectorRequantise& operation);

}  // namespace quadrille::hw
