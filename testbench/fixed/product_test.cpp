// Question: is the integer product exact for every size of codes, also where it passes
// from 32-bit to 64-bit sums?
#include "model/numerics/product.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "testbench/common/portable_random.h"

namespace quadrille::testbench {
namespace {

using Codes = std::vector<std::int32_t>;

// The definition.
std::vector<std::int64_t> plain(const Codes& x, const Codes& w, std::size_t k, std::size_t n) {
  std::vector<std::int64_t> out;
  for (std::size_t r = 0; r < x.size() / k; ++r) {
    for (std::size_t c = 0; c < n; ++c) {
      std::int64_t sum = 0;
      for (std::size_t i = 0; i < k; ++i) sum += std::int64_t{x[r * k + i]} * w[i * n + c];
      out.push_back(sum);
    }
  }
  return out;
}

void expect_exact(const Codes& x, const Codes& w, std::size_t k, std::size_t n) {
  EXPECT_EQ(model::product_fixed(x, w, k, n), plain(x, w, k, n)) << k << " terms, " << n;
}

// Codes of 1 to 31 bits, whose least stands among them so that the bounds are met.
TEST(ProductFixed, RandomShapesAndWidthsAreExact) {
  std::mt19937_64 random(3);
  for (int round = 0; round < 500; ++round) {
    const auto k = static_cast<std::size_t>(pick(random, 1, 40));
    const auto n = static_cast<std::size_t>(pick(random, 1, 20));
    const auto codes = [&](std::size_t count) {
      const int most = (1 << pick(random, 0, 30)) - 1;
      Codes drawn(count);
      for (std::int32_t& code : drawn) code = pick(random, -most - 1, most);
      drawn[0] = -most - 1;
      return drawn;
    };
    expect_exact(codes(k * static_cast<std::size_t>(pick(random, 1, 9))), codes(k * n), k, n);
    if (HasFailure()) return;
  }
}

// All terms at the extremes, on both sides of every bound: codes of 16 bits, sums of 32.
TEST(ProductFixed, TheLongestSumsAreExact) {
  for (const std::int32_t left : {-32768, -32767, 32767, 32768, -128, 127, 255}) {
    for (const std::int32_t right : {-32768, 32767, 32768, -128, 1}) {
      for (const std::size_t k : {1U, 2U, 3U, 511U, 512U, 131071U, 131072U})
        expect_exact(Codes(k, left), Codes(k, right), k, 1);
    }
  }
}

TEST(ProductFixed, NothingTimesAnythingIsNothing) {
  EXPECT_TRUE(model::product_fixed({}, {1, 2}, 2, 1).empty());
  expect_exact(Codes(6, 0), Codes(6, -128), 3, 2);
}

}  // namespace
}  // namespace quadrille::testbench
