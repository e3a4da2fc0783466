// The CIM bank in lockstep: plain product = tile data path = SystemC-side bodies
// = RTL, bit for bit, and the last two pin for pin in every cycle, one port
// alone and both at once.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <iostream>
#include <optional>
#include <random>

#include "hw/engines/cim/cim_bank.h"
#include "model/errors.h"
#include "testbench/common/cim_case.h"
#include "testbench/common/drive.h"
#include "testbench/common/environment.h"
#include "testbench/common/lockstep.h"
#include "testbench/common/test_rtl.h"

namespace quadrille::testbench {
namespace {

using hw::Bytes;
using hw::CimBank;
using hw::CimBodies;
using hw::CimConfig;

constexpr CimConfig kSmall{32, 64, 16, 8, 8, 16, 16, 16, true};
constexpr CimConfig kOdd{6, 24, 10, 6, 5, 12, 20, 4, true};

/// A bank of each kind, each with its own books.
struct Pair {
  explicit Pair(const CimConfig& config, CimBodies (*make_rtl)(CimBank&) = cim_rtl)
      : beat_bank(config),
        rtl_bank(config),
        beat{hw::make_cim_write_beat_body(beat_bank), hw::make_cim_multiply_beat_body(beat_bank)},
        rtl(make_rtl(rtl_bank)) {}

  LockstepResult run(const hw::CimWrite& write, const Bytes& memory,
                     const Surroundings& surroundings, std::int64_t& cycle) {
    return run_lockstep<hw::CimWrite>({beat.write.get(), rtl.write.get()}, write,
                                      input_stream(beat_bank.config(), write), {}, memory,
                                      surroundings, cycle);
  }
  LockstepResult run(const hw::CimMultiply& multiply, const Bytes& memory,
                     const Surroundings& surroundings, std::int64_t& cycle) {
    const CimConfig& config = beat_bank.config();
    return run_lockstep<hw::CimMultiply>(
        {beat.multiply.get(), rtl.multiply.get()}, multiply, input_stream(config, multiply),
        output_stream(config, multiply), memory, surroundings, cycle);
  }

