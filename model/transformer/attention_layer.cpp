#include "model/transformer/attention_layer.h"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>

#include "model/numerics/rounding.h"

namespace quadrille::model {
namespace {

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

std::vector<double> product(const std::vector<double>& a, const std::vector<double>& b, int rows,
                            int inner, int columns) {
  std::vector<double> out(static_cast<std::size_t>(rows) * static_cast<std::size_t>(columns));
  Eigen::Map<Matrix>(out.data(), rows, columns).noalias() =
      Eigen::Map<const Matrix>(a.data(), rows, inner) *
      Eigen::Map<const Matrix>(b.data(), inner, columns);
  return out;
}

// Columns first .. first + count - 1 of a row-major matrix.
template <typename T>
std::vector<T> columns_of(const std::vector<T>& matrix, int rows, int row_width, int first,
                          int count) {
  std::vector<T> out;
  out.reserve(static_cast<std::size_t>(rows) * static_cast<std::size_t>(count));
  for (int r = 0; r < rows; ++r) {
    const auto begin = matrix.begin() + static_cast<std::ptrdiff_t>(r) * row_width + first;
    out.insert(out.end(), begin, begin + count);
  }
  return out;
}

template <typename T, typename U>
void put_columns(std::vector<T>& matrix, int row_width, int first, const std::vector<U>& block,
                 int count) {
  const auto width = static_cast<std::size_t>(count);
  for (std::size_t i = 0; i < block.size(); ++i) {
    matrix[i / width * static_cast<std::size_t>(row_width) + static_cast<std::size_t>(first) +
           i % width] = static_cast<T>(block[i]);
  }
}

SoftmaxShape head_shape(const AttentionShape& shape) {
  return {shape.tokens, shape.tokens, shape.head_width, shape.head_width, shape.causal};
}

SinkhornShape sinkhorn_head_shape(const AttentionShape& shape) {
  return {1, shape.tokens, shape.tokens, shape.causal};
}

LinearShape linear_head_shape(const AttentionShape& shape) {
  return {shape.tokens, shape.tokens, shape.head_width, shape.head_width, shape.causal, -1};
}

double absmax(const std::vector<double>& values) { return absmax_scale(values, 8); }

std::vector<double> slice(const std::vector<double>& values, int index, int length) {
  const auto begin = values.begin() + static_cast<std::ptrdiff_t>(index) * length;
  return {begin, begin + length};
}

}  // namespace

std::vector<SingularTriple> fuse_heads(const AttentionShape& shape,
                                       const AttentionWeights& weights) {
  std::vector<SingularTriple> triples;
  for (int head = 0; head < shape.heads; ++head) {
    const int first = head * shape.head_width;
    triples.push_back(leading_singular_triple(
        columns_of(weights.wq, shape.model_width, shape.inner_width(), first, shape.head_width),
        columns_of(weights.wk, shape.model_width, shape.inner_width(), first, shape.head_width),
        shape.model_width, shape.head_width));
  }
  return triples;
}

namespace {

// One head of Sinkhorn attention; the largest logit goes to `largest`.
std::vector<double> sinkhorn_head(const AttentionShape& shape, const std::vector<double>& q,
                                  const std::vector<double>& k, const std::vector<double>& v,
                                  double scale, double& largest) {
  std::vector<double> logits(static_cast<std::size_t>(shape.tokens) *
                             static_cast<std::size_t>(shape.tokens));
  Eigen::Map<Matrix>(logits.data(), shape.tokens, shape.tokens).noalias() =
      scale * Eigen::Map<const Matrix>(q.data(), shape.tokens, shape.head_width) *
      Eigen::Map<const Matrix>(k.data(), shape.tokens, shape.head_width).transpose();
  for (const double logit : logits) largest = std::max(largest, std::fabs(logit));
  const SinkhornResult result = sinkhorn_float(logits, sinkhorn_head_shape(shape), shape.sinkhorn);
  return product(result.k, v, shape.tokens, shape.tokens, shape.head_width);
}

}  // namespace

AttentionFloat attention_float(const AttentionShape& shape, const std::vector<double>& x,
                               const AttentionWeights& weights,
                               const std::vector<SingularTriple>& triples, double scale) {
  const int inner = shape.inner_width();
  AttentionFloat result;
  result.v = product(x, weights.wv, shape.tokens, shape.model_width, inner);
  if (has_queries(shape.mechanism)) {
    result.q = product(x, weights.wq, shape.tokens, shape.model_width, inner);
    result.k = product(x, weights.wk, shape.tokens, shape.model_width, inner);
  }
  result.attention.resize(result.v.size());
  for (int head = 0; head < shape.heads; ++head) {
    const int first = head * shape.head_width;
    const auto of_head = [&](const std::vector<double>& matrix) {
      return columns_of(matrix, shape.tokens, inner, first, shape.head_width);
    };
    std::vector<double> out;
    if (shape.mechanism == Mechanism::kSoftmax) {
      out = softmax_float(of_head(result.q), of_head(result.k), of_head(result.v),
                          head_shape(shape), scale)
                .out;
    } else if (shape.mechanism == Mechanism::kSinkhorn) {
      out = sinkhorn_head(shape, of_head(result.q), of_head(result.k), of_head(result.v), scale,
                          result.largest_logit);
    } else if (shape.mechanism == Mechanism::kLinear) {
      out = linear_float(of_head(result.q), of_head(result.k), of_head(result.v), {},
                         linear_head_shape(shape))
                .out;
    } else {
      const SingularTriple& triple = triples[static_cast<std::size_t>(head)];
      const auto s = product(x, triple.u, shape.tokens, shape.model_width, 1);
      const auto t = product(x, triple.v, shape.tokens, shape.model_width, 1);
      DamfResult damf =
          damf_float(s, t, of_head(result.v), shape.head_width, triple.sigma, shape.damf);
      result.uniform_rows += damf.uniform_rows;
      result.s.insert(result.s.end(), s.begin(), s.end());
      result.t.insert(result.t.end(), t.begin(), t.end());
      out = std::move(damf.out);
    }
    put_columns(result.attention, inner, first, out, shape.head_width);
  }
  result.out = product(result.attention, weights.wo, shape.tokens, inner, shape.model_width);
  return result;
}

AttentionScales calibrate(const AttentionShape& shape, const std::vector<double>& x,
                          const AttentionWeights& weights,
                          const std::vector<SingularTriple>& triples,
                          const AttentionFloat& result) {
  AttentionScales scales;
  scales.x = absmax(x);
  scales.wv = absmax(weights.wv);
  scales.wo = absmax(weights.wo);
  scales.v = absmax(result.v);
  scales.attention = absmax(result.attention);
  if (has_queries(shape.mechanism)) {
    scales.wq = absmax(weights.wq);
    scales.wk = absmax(weights.wk);
    scales.q = absmax(result.q);
    scales.k = absmax(result.k);
    scales.largest_logit = result.largest_logit;
    return scales;
  }
  for (int head = 0; head < shape.heads; ++head) {
    const SingularTriple& triple = triples[static_cast<std::size_t>(head)];
    scales.u.push_back(absmax(triple.u));
    scales.v_vector.push_back(absmax(triple.v));
    scales.s.push_back(absmax(slice(result.s, head, shape.tokens)));
    scales.t.push_back(absmax(slice(result.t, head, shape.tokens)));
  }
  return scales;
}

namespace {

// Integer formats of one head of Sinkhorn attention.
SinkhornInteger sinkhorn_head_integer(const AttentionShape& shape, const AttentionScales& scales,
                                      double scale) {
  constexpr double kLog2E = 1.4426950408889634074;
  SinkhornInteger integer;
  integer.shape = sinkhorn_head_shape(shape);
  integer.settings = shape.sinkhorn;
  integer.fraction_bits = logit_fraction_bits(scales.largest_logit * kLog2E);
  integer.factor =
      make_multiplier(std::ldexp(scales.q * scales.k * scale * kLog2E, integer.fraction_bits));
  integer.tolerance_code = sinkhorn_tolerance_code(shape.sinkhorn.tolerance);
  return integer;
}

}  // namespace

AttentionInteger quantise_layer(const AttentionShape& shape, const std::vector<double>& x,
                                const AttentionWeights& weights,
                                const std::vector<SingularTriple>& triples,
                                const AttentionScales& scales, double scale) {
  AttentionInteger layer;
  layer.shape = shape;
  layer.x = quantise(x, scales.x, 8);
  layer.wv = quantise(weights.wv, scales.wv, 8);
  layer.wo = quantise(weights.wo, scales.wo, 8);
  layer.v_factor = make_multiplier(scales.x * scales.wv / scales.v);
  const double head_out_scale = std::ldexp(scales.v, -kSoftmaxOutputFractionBits);
  layer.attention_factor = make_multiplier(head_out_scale / scales.attention);
  layer.out_scale = scales.attention * scales.wo;
  if (has_queries(shape.mechanism)) {
    layer.wq = quantise(weights.wq, scales.wq, 8);
    layer.wk = quantise(weights.wk, scales.wk, 8);
    layer.q_factor = make_multiplier(scales.x * scales.wq / scales.q);
    layer.k_factor = make_multiplier(scales.x * scales.wk / scales.k);
    if (shape.mechanism == Mechanism::kSoftmax) {
      layer.exponent = make_multiplier(exponent_factor(scales.q, scales.k, scale));
    } else if (shape.mechanism == Mechanism::kSinkhorn) {
      layer.sinkhorn = sinkhorn_head_integer(shape, scales, scale);
    } else {
      layer.phi_q = make_phi_table(scales.q, phi_scale(scales.q));
      layer.phi_k = make_phi_table(scales.k, phi_scale(scales.k));
    }
    return layer;
  }
  for (std::size_t head = 0; head < triples.size(); ++head) {
    const auto u = quantise(triples[head].u, scales.u[head], 8);
    const auto v = quantise(triples[head].v, scales.v_vector[head], 8);
    layer.u.insert(layer.u.end(), u.q.begin(), u.q.end());
    layer.v.insert(layer.v.end(), v.q.begin(), v.q.end());
    layer.s_factor.push_back(make_multiplier(scales.x * scales.u[head] / scales.s[head]));
    layer.t_factor.push_back(make_multiplier(scales.x * scales.v_vector[head] / scales.t[head]));
    const double sigma = shape.damf.keep_sigma ? triples[head].sigma : 1.0;
    layer.rules.push_back(
        make_power_rule(shape.damf.rounding, scales.s[head] * scales.t[head] * sigma));
  }
  return layer;
}

namespace {

std::vector<std::int64_t> integer_product(const std::vector<std::int32_t>& a,
                                          const std::vector<std::int32_t>& b, int rows, int inner,
                                          int columns) {
  const auto n = static_cast<std::size_t>(columns);
  const auto k = static_cast<std::size_t>(inner);
  std::vector<std::int64_t> out(static_cast<std::size_t>(rows) * n, 0);
  for (std::size_t r = 0; r < static_cast<std::size_t>(rows); ++r) {
    for (std::size_t i = 0; i < k; ++i) {
      const std::int64_t left = a[r * k + i];
      for (std::size_t c = 0; c < n; ++c) out[r * n + c] += left * b[i * n + c];
    }
  }
  return out;
}

std::vector<std::int32_t> requantise_all(const std::vector<std::int64_t>& sums,
                                         const Multiplier& factor, std::int64_t& saturated) {
  std::vector<std::int32_t> codes;
  codes.reserve(sums.size());
  for (const std::int64_t sum : sums) {
    const std::int64_t code = requantise(sum, factor, 8);
    saturated += code != requantise(sum, factor, 32) ? 1 : 0;
    codes.push_back(static_cast<std::int32_t>(code));
  }
  return codes;
}

}  // namespace

namespace {

std::vector<std::int64_t> sinkhorn_head_fixed(const AttentionInteger& layer,
                                              const std::vector<std::int32_t>& q,
                                              const std::vector<std::int32_t>& k,
                                              const std::vector<std::int32_t>& v,
                                              std::int64_t& saturated) {
  const AttentionShape& shape = layer.shape;
  const auto tokens = static_cast<std::size_t>(shape.tokens);
  const auto width = static_cast<std::size_t>(shape.head_width);
  std::vector<std::int32_t> scores(tokens * tokens, 0);
  for (std::size_t i = 0; i < tokens; ++i) {
    for (std::size_t j = 0; j < tokens; ++j) {
      for (std::size_t c = 0; c < width; ++c)
        scores[i * tokens + j] += q[i * width + c] * k[j * width + c];
    }
  }
  const SinkhornFixedResult result = sinkhorn_fixed(scores, layer.sinkhorn);
  saturated += result.saturated;
  return sinkhorn_apply_fixed(result.k_q, v, layer.sinkhorn.shape, shape.head_width, saturated);
}

}  // namespace

AttentionFixed attention_fixed(const AttentionInteger& layer) {
  const AttentionShape& shape = layer.shape;
  const int inner = shape.inner_width();
  AttentionFixed result;
  const auto project = [&](const Codes& weights, const Multiplier& factor) {
    return requantise_all(
        integer_product(layer.x.q, weights.q, shape.tokens, shape.model_width, inner), factor,
        result.saturated);
  };
  const auto v = project(layer.wv, layer.v_factor);
  const bool queries = has_queries(shape.mechanism);
  const auto q = queries ? project(layer.wq, layer.q_factor) : std::vector<std::int32_t>{};
  const auto k = queries ? project(layer.wk, layer.k_factor) : std::vector<std::int32_t>{};
  result.attention_q.resize(v.size());
  for (int head = 0; head < shape.heads; ++head) {
    const int first = head * shape.head_width;
    const auto of_head = [&](const std::vector<std::int32_t>& matrix) {
      return columns_of(matrix, shape.tokens, inner, first, shape.head_width);
    };
    std::vector<std::int64_t> out;
    if (shape.mechanism == Mechanism::kSoftmax) {
      out = softmax_fixed(of_head(q), of_head(k), of_head(v), head_shape(shape), layer.exponent)
                .out_q;
    } else if (shape.mechanism == Mechanism::kSinkhorn) {
      out = sinkhorn_head_fixed(layer, of_head(q), of_head(k), of_head(v), result.saturated);
    } else if (shape.mechanism == Mechanism::kLinear) {
      LinearFixedResult linear =
          linear_fixed(of_head(q), of_head(k), of_head(v), {}, linear_head_shape(shape),
                       layer.phi_q, layer.phi_k, layer.phi_k);
      result.saturated += linear.saturated;
      out = std::move(linear.out_q);
    } else {
      const auto index = static_cast<std::size_t>(head);
      const auto vector_of = [&](const std::vector<std::int32_t>& vectors) {
        const auto begin = vectors.begin() + static_cast<std::ptrdiff_t>(head) * shape.model_width;
        return std::vector<std::int32_t>(begin, begin + shape.model_width);
      };
      const auto scalars = [&](const std::vector<std::int32_t>& vector, const Multiplier& factor) {
        return requantise_all(
            integer_product(layer.x.q, vector, shape.tokens, shape.model_width, 1), factor,
            result.saturated);
      };
      const auto s = scalars(vector_of(layer.u), layer.s_factor[index]);
      const auto t = scalars(vector_of(layer.v), layer.t_factor[index]);
      DamfFixedResult damf =
          damf_fixed(s, t, of_head(v), shape.head_width, layer.rules[index], shape.damf);
      result.uniform_rows += damf.uniform_rows;
      result.saturated += damf.saturated;
      out = std::move(damf.out_q);
    }
    put_columns(result.attention_q, inner, first,
                requantise_all(out, layer.attention_factor, result.saturated), shape.head_width);
  }
  result.out_q =
      integer_product(result.attention_q, layer.wo.q, shape.tokens, inner, shape.model_width);
  return result;
}

}  // namespace quadrille::model
