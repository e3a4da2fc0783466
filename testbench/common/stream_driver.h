// Drives one command through a beat body: feeds the beats of its input stream
// from a memory, stores its output beats there, holds it to the contract of
// hw/engines/beat_engine.h and counts cycles.
#pragma once

#include <algorithm>
#include <cstdint>
#include <stdexcept>
#include <string>

#include "hw/engines/beat_engine.h"
#include "hw/memory/bytes.h"
#include "hw/memory/stream.h"

namespace quadrille::testbench {

/// Which cycles the surroundings hold each port, in percent. A decision is a
/// hash of seed, port and cycle, so it cannot depend on the engine.
struct Stalls {
  std::uint64_t seed = 0;
  int command_percent = 0;
  int input_percent = 0;
  int output_percent = 0;

  enum Port { kCommand, kInput, kOutput };
  bool holds(Port port, std::int64_t cycle) const {
    const int percent = port == kCommand ? command_percent
                        : port == kInput ? input_percent
                                         : output_percent;
    std::uint64_t x = seed * 0x9E3779B97F4A7C15ULL + static_cast<std::uint64_t>(cycle) * 3 + port;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
    return static_cast<int>((x ^ (x >> 31)) % 100) < percent;
  }
};

struct DriveResult {
  std::int64_t cycles = 0;  ///< From the edge that accepts the command until command_ready.
  std::int64_t input_beats = 0;
  std::int64_t output_beats = 0;
};

/// Throws std::runtime_error when the body breaks its contract.
template <typename Operation>
DriveResult drive(hw::BeatEngine<Operation>& body, const Operation& operation,
                  const hw::Stream& input, const hw::Stream& output, hw::Bytes memory,
                  const Stalls& stalls = {}, std::int64_t cycle_limit = 10'000'000) {
  const auto require = [](bool condition, const std::string& what, std::int64_t cycle) {
    if (!condition) throw std::runtime_error(what + " in cycle " + std::to_string(cycle));
  };
  hw::StreamCursor in(input);
  hw::StreamCursor out(output);
  DriveResult result;
  bool accepted = false;
  hw::Beat beat;
  for (std::int64_t cycle = 0; cycle < cycle_limit; ++cycle) {
    if (accepted && body.command_ready()) {
      require(in.done() && out.done(), "command_ready before the last beat", cycle);
      require(!body.output_valid() && !body.input_ready(), "a port moves while idle", cycle);
      return result;
    }
    require(accepted || (body.command_ready() && !body.input_ready() && !body.output_valid()),
            "not idle before the command", cycle);
    hw::BeatInputs<Operation> pins;
    if (!accepted && !stalls.holds(Stalls::kCommand, cycle)) pins.command = &operation;
    if (!in.done() && !stalls.holds(Stalls::kInput, cycle)) {
      beat = {};
      beat.size = in.bytes();
      std::copy_n(memory.at(in.address(), static_cast<std::uint64_t>(beat.size)), beat.size,
                  beat.bytes.begin());
      pins.input = &beat;
    }
    pins.output_ready = !stalls.holds(Stalls::kOutput, cycle);
    const bool input_moves = pins.input != nullptr && body.input_ready();
    if (pins.output_ready && body.output_valid()) {
      require(!out.done(), "more output beats than listed", cycle);
      const hw::Beat& given = body.output();
      require(given.size == out.bytes(),
              "output beat of " + std::to_string(given.size) + " bytes, listed " +
                  std::to_string(out.bytes()),
              cycle);
      require(std::all_of(given.bytes.begin() + given.size, given.bytes.end(),
                          [](std::uint8_t byte) { return byte == 0; }),
              "output beat is not zero beyond its size", cycle);
      std::copy_n(given.bytes.begin(), given.size,
                  memory.at(out.address(), static_cast<std::uint64_t>(given.size)));
      out.advance();
      ++result.output_beats;
    }
    require(!(in.done() && body.input_ready()), "wants more input beats than listed", cycle);
    body.tick(pins);
    if (input_moves) {
      in.advance();
      ++result.input_beats;
    }
    if (accepted) ++result.cycles;
    accepted = accepted || pins.command != nullptr;
  }
  throw std::runtime_error("no command_ready within " + std::to_string(cycle_limit) + " cycles");
}

}  // namespace quadrille::testbench
