// Drives bodies of one engine through an operation and compares every pin of
// every cycle. The surroundings are a memory that serves the operation's input
// stream and stores its output stream.
#pragma once

#include <cstring>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "hw/engines/beat_engine.h"
#include "hw/memory/bytes.h"
#include "hw/memory/stream.h"
#include "testbench/common/pacer.h"

namespace quadrille::testbench {

struct Surroundings {
  Pacer command;
  Pacer input;
  Pacer output;
  /// Bytes of a beat beyond its size: the contract says that they are ignored.
  std::uint8_t padding = 0;
  /// The operation is offered again while it runs, and runs twice: a body must
  /// not look at a command before it is ready for it.
  bool again = false;
};

struct LockstepResult {
  std::int64_t cycles = 0;  ///< Command accepted to command_ready again.
  std::int64_t input_beats = 0;
  std::int64_t output_beats = 0;
  std::int64_t input_passes = 1;  ///< The input stream was read so often.
  std::int64_t compared_pins = 0;
  std::string difference;  ///< Stays empty when no pin differed and both streams are complete.
};

/// Runs one operation on every body at once. `cycle` is the bodies' common
/// clock and is advanced. Stops at the first difference. The result's figures are
/// those of the first run when the operation runs twice.
template <typename Operation>
LockstepResult run_lockstep(const std::vector<hw::BeatEngine<Operation>*>& bodies,
                            const Operation& operation, const hw::Stream& input,
                            const hw::Stream& output, const hw::Bytes& memory,
                            const Surroundings& surroundings, std::int64_t& cycle,
                            std::int64_t cycle_limit = 1'000'000) {
  LockstepResult result;
  hw::StreamCursor reader(input);
  hw::StreamCursor writer(output);
  std::int64_t accepted = -1;
  bool command_offered = false;
  bool input_offered = false;
  bool second = false;
  const std::int64_t started = cycle;
  const auto differ = [&](const std::string& what) {
    std::ostringstream text;
    text << what << " in cycle " << (accepted < 0 ? cycle - started : cycle - accepted)
         << (accepted < 0 ? " before" : " after") << " acceptance, input beat "
         << result.input_beats << ", output beat " << result.output_beats;
    result.difference = text.str();
    return result;
  };
  hw::BeatEngine<Operation>& first = *bodies.front();
  for (;; ++cycle) {
    if (cycle - started > cycle_limit) return differ("no end");
    const bool command_ready = first.command_ready();
    const bool input_ready = first.input_ready();
    const bool output_valid = first.output_valid();
    const bool repeat_input = first.repeat_input();
    for (std::size_t i = 1; i < bodies.size(); ++i) {
      const auto pin = [&](const char* name, bool expected, bool actual) -> std::string {
        ++result.compared_pins;
        if (expected == actual) return {};
        return std::string(name) + ": body 0 " + (expected ? "1" : "0") + ", body " +
               std::to_string(i) + (actual ? " 1" : " 0");
      };
      for (const std::string& difference :
           {pin("command_ready", command_ready, bodies[i]->command_ready()),
            pin("input_ready", input_ready, bodies[i]->input_ready()),
            pin("output_valid", output_valid, bodies[i]->output_valid()),
            pin("repeat_input", repeat_input, bodies[i]->repeat_input())}) {
        if (!difference.empty()) return differ(difference);
      }
      if (!output_valid) continue;
      const hw::Beat& expected = first.output();
      const hw::Beat& actual = bodies[i]->output();
      ++result.compared_pins;
      if (expected.size != actual.size) return differ("output size");
      if (expected.bytes != actual.bytes) return differ("output bytes");
    }
    if (accepted >= 0 && command_ready) {
      if (!second) result.cycles = cycle - accepted;
      if (!reader.done()) return differ("command ended before its input");
      if (!writer.done()) return differ("command ended before its output");
      if (second || !surroundings.again) return result;
      second = true;
      accepted = -1;
      reader = hw::StreamCursor(input);
      writer = hw::StreamCursor(output);
    }
    if (accepted >= 0 && repeat_input && reader.done()) {
      reader = hw::StreamCursor(input);
      if (!second) ++result.input_passes;
    }
    const bool commands_left = accepted < 0 || (surroundings.again && !second);
    command_offered = commands_left && (command_offered || surroundings.command.go(cycle));
    input_offered = (accepted >= 0 || command_offered) && !reader.done() &&
                    (input_offered || surroundings.input.go(cycle));
    const bool output_ready = surroundings.output.go(cycle);
    hw::BeatInputs<Operation> drive;
    hw::Beat beat;
    if (command_offered) drive.command = &operation;
    if (input_offered) {
      beat.bytes.fill(surroundings.padding);
      beat.size = reader.bytes();
      const auto count = static_cast<std::size_t>(beat.size);
      std::memcpy(beat.bytes.data(), memory.at(reader.address(), count), count);
      drive.input = &beat;
    }
    drive.output_ready = output_ready;
    const bool takes_input = input_offered && input_ready;
    const bool takes_command = command_offered && command_ready;
    if (output_valid && output_ready) {
      if (writer.done()) return differ("more output than the stream lists");
      const hw::Beat& out = first.output();
      if (out.size != writer.bytes()) return differ("output size against the stream");
      const auto count = static_cast<std::size_t>(out.size);
      std::memcpy(memory.at(writer.address(), count), out.bytes.data(), count);
      writer.advance();
      if (!second) ++result.output_beats;
    }
    if (input_ready && reader.done()) return differ("input wanted beyond the stream");
    for (hw::BeatEngine<Operation>* body : bodies) body->tick(drive);
    if (takes_input) {
      reader.advance();
      if (!second) ++result.input_beats;
      input_offered = false;
    }
    if (takes_command) {
      accepted = cycle;
      command_offered = false;
    }
  }
}

}  // namespace quadrille::testbench
