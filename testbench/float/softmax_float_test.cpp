// Level `float` of softmax attention against an independent evaluation and the
// numbers printed in "Large Language Models: Transformers from scratch".
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "model/attention/softmax.h"
#include "testbench/common/portable_random.h"

namespace quadrille::model {
namespace {

// Weights of one row of logits: keys and a unit query reproduce any logits.
std::vector<double> softmax_of(const std::vector<double>& logits) {
  const SoftmaxShape shape{1, static_cast<int>(logits.size()), 1, 1, false};
  return softmax_float({1.0}, logits, std::vector<double>(logits.size(), 0.0), shape, 1.0).weights;
}

TEST(SoftmaxFloat, ReproducesThePrintedNumbers) {
  // Half a unit in the last printed digit: four decimals, or four after the
  // leading digit of a scientific number.
  const auto decimals = [](double) { return 0.5e-4; };
  const auto scientific = [](double x) {
    return 0.5e-4 * std::pow(10.0, std::floor(std::log10(x)));
  };
  const auto check = [](const std::vector<double>& logits, const std::vector<double>& printed,
                        double (*half_digit)(double)) {
    const auto weights = softmax_of(logits);
    for (std::size_t i = 0; i < printed.size(); ++i)
      EXPECT_NEAR(weights[i], printed[i], half_digit(printed[i]) * 1.001);
  };
  check({1.4529, 0.3491, -0.8928, 0.2072, -0.3993}, {0.5342, 0.1771, 0.0512, 0.1537, 0.0838},
        decimals);
  check({0.1, -0.2, -0.3, 0.2, 0.5}, {0.1997, 0.1479, 0.1338, 0.2207, 0.2979}, decimals);
  check({1, -2, -3, 2, 5}, {1.7128e-02, 8.5274e-04, 3.1371e-04, 4.6558e-02, 9.3515e-01},
        scientific);
}

// The definition term by term, in long double, without subtracting the maximum.
std::vector<double> definition(const std::vector<double>& q, const std::vector<double>& k,
                               const std::vector<double>& v, const SoftmaxShape& shape,
                               double scale) {
  std::vector<double> out;
  for (int i = 0; i < shape.queries; ++i) {
    std::vector<long double> numerator(static_cast<std::size_t>(shape.value_width), 0.0L);
    long double denominator = 0.0L;
    for (int j = 0; j < shape.keys; ++j) {
      if (shape.causal && j > i) continue;
      long double dot = 0.0L;
      for (int c = 0; c < shape.width; ++c)
        dot += static_cast<long double>(q[static_cast<std::size_t>(i * shape.width + c)]) *
               k[static_cast<std::size_t>(j * shape.width + c)];
      const long double e = std::exp(dot * static_cast<long double>(scale));
      denominator += e;
      for (int c = 0; c < shape.value_width; ++c)
        numerator[static_cast<std::size_t>(c)] +=
            e * v[static_cast<std::size_t>(j * shape.value_width + c)];
    }
    for (const long double n : numerator) out.push_back(static_cast<double>(n / denominator));
  }
  return out;
}

TEST(SoftmaxFloat, AgreesWithTheDefinitionForEveryShape) {
  std::mt19937_64 random(7);
  for (const int queries : {1, 2, 7, 33}) {
    for (const int keys : {1, 5, 33}) {
      for (const bool causal : {false, true}) {
        const SoftmaxShape shape{queries, keys, 5, 3, causal};
        const auto tensor = [&](int n) { return portable_normals(random, n); };
        const auto q = tensor(queries * 5);
        const auto k = tensor(keys * 5);
        const auto v = tensor(keys * 3);
        const auto expected = definition(q, k, v, shape, 0.7);
        const auto result = softmax_float(q, k, v, shape, 0.7);
        for (std::size_t i = 0; i < expected.size(); ++i)
          ASSERT_NEAR(result.out[i], expected[i], 1e-12) << queries << 'x' << keys << ' ' << causal;
      }
    }
  }
}

}  // namespace
}  // namespace quadrille::model
