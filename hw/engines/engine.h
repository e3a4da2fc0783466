// What the chip asks of an engine, for the commands of one of its units: streams,
// cycles, work, data, and the body that is timed cycle by cycle. EngineUnit
// (hw/engine_unit.h) drives it; docs/adding-an-engine.md says what else an engine has.
#pragma once

#include <cstdint>
#include <memory>

#include "hw/engines/activity.h"
#include "hw/engines/beat_engine.h"
#include "hw/engines/command_course.h"
#include "hw/memory/bytes.h"
#include "hw/memory/stream.h"

namespace quadrille::hw {

/// Contract: calls are made once per command, never per beat. With data or without,
/// an operation has the same streams; with the same course it has the same cycles
/// and activity. begin() and end() enclose every command in tile timing; a body
/// keeps its own books.
template <typename Op>
class Engine {
 public:
  virtual ~Engine() = default;

  /// The beats in and out, in the order of their transfer; a course may repeat the
  /// input.
  virtual Stream input(const Op& operation) const = 0;
  virtual Stream output(const Op& operation) const = 0;

  /// What there is to say about the command without data.
  virtual CommandCourse course(const Op&) const { return {}; }
  /// Cycles from the one that accepts the command to the one that shows
  /// command_ready again, when no stream stalls.
  virtual std::int64_t alone_cycles(const Op& operation, const CommandCourse& course) const = 0;
  /// Everything that the operation and its course determine.
  virtual Activity activity(const Op& operation, const CommandCourse& course) const = 0;
  /// The most cycles that the body may work without a transfer.
  virtual std::int64_t longest_silence(const Op&) const { return 0; }
  /// True when the input ends in the CIM's cells and not in the engine.
  virtual bool writes_cells() const { return false; }

  virtual void begin(const Op&) {}
  virtual void end(const Op&) {}
  /// Tile timing: the command's data in one go. Counters of values are added to
  /// `values`; the course tells what the data decided.
  virtual CommandCourse execute(const Op& operation, const Bytes& scratchpad, Activity& values) = 0;

  /// Beat timing: the SystemC body. It adds its counters of values to `*values`.
  virtual std::unique_ptr<BeatEngine<Op>> body(Activity* values) = 0;
};

}  // namespace quadrille::hw
