// Question: are seeded numbers normal, and the same on every machine?
#include "app/workload/random_data.h"

#include <gtest/gtest.h>

#include <cmath>

#include "app/files/hash.h"

namespace quadrille::app {
namespace {

TEST(RandomData, SameNumbersEverywhere) {
  // Multiples of 2^-20, from the first draws of seed 1.
  const std::vector<double> values = RandomData(1).normal(3, 1.0);
  std::vector<std::int64_t> steps;
  for (const double value : values) {
    steps.push_back(std::llround(std::ldexp(value, 20)));
    EXPECT_EQ(std::ldexp(static_cast<double>(steps.back()), -20), value);
  }
  EXPECT_EQ(steps, (std::vector<std::int64_t>{1376625, 1589585, 1311353}));
}

TEST(RandomData, ADeviationScalesEveryNumber) {
  // On a grid of its own steps, numbers at 1e-7 would all be zero.
  const std::vector<double> one = RandomData(9).normal(1000, 1.0);
  for (const double deviation : {1e-12, 1e-7, 0.3, 1e12}) {
    const std::vector<double> scaled = RandomData(9).normal(1000, deviation);
    for (std::size_t i = 0; i < one.size(); ++i) ASSERT_EQ(scaled[i], one[i] * deviation);
  }
}

TEST(RandomData, HasTheMomentsOfANormalDistribution) {
  constexpr std::size_t kCount = 100000;
  const std::vector<double> values = RandomData(5).normal(kCount, 2.0);
  ASSERT_EQ(values.size(), kCount);
  double mean = 0, square = 0, fourth = 0, neighbours = 0;
  for (std::size_t i = 0; i < kCount; ++i) {
    const double value = values[i] / 2.0;
    mean += value / kCount;
    square += value * value / kCount;
    fourth += value * value * value * value / kCount;
    neighbours += value * values[(i + 1) % kCount] / 2.0 / kCount;
  }
  // Five standard errors of each moment.
  EXPECT_NEAR(mean, 0.0, 0.016);
  EXPECT_NEAR(square, 1.0, 0.023);
  EXPECT_NEAR(fourth, 3.0, 0.16);
  EXPECT_NEAR(neighbours, 0.0, 0.016);
}

TEST(Fnv, KnownVectors) {
  EXPECT_EQ(fnv1a_64(""), 0xcbf29ce484222325U);
  EXPECT_EQ(fnv1a_64("a"), 0xaf63dc4c8601ec8cU);
  EXPECT_EQ(fnv1a_64("foobar"), 0x85944171f73967e8U);
}

}  // namespace
}  // namespace quadrille::app
