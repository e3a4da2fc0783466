// One body through one operation, in the surroundings of lockstep.h.
#pragma once

#include <gtest/gtest.h>

#include "testbench/common/lockstep.h"

namespace quadrille::testbench {

template <typename Random>
Surroundings draw_surroundings(Random& random) {
  Surroundings result{Pacer::draw(random), Pacer::draw(random), Pacer::draw(random), 0};
  result.padding = static_cast<std::uint8_t>(random());
  return result;
}

/// Draws surroundings in which one command in four comes again while it runs.
template <typename Random>
Surroundings draw_lockstep_surroundings(Random& random) {
  Surroundings result = draw_surroundings(random);
  result.again = random() % 4 == 0;
  return result;
}

/// Fails the test when the body breaks its contract. Returns the cycles from
/// the one that accepts the command to the one that shows command_ready again.
template <typename Operation>
std::int64_t drive(hw::BeatEngine<Operation>& body, const Operation& operation,
                   const hw::Stream& input, const hw::Stream& output, const hw::Bytes& memory,
                   const Surroundings& surroundings = {}) {
  std::int64_t cycle = 0;
  const LockstepResult result = run_lockstep<Operation>({&body}, operation, input, output, memory,
                                                        surroundings, cycle, 10'000'000);
  EXPECT_EQ(result.difference, "");
  EXPECT_EQ(result.input_beats, result.input_passes * hw::stream_beats(input));
  EXPECT_EQ(result.output_beats, hw::stream_beats(output));
  return result.cycles;
}

}  // namespace quadrille::testbench
