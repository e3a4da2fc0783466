// Vector unit: tile data and beat data equal the arithmetic of
// model/numerics, bit for bit, under stalls too.
#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "hw/engines/vector/vector_engine.h"
#include "model/numerics/reciprocal.h"
#include "model/numerics/rounding.h"
#include "testbench/common/drive.h"
#include "testbench/common/environment.h"
#include "testbench/common/portable_random.h"

namespace quadrille {
namespace {

using namespace hw;
using testbench::draw_lockstep_surroundings;
using testbench::drive;

struct Case {
  VectorConfig config;
  VectorRequantise operation;
  std::vector<std::uint8_t> memory;
};

Case random_case(std::mt19937_64& random) {
  const auto pick = [&](int low, int high) { return quadrille::pick(random, low, high); };
  Case result;
  const int lanes[] = {1, 3, 8, 32, 64};
  result.config.lanes = lanes[pick(0, 4)];
  VectorRequantise& operation = result.operation;
  operation.rows = pick(1, 6);
  operation.columns = pick(1, 150);
  operation.from = pick(0, 1) == 0 ? VectorSource::kSums32 : VectorSource::kCodes8;
  operation.to = pick(0, 1) == 0 ? VectorResult::kSums32 : VectorResult::kCodes8;
  operation.normalise = pick(0, 1) == 1;
  operation.fraction_bits = pick(0, 16);
  operation.source_pitch_bytes = 4 * (operation.columns + pick(0, 5));
  operation.destination_pitch_bytes = 4 * (operation.columns + pick(0, 5));
  operation.source = 64;
  operation.destination = 8192;
  operation.reciprocals = 16384;
  operation.multiplier.mantissa = static_cast<std::uint32_t>(pick(1 << 15, (1 << 16) - 1));
  operation.multiplier.shift = pick(0, 2) == 0 ? pick(0, 62) : pick(12, 40);
  result.memory.resize(16384 + 64);
  const int magnitude = pick(1, 32);
  for (std::size_t at = 0; at + 4 <= result.memory.size(); at += 4) {
    auto value = static_cast<std::int32_t>(random() & 0xFFFFFFFFU) >> (32 - magnitude);
    if (pick(0, 9) == 0) value = pick(0, 1) == 0 ? INT32_MIN : INT32_MAX;
    Bytes(result.memory.data(), result.memory.size()).write_i32(at, value);
  }
  for (int row = 0; row < operation.rows; ++row) {
    model::Reciprocal r = model::reciprocal(1 + (random() >> pick(17, 63)) % 1'000'000);
    if (pick(0, 9) == 0) r.mantissa = 1 << 16;  // The word's top bit, which no engine's output has.
    Bytes(result.memory.data(), result.memory.size())
        .write_i32(operation.reciprocals + 4 * static_cast<std::uint64_t>(row),
                   static_cast<std::int32_t>(r.mantissa | static_cast<unsigned>(r.shift) << 24));
  }
  return result;
}

/// The header's three lines, element by element. Returns the clamped results.
std::int64_t reference(const VectorRequantise& operation, Bytes memory) {
  std::int64_t clamped = 0;
  for (int row = 0; row < operation.rows; ++row) {
    for (int column = 0; column < operation.columns; ++column) {
      const auto source =
          operation.source + static_cast<std::uint64_t>(row * operation.source_pitch_bytes);
      const auto destination = operation.destination +
                               static_cast<std::uint64_t>(row * operation.destination_pitch_bytes);
      const auto at = static_cast<std::uint64_t>(column);
      std::int64_t x = operation.from == VectorSource::kSums32 ? memory.read_i32(source + 4 * at)
                                                               : *memory.at(source + at, 1);
      if (operation.normalise) {
        const auto packed = static_cast<std::uint32_t>(
            memory.read_i32(operation.reciprocals + 4 * static_cast<std::uint64_t>(row)));
        const std::int64_t wide =
            model::round_shift(x * static_cast<std::int64_t>(packed & 0x1FFFF),
                               static_cast<int>(packed >> 24) - operation.fraction_bits);
        x = model::saturate(wide, 32);
        clamped += x != wide ? 1 : 0;
      }
      if (operation.to == VectorResult::kSums32) {
        memory.write_i32(destination + 4 * at, static_cast<std::int32_t>(x));
        continue;
      }
      const std::int64_t code = model::requantise(x, operation.multiplier, 8);
      clamped += code != model::requantise(x, operation.multiplier, 62) ? 1 : 0;
      *memory.at(destination + at, 1) = static_cast<std::uint8_t>(code);
    }
  }
  return clamped;
}

std::string describe(const Case& c) {
  const VectorRequantise& o = c.operation;
  return "lanes " + std::to_string(c.config.lanes) + ", " + std::to_string(o.rows) + " x " +
         std::to_string(o.columns) + (o.from == VectorSource::kSums32 ? ", sums" : ", codes") +
         (o.to == VectorResult::kSums32 ? " to sums" : " to codes") +
         (o.normalise ? ", normalise at " + std::to_string(o.fraction_bits) : "") + ", shift " +
         std::to_string(o.multiplier.shift);
}

TEST(VectorUnit, TileAndBeatEqualTheSpecification) {
  const std::uint64_t seed = testbench::test_seed(20240501);
  SCOPED_TRACE("QUADRILLE_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int trial = 0; trial < 400; ++trial) {
    const Case c = random_case(random);
    SCOPED_TRACE("trial " + std::to_string(trial) + ": " + describe(c));
    auto expected = c.memory;
    const std::int64_t clamped = reference(c.operation, Bytes(expected.data(), expected.size()));

    auto tile = c.memory;
    Activity tile_values;
    VectorEngine(c.config).execute(c.operation, Bytes(tile.data(), tile.size()), tile_values);
    ASSERT_EQ(tile, expected);
    ASSERT_EQ(tile_values.saturated, clamped);

    // The second run on one body shows that a command leaves nothing behind.
    auto body_values = Activity{};
    auto body = make_vector_beat_body(c.config, &body_values);
    int runs = 0;
    for (int round = 1; round <= 2; ++round) {
      auto beat = c.memory;
      const auto surroundings = draw_lockstep_surroundings(random);
      drive(*body, c.operation, input_stream(c.config, c.operation),
            output_stream(c.config, c.operation), Bytes(beat.data(), beat.size()), surroundings);
      ASSERT_EQ(beat, expected) << "round " << round;
      runs += surroundings.again ? 2 : 1;
      ASSERT_EQ(body_values.saturated, runs * clamped);
    }
  }
}

TEST(VectorUnit, CountsEveryElementOnce) {
  VectorRequantise operation;
  operation.rows = 5;
  operation.columns = 77;
  EXPECT_EQ(VectorEngine::activity(operation).requantises, 5 * 77);
  EXPECT_EQ(VectorEngine::activity(operation).multiplies, 0);
  operation.normalise = true;
  operation.to = VectorResult::kSums32;
  EXPECT_EQ(VectorEngine::activity(operation).requantises, 0);
  EXPECT_EQ(VectorEngine::activity(operation).multiplies, 5 * 77);
}

TEST(VectorUnit, RefusesImpossibleCommands) {
  EXPECT_THROW(VectorEngine(VectorConfig{65}), InvariantError);
  VectorRequantise empty;
  EXPECT_THROW(VectorEngine(VectorConfig{}).alone_cycles(empty), InvariantError);
}

}  // namespace
}  // namespace quadrille
