// Softmax engine: tile data and beat data equal model/attention/softmax.h bit
// for bit, under stalls too.
#include "hw/engines/softmax/softmax_engine.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "model/attention/softmax.h"
#include "model/numerics/rounding.h"
#include "testbench/common/drive.h"
#include "testbench/common/environment.h"
#include "testbench/common/softmax_case.h"

namespace quadrille {
namespace {

using namespace hw;
using testbench::draw_surroundings;
using testbench::drive;
using testbench::random_softmax_case;
using testbench::SoftmaxCase;

SoftmaxConfig random_config(std::mt19937_64& random) {
  const int lanes[] = {1, 3, 8, 32, 64};
  return {lanes[random() % 5], 512};
}

testbench::Image run_tile(const SoftmaxConfig& config, const SoftmaxCase& c) {
  testbench::Image memory = c.before;
  Activity values;
  SoftmaxEngine(config).execute(c.operation, memory.bytes(), values);
  return memory;
}

TEST(SoftmaxEngine, TileAndBeatEqualTheScalarFunctions) {
  const std::uint64_t seed = testbench::test_seed(20240502);
  SCOPED_TRACE("QUADRILLE_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int trial = 0; trial < 400; ++trial) {
    const SoftmaxConfig config = random_config(random);
    const SoftmaxCase c = random_softmax_case(random, config);
    SCOPED_TRACE("trial " + std::to_string(trial) + ": " + c.description);
    ASSERT_TRUE(run_tile(config, c) == c.after);
    // The second run on one body shows that a command leaves nothing behind.
    auto body = make_softmax_beat_body(config);
    for (int round = 1; round <= 2; ++round) {
      testbench::Image beat = c.before;
      drive(*body, c.operation, input_stream(config, c.operation),
            output_stream(config, c.operation), beat.bytes(), draw_surroundings(random));
      ASSERT_TRUE(beat == c.after) << "round " << round;
    }
  }
}

// The scores are K transposed where Q = 1, so the whole-tensor specification can
// be given any scores; where V = 1 its weights and outputs show the codes.
TEST(SoftmaxEngine, CodesAndReciprocalsGiveTheWeightsOfTheSpecification) {
  const std::uint64_t seed = testbench::test_seed(20240503);
  SCOPED_TRACE("QUADRILLE_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int trial = 0; trial < 100; ++trial) {
    SoftmaxConfig config = random_config(random);
    config.max_keys = 200;
    SoftmaxCase c = random_softmax_case(random, config);
    c.operation.first_query = 0;
    SCOPED_TRACE("trial " + std::to_string(trial) + ": " + c.description);
    const SoftmaxRows& operation = c.operation;
    const auto queries = static_cast<std::size_t>(operation.queries);
    const auto keys = static_cast<std::size_t>(operation.keys);
    model::SoftmaxShape shape;
    shape.queries = shape.width = operation.queries;
    shape.keys = shape.value_width = operation.keys;
    shape.causal = operation.causal;
    std::vector<std::int32_t> q(queries * queries, 0);
    std::vector<std::int32_t> k(keys * queries);
    std::vector<std::int32_t> v(keys * keys, 0);
    for (std::size_t i = 0; i < queries; ++i) {
      q[i * queries + i] = 1;
      for (std::size_t j = 0; j < keys; ++j)
        k[j * queries + i] = c.before.bytes().read_i32(
            operation.source + i * static_cast<std::size_t>(operation.source_pitch_bytes) + 4 * j);
    }
    for (std::size_t j = 0; j < keys; ++j) v[j * keys + j] = 1;
    const auto fixed = model::softmax_fixed(q, k, v, shape, operation.factor);
    testbench::Image memory = run_tile(config, c);
    for (std::size_t i = 0; i < queries; ++i) {
      const auto r =
          static_cast<std::uint32_t>(memory.bytes().read_i32(operation.reciprocals + 4 * i));
      for (std::size_t j = 0; j < keys; ++j) {
        const std::int64_t code = *memory.bytes().at(
            operation.destination +
                i * static_cast<std::size_t>(operation.destination_pitch_bytes) + j,
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
  operation.keys = 4096;
  for (const int shift : {-1, 63}) {
    operation.factor.shift = shift;
    EXPECT_THROW(SoftmaxEngine(SoftmaxConfig{}).alone_cycles(operation), InvariantError);
  }
  operation.factor.shift = 62;
  EXPECT_NO_THROW(SoftmaxEngine(SoftmaxConfig{}).alone_cycles(operation));
}

// No timing accepts what the packed command does not hold.
TEST(SoftmaxEngine, RefusesCommandsOfMoreThanTheirPackedForm) {
  SoftmaxRows longest;
  longest.queries = longest.keys = longest.first_query = 131071;
  longest.causal = true;
  const SoftmaxConfig config{4, 200000};
  EXPECT_NO_THROW(validate(config, longest));
  for (int SoftmaxRows::*field :
       {&SoftmaxRows::queries, &SoftmaxRows::keys, &SoftmaxRows::first_query}) {
    SoftmaxRows operation = longest;
    operation.*field = 131072;
    EXPECT_THROW(validate(config, operation), InvariantError);
    EXPECT_THROW(SoftmaxEngine(config).alone_cycles(operation), InvariantError);
  }
}

}  // namespace
}  // namespace quadrille
