#include "model/attention/softmax.h"

#include <algorithm>
#include <cmath>

#include "model/numerics/constants.h"
#include "model/numerics/exp2.h"
#include "model/numerics/reciprocal.h"
#include "model/numerics/rounding.h"

namespace quadrille::model {
namespace {

template <typename Number, typename Element>
std::vector<Number> scores_of_row(const std::vector<Element>& q, const std::vector<Element>& k,
                                  const SoftmaxShape& shape, int i) {
  const auto width = static_cast<std::size_t>(shape.width);
  std::vector<Number> scores(static_cast<std::size_t>(shape.visible(i)), Number{0});
  for (std::size_t j = 0; j < scores.size(); ++j) {
    for (std::size_t c = 0; c < width; ++c) {
      scores[j] += static_cast<Number>(q[static_cast<std::size_t>(i) * width + c]) *
                   static_cast<Number>(k[j * width + c]);
    }
  }
  return scores;
}

}  // namespace

SoftmaxResult softmax_float(const std::vector<double>& q, const std::vector<double>& k,
                            const std::vector<double>& v, const SoftmaxShape& shape, double scale) {
  const auto keys = static_cast<std::size_t>(shape.keys);
  const auto columns = static_cast<std::size_t>(shape.value_width);
  SoftmaxResult result;
  result.weights.assign(static_cast<std::size_t>(shape.queries) * keys, 0.0);
  result.out.assign(static_cast<std::size_t>(shape.queries) * columns, 0.0);
  for (int i = 0; i < shape.queries; ++i) {
    std::vector<double> row = scores_of_row<double>(q, k, shape, i);
    const double largest = *std::max_element(row.begin(), row.end());
    double sum = 0.0;
    for (double& value : row) {
      value = std::exp((value - largest) * scale);
      sum += value;
    }
    const auto base = static_cast<std::size_t>(i);
    for (std::size_t j = 0; j < row.size(); ++j) {
      const double weight = row[j] / sum;
      result.weights[base * keys + j] = weight;
      for (std::size_t c = 0; c < columns; ++c)
        result.out[base * columns + c] += weight * v[j * columns + c];
    }
  }
  return result;
}

double exponent_factor(double q_scale, double k_scale, double scale) {
  return q_scale * k_scale * scale * kLog2E * (1 << kExp2FractionBits);
}

SoftmaxFixedResult softmax_fixed(const std::vector<std::int32_t>& q_q,
                                 const std::vector<std::int32_t>& k_q,
                                 const std::vector<std::int32_t>& v_q, const SoftmaxShape& shape,
                                 const Multiplier& factor) {
  const auto keys = static_cast<std::size_t>(shape.keys);
  const auto columns = static_cast<std::size_t>(shape.value_width);
  SoftmaxFixedResult result;
  result.weights_q.assign(static_cast<std::size_t>(shape.queries) * keys, 0);
  result.out_q.assign(static_cast<std::size_t>(shape.queries) * columns, 0);
  for (int i = 0; i < shape.queries; ++i) {
    const auto scores = scores_of_row<std::int64_t>(q_q, k_q, shape, i);
    const std::int64_t largest = *std::max_element(scores.begin(), scores.end());
    std::vector<std::int64_t> codes;
    std::int64_t sum = 0;
    for (const std::int64_t score : scores) {
      const std::int64_t x =
          round_shift((largest - score) * static_cast<std::int64_t>(factor.mantissa), factor.shift);
      codes.push_back(exp2_code(static_cast<std::uint64_t>(x)));
      sum += codes.back();
    }
    const Reciprocal inverse = reciprocal(static_cast<std::uint64_t>(sum));
    const auto mantissa = static_cast<std::int64_t>(inverse.mantissa);
    const auto base = static_cast<std::size_t>(i);
    for (std::size_t j = 0; j < codes.size(); ++j)
      result.weights_q[base * keys + j] =
          round_shift(codes[j] * mantissa, inverse.shift - kWeightFractionBits);
    for (std::size_t c = 0; c < columns; ++c) {
      std::int64_t numerator = 0;
      for (std::size_t j = 0; j < codes.size(); ++j) numerator += codes[j] * v_q[j * columns + c];
      result.out_q[base * columns + c] =
          round_shift(numerator * mantissa, inverse.shift - kSoftmaxOutputFractionBits);
    }
  }
  return result;
}

}  // namespace quadrille::model
