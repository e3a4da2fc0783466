// The one interface of every engine body that is timed cycle by cycle: its
// SystemC body (timing `beat`) and its RTL adapter stand behind it, so that
// either can take the other's place.
#pragma once

#include <array>
#include <cstdint>

#include "hw/engines/command_course.h"

namespace quadrille::hw {

/// One beat of a stream: at most kBytes bytes cross the port in one cycle.
/// Bytes beyond `size` are zero.
struct Beat {
  static constexpr int kBytes = 256;
  std::array<std::uint8_t, kBytes> bytes{};
  int size = 0;
};

/// One clock edge's inputs: what the surroundings drive into an engine.
template <typename Operation>
struct BeatInputs {
  const Operation* command = nullptr;  ///< A valid command, or null.
  const Beat* input = nullptr;         ///< A valid input beat, or null.
  bool output_ready = false;
};

/// A body whatever its commands are.
class AnyBeatEngine {
 public:
  virtual ~AnyBeatEngine() = default;
};

/// An engine with one packed command, one input stream and one output stream.
///
/// Contract:
///  - Moore pins: every output below is a function of registered state. It may
///    be read any number of times between two ticks and never depends on what
///    is driven in the same cycle. So two bodies can be compared pin by pin.
///  - A transfer happens at tick() when the engine's ready (or valid) and the
///    surroundings' valid (or ready) are both set in that cycle.
///  - One command at a time: command_ready() falls with the accepted command
///    and rises again in the cycle after the command's last output beat was
///    taken (or, when it has no output, after its last input beat has taken
///    effect).
///  - The engine takes exactly the input beats that its operation's
///    input_stream() lists, in that order, and gives exactly the output beats
///    of output_stream(). Bits of a beat beyond its size are ignored.
///  - repeat_input() asks for the input stream once more, from its beginning. It
///    may rise when all beats of the present pass were taken and falls when the
///    first beat of the next is taken. How often it rises may depend on data.
///  - Reset state: no command, command_ready() true.
template <typename Operation>
class BeatEngine : public AnyBeatEngine {
 public:
  virtual bool command_ready() const = 0;
  virtual bool input_ready() const = 0;
  virtual bool output_valid() const = 0;
  virtual bool repeat_input() const { return false; }
  /// Defined only while output_valid().
  virtual const Beat& output() const = 0;
  /// One rising clock edge.
  virtual void tick(const BeatInputs<Operation>& inputs) = 0;

  /// The course that the last command's data decided, once it has ended. It is no
  /// pin, so a body that cannot tell (RTL) has none.
  virtual const CommandCourse* course() const { return nullptr; }
};

}  // namespace quadrille::hw
