// Level `fixed` of softmax attention against `float` on the dequantised codes.
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "model/attention/softmax.h"
#include "testbench/common/portable_random.h"

namespace quadrille::model {
namespace {

struct Problem {
  SoftmaxShape shape;
  Codes q, k, v;
  double scale;
};

Problem random_problem(std::mt19937_64& random, double spread) {
  Problem problem;
  problem.shape = {1 + static_cast<int>(random() % 40), 1 + static_cast<int>(random() % 300),
                   1 + static_cast<int>(random() % 64), 1 + static_cast<int>(random() % 8),
                   random() % 2 == 0};
  const auto codes = [&](int rows, int columns) {
    std::vector<double> values(static_cast<std::size_t>(rows * columns));
    for (double& value : values) value = spread * portable_normal(random);
    return quantise_absmax(values, 8);
  };
  problem.q = codes(problem.shape.queries, problem.shape.width);
  problem.k = codes(problem.shape.keys, problem.shape.width);
  problem.v = codes(problem.shape.keys, problem.shape.value_width);
  problem.scale = 1.0 / std::sqrt(problem.shape.width);
  return problem;
}

// An 8-bit weight is off by at most half a code of its row's largest weight
// plus a step of the exponent table, so a row's sum of weights and its output
// are off by at most that much per visible key.
TEST(SoftmaxFixed, StaysWithinTheDerivedBoundOfFloat) {
  std::mt19937_64 random(11);
  for (int trial = 0; trial < 200; ++trial) {
    const Problem p = random_problem(random, trial % 3 == 0 ? 3.0 : 1.0);
    const auto factor = make_multiplier(exponent_factor(p.q.scale, p.k.scale, p.scale));
    const auto fixed = softmax_fixed(p.q.q, p.k.q, p.v.q, p.shape, factor);
    const auto real =
        softmax_float(dequantise(p.q), dequantise(p.k), dequantise(p.v), p.shape, p.scale);
    const auto keys = static_cast<std::size_t>(p.shape.keys);
    const auto columns = static_cast<std::size_t>(p.shape.value_width);
    for (int i = 0; i < p.shape.queries; ++i) {
      const auto row = static_cast<std::size_t>(i);
      double largest = 0.0;
      for (std::size_t j = 0; j < keys; ++j)
        largest = std::max(largest, real.weights[row * keys + j]);
      // One code is 1/255 of the row's largest weight; 0.5 for its rounding,
      // 255 ln2/512 + 1/512 for the exponent's and the table's.
      const double code_error = 0.5 + 255.0 * std::log(2.0) / 512.0 + 1.0 / 512.0;
      const double per_key = code_error * largest / 255.0;
      const double relative = per_key * p.shape.visible(i) + std::ldexp(1.0, -13);
      for (std::size_t j = 0; j < keys; ++j) {
        const double weight = static_cast<double>(fixed.weights_q[row * keys + j]) / 65536.0;
        EXPECT_NEAR(
            weight, real.weights[row * keys + j],
            per_key * 1.01 + relative * real.weights[row * keys + j] + std::ldexp(1.0, -16));
      }
      for (std::size_t c = 0; c < columns; ++c) {
        const double out = static_cast<double>(fixed.out_q[row * columns + c]) * p.v.scale / 256.0;
        EXPECT_NEAR(out, real.out[row * columns + c],
                    127.0 * p.v.scale * 2.05 * relative + p.v.scale / 256.0);
      }
    }
  }
}

TEST(SoftmaxFixed, UniformRowsOfAnyLengthAreAverages) {
  for (const int keys : {1, 2, 300, 2048}) {
    const SoftmaxShape shape{1, keys, 1, 1, false};
    const std::vector<std::int32_t> zeros(static_cast<std::size_t>(keys), 0);
    const std::vector<std::int32_t> values(static_cast<std::size_t>(keys), 100);
    const auto result = softmax_fixed({0}, zeros, values, shape, make_multiplier(1.0));
    EXPECT_NEAR(static_cast<double>(result.out_q[0]), 100 * 256,
                100 * 256 * std::ldexp(1, -14) + 0.5);
  }
}

TEST(SoftmaxFixed, CausalRowsDoNotSeeTheFuture) {
  std::mt19937_64 random(12);
  Problem p = random_problem(random, 1.0);
  p.shape.causal = true;
  const auto factor = make_multiplier(exponent_factor(p.q.scale, p.k.scale, p.scale));
  const auto before = softmax_fixed(p.q.q, p.k.q, p.v.q, p.shape, factor);
  for (int c = 0; c < p.shape.width; ++c)
    p.k.q[p.k.q.size() - 1 - static_cast<std::size_t>(c)] ^= 0x15;
  const auto after = softmax_fixed(p.q.q, p.k.q, p.v.q, p.shape, factor);
  for (int i = 0; i < p.shape.queries && i + 1 < p.shape.keys; ++i) {
    for (int c = 0; c < p.shape.value_width; ++c) {
      const auto at = static_cast<std::size_t>(i * p.shape.value_width + c);
      EXPECT_EQ(before.out_q[at], after.out_q[at]) << "query " << i;
    }
  }
}

}  // namespace
}  // namespace quadrille::model
