// DAMF in lockstep: specification = tile data path = SystemC-side body = RTL,
// bit for bit, and the last two pin for pin in every cycle.
#include <gtest/gtest.h>

#include <random>

#include "hw/engines/damf/damf_engine.h"
#include "testbench/common/damf_case.h"
#include "testbench/common/seed.h"

namespace quadrille::testbench {
namespace {

constexpr hw::DamfConfig kSmall{4, 2, 512, 256};
constexpr hw::DamfConfig kWide{8, 4, 512, 256};

TEST(DamfTile, EqualsTheSpecification) {
  const std::uint64_t seed = test_seed(1);
  SCOPED_TRACE("QUADRILLE_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  std::int64_t uniform_rows = 0;
  std::int64_t saturated = 0;
  for (int round = 0; round < lockstep_runs(20); ++round) {
    for (const model::DamfSettings& settings : pairwise_settings(random)) {
      const hw::DamfConfig& config = random() % 2 == 0 ? kSmall : kWide;
      const DamfCase test = random_damf_case(random, config, settings);
      Image memory = test.before;
      hw::Activity activity;
      hw::DamfEngine(config).execute(test.operation, memory.bytes(), activity);
      ASSERT_TRUE(memory == test.after) << test.description;
      ASSERT_EQ(activity.uniform_rows, test.expected.uniform_rows) << test.description;
      ASSERT_EQ(activity.saturated, test.expected.saturated) << test.description;
      uniform_rows += activity.uniform_rows;
      saturated += activity.saturated;
    }
  }
  EXPECT_GT(uniform_rows, 0);
  EXPECT_GT(saturated, 0);
}

}  // namespace
}  // namespace quadrille::testbench
