// The DAMF engine: timing contract, tile data path, activity.
// docs/engines/damf.md is its page; model/attention/damf.h its specification.
#pragma once

#include <cstdint>
#include <memory>

#include "hw/engines/activity.h"
#include "hw/engines/beat_engine.h"
#include "hw/engines/damf/damf_operations.h"
#include "hw/engines/rtl/rtl_library.h"
#include "hw/memory/bytes.h"

namespace quadrille::hw {

/// Latencies of the engine's never-stalling pipelines, in cycles; the numbers
/// of docs/engines/damf.md, met by rtl/damf.
struct DamfTiming {
  /// Row pipeline: a query row issued in cycle i has its parameters in i + 14.
  static constexpr int kRow = 14;
  /// The last beat of a column group to the first output beat offered.
  static constexpr int kArrayOutput = 15;
  /// A collapsed row issued to its output beat offered.
  static constexpr int kCollapsedOutput = 20;
  /// A token's last beat to its output beat offered, plus tree_stages().
  static constexpr int kProjectOutput = 8;
  /// Output beats beyond query_rows that the output FIFO holds.
  static constexpr int kFifoMargin = 20;

  /// Registered stages of an adder tree over `lanes`, two levels each.
  static int tree_stages(int lanes);
  static int fifo_depth(const DamfConfig& config) { return config.query_rows + kFifoMargin; }
};

class DamfEngine {
 public:
  explicit DamfEngine(const DamfConfig& config) : config_(config) {}

  /// The timing contract: cycles from the command's acceptance to
  /// command_ready again when neither stream ever stalls.
  std::int64_t alone_cycles(const DamfOperation& operation) const;

  /// Reads the operands from the scratchpad and writes the results there. Adds
  /// what only values tell: `saturated` and `uniform_rows`.
  void execute(const DamfOperation& operation, const Bytes& scratchpad, Activity& activity) const;

  /// Everything that is counted from the operation alone.
  Activity activity(const DamfOperation& operation) const;

 private:
  DamfConfig config_;
};

/// The SystemC-side body, cycle by cycle.
std::unique_ptr<BeatEngine<DamfOperation>> make_damf_beat_body(const DamfConfig& config);

/// What of the RTL is to be built for `config`, and the body around a library of it;
/// with a waveform when `trace` is not null.
RtlDesign damf_rtl_design(const DamfConfig& config);
std::unique_ptr<BeatEngine<DamfOperation>> make_damf_rtl_body(
    std::shared_ptr<const RtlLibrary> library, const RtlTrace* trace = nullptr);

}  // namespace quadrille::hw