  CimBank beat_bank;
  CimBank rtl_bank;
  CimBodies beat;
  CimBodies rtl;
};

std::vector<std::uint8_t> tile_result(const CimCase& test, std::int64_t* saturated = nullptr) {
  auto memory = test.before;
  const Bytes bytes(memory.data(), memory.size());
  hw::Activity values;
  CimBank bank(test.config);
  bank.start(test.write);
  bank.execute(test.write, bytes, values);
  bank.finish(test.write);
  bank.start(test.multiply);
  bank.execute(test.multiply, bytes, values);
  bank.finish(test.multiply);
  if (saturated != nullptr) *saturated = values.saturated;
  return memory;
}

/// Write and multiply, once unstalled and once under random stalls.
void dance_one(Pair& pair, const CimCase& test, std::mt19937_64& random, std::int64_t& cycle) {
  for (const bool stalled : {false, true}) {
    SCOPED_TRACE(test.describe() + (stalled ? ", stalled" : ""));
    auto memory = test.before;
    const Bytes bytes(memory.data(), memory.size());
    const auto surroundings = [&] {
      return stalled ? draw_lockstep_surroundings(random) : Surroundings{};
    };
    const LockstepResult write = pair.run(test.write, bytes, surroundings(), cycle);
    ASSERT_EQ(write.difference, "") << "write";
    const LockstepResult multiply = pair.run(test.multiply, bytes, surroundings(), cycle);
    ASSERT_EQ(multiply.difference, "") << "multiply";
    ASSERT_EQ(memory, test.after);
    if (stalled) continue;
    ASSERT_EQ(write.cycles, pair.beat_bank.alone_cycles(test.write));
    ASSERT_EQ(multiply.cycles, pair.beat_bank.alone_cycles(test.multiply));
  }
}

void dance(const CimConfig& config, int rounds, int max_tiles) {
  const std::uint64_t seed = test_seed(2);
  SCOPED_TRACE("QUADRILLE_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  Pair pair(config);
  std::int64_t cycle = 0;
  for (int round = 0; round < rounds && !testing::Test::HasFailure(); ++round) {
    const int tiles = round % 8 == 7 ? config.macros : max_tiles;
    const CimCase test = random_cim_case(random, config, tiles, 0, config.macros - 1);
    std::int64_t saturated = 0;
    ASSERT_EQ(tile_result(test, &saturated), test.after) << test.describe();
    ASSERT_EQ(saturated, test.saturated) << test.describe();
    dance_one(pair, test, random, cycle);
  }
  std::cout << "cim macros " << config.macros << ", rows " << config.rows << ": " << 4 * rounds
            << " commands, " << cycle << " cycles, seed " << seed << "\n";
}

// Sizes that nobody chose: drawn, or those of the user's chip.
TEST(CimRtl, StaysInStepAtAnyChip) {
  dance(lockstep_chip().cim, lockstep_runs(1'000) / 10, std::min(4, lockstep_chip().cim.macros));
}

TEST(CimRtl, StaysInStepAtTheSmallPoint) { dance(kSmall, lockstep_runs(1'000) / 10, 4); }

TEST(CimRtl, StaysInStepAtAnOddPoint) { dance(kOdd, lockstep_runs(2'000) / 10, 4); }

TEST(CimRtl, StaysInStepAtTheDefaultPoint) {
  dance(CimConfig{}, lockstep_runs(2'000) / 2'000 + 1, 3);
}

/// One command on one port of both banks, a cycle at a time.
template <typename Operation>
class PortRun {
 public:
  using Body = hw::BeatEngine<Operation>;

  PortRun(Body& beat, Body& rtl, const Operation& operation, hw::Stream input, hw::Stream output,
          std::vector<std::uint8_t>& memory, const Surroundings& surroundings)
      : beat_(beat),
        rtl_(rtl),
        operation_(operation),
        input_(std::move(input)),
        output_(std::move(output)),
        reader_(input_),
        writer_(output_),
        memory_(memory.data(), memory.size()),
        surroundings_(surroundings) {}

  /// False until both bodies are ready again. A difference is a failure of the
  /// test.
  bool done() const { return done_; }

  void step(std::int64_t cycle) {
    compare();
    if (accepted_ && beat_.command_ready()) {
      done_ = true;
      EXPECT_TRUE(reader_.done() && writer_.done());
      return;
    }
    if (!accepted_ && !surroundings_.command.go(cycle)) return;  // The bodies rest.
    hw::BeatInputs<Operation> drive;
    hw::Beat beat;
    if (!accepted_) drive.command = &operation_;
    offered_ = !reader_.done() && (offered_ || surroundings_.input.go(cycle));
    if (offered_) {
      beat.bytes.fill(surroundings_.padding);
      beat.size = reader_.bytes();
      const auto count = static_cast<std::size_t>(beat.size);
      std::memcpy(beat.bytes.data(), memory_.at(reader_.address(), count), count);
      drive.input = &beat;
    }
    drive.output_ready = surroundings_.output.go(cycle);
    const bool taken = offered_ && beat_.input_ready();
    if (beat_.output_valid() && drive.output_ready) {
      const auto count = static_cast<std::size_t>(beat_.output().size);
      std::memcpy(memory_.at(writer_.address(), count), beat_.output().bytes.data(), count);
      writer_.advance();
    }
    beat_.tick(drive);
    rtl_.tick(drive);
    accepted_ = true;
    if (!taken) return;
    reader_.advance();
    offered_ = false;
  }

 private:
  void compare() const {
    EXPECT_EQ(beat_.command_ready(), rtl_.command_ready());
    EXPECT_EQ(beat_.input_ready(), rtl_.input_ready());
    EXPECT_EQ(beat_.output_valid(), rtl_.output_valid());
    if (!beat_.output_valid() || !rtl_.output_valid()) return;
    EXPECT_EQ(beat_.output().size, rtl_.output().size);
    EXPECT_EQ(beat_.output().bytes, rtl_.output().bytes);
  }

  Body& beat_;
  Body& rtl_;
  Operation operation_;
  hw::Stream input_;
  hw::Stream output_;
  hw::StreamCursor reader_;
  hw::StreamCursor writer_;
  Bytes memory_;
  Surroundings surroundings_;
  bool accepted_ = false;
  bool offered_ = false;
  bool done_ = false;
};

// One half of the macros computes while the other is written, turn about; a
// port that has no command is not ticked.
void dance_both_ports(const CimConfig& config, int rounds, int max_tiles) {
  const std::uint64_t seed = test_seed(5);
  SCOPED_TRACE("QUADRILLE_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  Pair pair(config);
  std::int64_t cycle = 0;
  std::int64_t both = 0;
  std::optional<CimCase> resident;
  for (int round = 0; round < rounds && !testing::Test::HasFailure(); ++round) {
    const int half = config.macros / 2;
    const int first = round % 2 == 0 ? 0 : half;
    CimCase next = random_cim_case(random, config, max_tiles, first, first + half - 1);
    SCOPED_TRACE("round " + std::to_string(round) + ": writes " + next.describe());
    PortRun<hw::CimWrite> write(*pair.beat.write, *pair.rtl.write, next.write,
                                input_stream(config, next.write), {}, next.before,
                                draw_surroundings(random));
    std::optional<PortRun<hw::CimMultiply>> multiply;
    if (resident) {
      multiply.emplace(*pair.beat.multiply, *pair.rtl.multiply, resident->multiply,
                       input_stream(config, resident->multiply),
                       output_stream(config, resident->multiply), resident->before,
                       draw_surroundings(random));
    }
    const bool write_first = random() % 2 == 0;
    while ((!write.done() || (multiply && !multiply->done())) && !testing::Test::HasFailure()) {
      both += !write.done() && multiply && !multiply->done() ? 1 : 0;
      if (write_first && !write.done()) write.step(cycle);
      if (multiply && !multiply->done()) multiply->step(cycle);
      if (!write_first && !write.done()) write.step(cycle);
      ++cycle;
    }
    if (resident) {
      ASSERT_EQ(resident->before, resident->after) << resident->describe();
    }
    resident = std::move(next);
  }
  EXPECT_GT(both, 0);
}

TEST(CimRtl, BothPortsAtOnceAtTheSmallPoint) {
  dance_both_ports(kSmall, lockstep_runs(1'000) / 10, 6);
}

TEST(CimRtl, BothPortsAtOnceAtAnOddPoint) { dance_both_ports(kOdd, lockstep_runs(1'000) / 10, 3); }

TEST(CimRtl, BothPortsAtOnceAtTheDefaultPoint) {
  dance_both_ports(CimConfig{}, lockstep_runs(6'000) / 2'000 + 3, 4);
}

/// A case whose epilogue normalises, or one without an epilogue.
CimCase case_with(std::mt19937_64& random, const CimConfig& config, const CimShape& shape,
                  int first_macro, CimCodes codes, bool normalises) {
  for (;;) {
    CimCase test = make_cim_case(random, config, shape, first_macro, codes);
    const hw::CimEpilogue& epilogue = test.multiply.epilogue;
    if (normalises ? epilogue.normalise : !epilogue.works()) return test;
  }
}

// The widths of the accumulators: all macros in one column or in one row, the
// codes whose sums are the largest.
void dance_largest(const CimConfig& config, int tokens, const std::vector<CimShape>& shapes) {
  const std::uint64_t seed = test_seed(3);
  SCOPED_TRACE("QUADRILLE_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  Pair pair(config);
  std::int64_t cycle = 0;
  for (CimShape shape : shapes) {
    for (const CimCodes codes : {CimCodes::kLowest, CimCodes::kExtremes}) {
      for (const bool is_signed : {false, true}) {
        shape.tokens = tokens;
        // An epilogue would round or clamp the highest bits away.
        CimCase test = case_with(random, config, shape, 0, codes, false);
        test.multiply.input_bits = config.input_bits;
        test.multiply.input_signed = is_signed;
        test.write.weight_bits = test.multiply.weight_bits = config.weight_bits;
        test.after = tile_result(test);
        dance_one(pair, test, random, cycle);
        if (testing::Test::HasFailure()) return;
      }
    }
  }
}

TEST(CimRtl, LargestSumsFitAtTheSmallPoint) {
  dance_largest(kSmall, 9, {{kSmall.macros * kSmall.rows, 1}, {1, kSmall.macros * kSmall.columns}});
}

TEST(CimRtl, LargestSumsFitAtAnOddPoint) {
  dance_largest(kOdd, 9, {{kOdd.macros * kOdd.rows, 1}, {1, kOdd.macros * kOdd.columns}});
}

TEST(CimRtl, LargestSumsFitAtTheDefaultPoint) { dance_largest({}, 1, {{2048, 1}}); }

/// Tokens of few bits, one behind the other: the output buffers keep them waiting.
void dance_short_tokens(const CimConfig& config, int tokens, const std::vector<int>& columns,
                        bool normalises) {
  const std::uint64_t seed = test_seed(6);
  SCOPED_TRACE("QUADRILLE_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  Pair pair(config);
  std::int64_t cycle = 0;
  for (const int count : columns) {
    CimCase test = case_with(random, config, {5, count, tokens}, 3, CimCodes::kUniform, normalises);
    for (const int bits : {1, 2, 4}) {
      test.multiply.input_bits = bits;
      test.after = tile_result(test);
      dance_one(pair, test, random, cycle);
      if (testing::Test::HasFailure()) return;
    }
  }
}

// Nothing but the output buffers keeps the token behind a short one waiting.
TEST(CimRtl, ShortTokensWaitForOutputBuffers) {
  for (const CimConfig& config : {kSmall, kOdd})
    dance_short_tokens(config, 40, {1, 4, config.columns, config.columns + 1}, false);
}

// The places that hold reciprocals are used again and again: 16 of them at the small point,
// 64 at the default one.
TEST(CimRtl, ReciprocalsGoAroundTheirPlacesAtTheSmallPoint) {
  dance_short_tokens(kSmall, 3 * 16 + 1, {1, 5, kSmall.columns + 1}, true);
}

TEST(CimRtl, ReciprocalsGoAroundTheirPlacesAtTheDefaultPoint) {
  dance_short_tokens(CimConfig{}, 3 * 64 + 1, {1}, true);
}

// A model in which the weights' sign bit is another one: the comparison must
// say so, at a data pin, or it compares nothing.
TEST(CimRtl, OneWrongConstantIsFound) {
  const std::uint64_t seed = test_seed(4);
  SCOPED_TRACE("QUADRILLE_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  int found = 0;
  for (int trial = 0; trial < 20; ++trial) {
    Pair pair(kSmall, [](hw::CimBank& bank) {
      return hw::make_cim_rtl_bodies(bank, wrong_rtl_library(hw::cim_rtl_design(bank.config())));
    });
    // An epilogue may round the difference away.
    CimCase test = case_with(random, kSmall, {64, 16, 2}, 1, CimCodes::kExtremes, false);
    test.write.weight_bits = test.multiply.weight_bits = 8;
    const Bytes memory(test.before.data(), test.before.size());
    std::int64_t cycle = 0;
    ASSERT_EQ(pair.run(test.write, memory, {}, cycle).difference, "");
    const LockstepResult result = pair.run(test.multiply, memory, {}, cycle);
    found += result.difference.rfind("output bytes", 0) == 0 ? 1 : 0;
  }
  EXPECT_EQ(found, 20);
}

// The RTL keeps the bank's books as the SystemC bodies do.
TEST(CimRtl, RefusesWeightsThatAreNotThere) {
  CimBank bank(kOdd);
  const CimBodies rtl = cim_rtl(bank);
  std::mt19937_64 random(1);
  const CimCase test = make_cim_case(random, kOdd, {24, 10, 1}, 0, CimCodes::kUniform);
  hw::BeatInputs<hw::CimMultiply> pins;
  pins.command = &test.multiply;
  EXPECT_THROW(rtl.multiply->tick(pins), InvariantError);
}

}  // namespace
}  // namespace quadrille::testbench
