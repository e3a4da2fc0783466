// Softmax engine: tile data and beat data equal model/attention/softmax.h bit
// for bit, under stalls too.
#include "hw/engines/softmax/softmax_engine.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "model/attention/softmax.h"
#include "model/numerics/exp2.h"
#include "model/numerics/reciprocal.h"
#include "model/numerics/rounding.h"
#include "testbench/common/drive.h"
#include "testbench/common/seed.h"

namespace quadrille {
namespace {

using namespace hw;
using testbench::draw_surroundings;
using testbench::drive;

constexpr std::uint64_t kSource = 0;
constexpr std::uint64_t kDestination = 1 << 16;
constexpr std::uint64_t kReciprocals = (1 << 16) + (1 << 14);
constexpr std::size_t kMemory = kReciprocals + 256;

struct Case {
  SoftmaxConfig config;
  SoftmaxRows operation;
  std::vector<std::uint8_t> memory;

  std::string describe() const {
    return "lanes " + std::to_string(config.lanes) + ", " + std::to_string(operation.queries) +
           " queries x " + std::to_string(operation.keys) + " keys" +
           (operation.causal ? ", causal from " + std::to_string(operation.first_query) : "") +
           ", factor " + std::to_string(operation.factor.mantissa) + " >> " +
           std::to_string(operation.factor.shift);
  }
};

Case random_case(std::mt19937_64& random) {
  const auto pick = [&](int low, int high) {
    return std::uniform_int_distribution<int>(low, high)(random);
  };
  Case c;
  const int lanes[] = {1, 3, 8, 32, 64};
  c.config.lanes = lanes[pick(0, 4)];
  c.config.max_keys = 512;
  SoftmaxRows& operation = c.operation;
  operation.queries = pick(1, 9);
  operation.keys = pick(0, 3) == 0 ? pick(1, 4) : pick(1, 200);
  operation.causal = pick(0, 1) == 1;
  operation.first_query = operation.causal ? pick(0, operation.keys) : 0;
  operation.source = kSource;
  operation.source_pitch_bytes = 4 * (operation.keys + pick(0, 9));
  operation.destination = kDestination;
  operation.destination_pitch_bytes = operation.keys + pick(0, 9);
  operation.reciprocals = kReciprocals;
  operation.factor.mantissa = static_cast<std::uint32_t>(pick(1 << 15, (1 << 16) - 1));
  operation.factor.shift = pick(0, 3) == 0 ? pick(0, 62) : pick(14, 30);
  c.memory.resize(kMemory);
  const int magnitude = pick(2, 32);
  for (std::size_t at = 0; at + 4 <= kDestination; at += 4) {
    auto value = static_cast<std::int32_t>(random() & 0xFFFFFFFFU) >> (32 - magnitude);
    if (magnitude == 32 && pick(0, 9) == 0) value = pick(0, 1) == 0 ? INT32_MIN : INT32_MAX;
    Bytes(c.memory.data(), c.memory.size()).write_i32(at, value);
  }
  for (std::size_t at = kDestination; at < kMemory; ++at) c.memory[at] = 0xEE;
  return c;
}

/// Codes and reciprocals by the scalar functions of model/numerics.
std::vector<std::uint8_t> reference(const Case& c) {
  auto memory = c.memory;
  const Bytes bytes(memory.data(), memory.size());
  for (int i = 0; i < c.operation.queries; ++i) {
    const int seen = c.operation.first_query + i + 1;
    const int visible = c.operation.causal ? std::min(seen, c.operation.keys) : c.operation.keys;
    const auto score = [&](int j) -> std::int64_t {
      return bytes.read_i32(static_cast<std::uint64_t>(i * c.operation.source_pitch_bytes + 4 * j));
    };
    std::int64_t largest = score(0);
    for (int j = 0; j < visible; ++j) largest = std::max(largest, score(j));
    std::uint64_t sum = 0;
    for (int j = 0; j < c.operation.keys; ++j) {
      std::uint32_t code = 0;
      if (j < visible) {
        const std::int64_t x =
            model::round_shift((largest - score(j)) * std::int64_t{c.operation.factor.mantissa},
                               c.operation.factor.shift);
        code = model::exp2_code(static_cast<std::uint64_t>(x));
      }
      sum += code;
      *bytes.at(
          kDestination + static_cast<std::uint64_t>(i * c.operation.destination_pitch_bytes + j),
          1) = static_cast<std::uint8_t>(code);
    }
    const model::Reciprocal r = model::reciprocal(sum);
    bytes.write_i32(kReciprocals + 4 * static_cast<std::uint64_t>(i),
                    static_cast<std::int32_t>(r.mantissa | static_cast<unsigned>(r.shift) << 24));
  }
  return memory;
}

std::vector<std::uint8_t> run_tile(const Case& c) {
  auto memory = c.memory;
  Activity values;
  SoftmaxEngine(c.config).execute(c.operation, Bytes(memory.data(), memory.size()), values);
  return memory;
}

TEST(SoftmaxEngine, TileAndBeatEqualTheScalarFunctions) {
  const std::uint64_t seed = testbench::test_seed(20240502);
  SCOPED_TRACE("QUADRILLE_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int trial = 0; trial < 400; ++trial) {
    const Case c = random_case(random);
    SCOPED_TRACE("trial " + std::to_string(trial) + ": " + c.describe());
    const auto expected = reference(c);
    ASSERT_EQ(run_tile(c), expected);
    // Twice on one body: a command must leave nothing behind.
    auto body = make_softmax_beat_body(c.config);
    for (int round = 1; round <= 2; ++round) {
      auto beat = c.memory;
      drive(*body, c.operation, input_stream(c.config, c.operation),
            output_stream(c.config, c.operation), Bytes(beat.data(), beat.size()),
            draw_surroundings(random));
      ASSERT_EQ(beat, expected) << "round " << round;
    }
  }
}

// With Q = 1 the scores are K transposed, so the whole-tensor specification can
// be given any scores; with V = 1 its weights and outputs show the codes.
TEST(SoftmaxEngine, CodesAndReciprocalsGiveTheWeightsOfTheSpecification) {
  const std::uint64_t seed = testbench::test_seed(20240503);
  SCOPED_TRACE("QUADRILLE_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int trial = 0; trial < 100; ++trial) {
    Case c = random_case(random);
    c.operation.first_query = 0;
    SCOPED_TRACE("trial " + std::to_string(trial) + ": " + c.describe());
    const auto queries = static_cast<std::size_t>(c.operation.queries);
    const auto keys = static_cast<std::size_t>(c.operation.keys);
    model::SoftmaxShape shape;
    shape.queries = shape.width = c.operation.queries;
    shape.keys = shape.value_width = c.operation.keys;
    shape.causal = c.operation.causal;
    std::vector<std::int32_t> q(queries * queries, 0);
    std::vector<std::int32_t> k(keys * queries);
    std::vector<std::int32_t> v(keys * keys, 0);
    const Bytes before(c.memory.data(), c.memory.size());
    for (std::size_t i = 0; i < queries; ++i) {
      q[i * queries + i] = 1;
      for (std::size_t j = 0; j < keys; ++j)
        k[j * queries + i] =
            before.read_i32(i * static_cast<std::size_t>(c.operation.source_pitch_bytes) + 4 * j);
    }
    for (std::size_t j = 0; j < keys; ++j) v[j * keys + j] = 1;
    const auto fixed = model::softmax_fixed(q, k, v, shape, c.operation.factor);
    auto memory = run_tile(c);
    const Bytes bytes(memory.data(), memory.size());
    for (std::size_t i = 0; i < queries; ++i) {
      const auto r = static_cast<std::uint32_t>(bytes.read_i32(kReciprocals + 4 * i));
      for (std::size_t j = 0; j < keys; ++j) {
        const std::int64_t code = *bytes.at(
            kDestination + i * static_cast<std::size_t>(c.operation.destination_pitch_bytes) + j,
            1);
        const std::int64_t product = code * static_cast<std::int64_t>(r & 0x1FFFF);
        const int shift = static_cast<int>(r >> 24);
        ASSERT_EQ(model::round_shift(product, shift - 16), fixed.weights_q[i * keys + j]);
        ASSERT_EQ(model::round_shift(product, shift - 8), fixed.out_q[i * keys + j]);
      }
    }
  }
}

TEST(SoftmaxEngine, CountsTheVisiblePairs) {
  for (const int first : {0, 3, 10, 30}) {
    for (const bool causal : {false, true}) {
      SoftmaxRows operation;
      operation.queries = 9;
      operation.keys = 12;
      operation.causal = causal;
      operation.first_query = first;
      std::int64_t pairs = 0;
      for (int i = 0; i < 9; ++i)
        for (int j = 0; j < 12; ++j) pairs += !causal || j <= first + i ? 1 : 0;
      const Activity activity = SoftmaxEngine::activity(operation);
      EXPECT_EQ(activity.exponentials, pairs) << "first " << first;
      EXPECT_EQ(activity.compares, pairs);
      EXPECT_EQ(activity.multiplies, pairs);
      EXPECT_EQ(activity.additions, pairs);
      EXPECT_EQ(activity.reciprocals, 9);
      EXPECT_EQ(activity.requantises, 0);
    }
  }
}

TEST(SoftmaxEngine, RefusesImpossibleCommands) {
  EXPECT_THROW(SoftmaxEngine(SoftmaxConfig{65, 4096}), InvariantError);
  SoftmaxRows operation;
  operation.queries = 1;
  operation.keys = 4097;
  EXPECT_THROW(SoftmaxEngine(SoftmaxConfig{}).alone_cycles(operation), InvariantError);
}

}  // namespace
}  // namespace quadrille
