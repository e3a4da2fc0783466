#include "model/numerics/product.h"

#include <Eigen/Dense>
#include <algorithm>
#include <cstdlib>
#include <limits>

namespace quadrille::model {
namespace {

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

Eigen::Map<const Matrix> view(const std::vector<double>& values, std::size_t columns) {
  return {values.data(), static_cast<Eigen::Index>(values.size() / columns),
          static_cast<Eigen::Index>(columns)};
}

std::int64_t largest(const std::vector<std::int32_t>& codes) {
  std::int64_t most = 0;
  for (const std::int32_t code : codes) most = std::max(most, std::abs(std::int64_t{code}));
  return most;
}

bool fits_16_bits(const std::vector<std::int32_t>& codes) { return largest(codes) <= 32767; }

/// No sum of k products, nor a part of one, leaves 32 bits.
bool sums_fit_32_bits(const std::vector<std::int32_t>& x, const std::vector<std::int32_t>& w,
                      std::size_t k) {
  const std::int64_t product = largest(x) * largest(w);
  return product == 0 ||
         static_cast<std::int64_t>(k) <= std::numeric_limits<std::int32_t>::max() / product;
}

/// The product where 16-bit codes and 32-bit sums hold everything: what codes of 8 bits
/// need, in an eighth of the time that 64 bits take.
std::vector<std::int64_t> narrow(const std::vector<std::int32_t>& x,
                                 const std::vector<std::int32_t>& w, std::size_t k, std::size_t n) {
  const std::vector<std::int16_t> rows(x.begin(), x.end());
  std::vector<std::int16_t> columns(w.size());
  for (std::size_t i = 0; i < k; ++i) {
    for (std::size_t c = 0; c < n; ++c)
      columns[c * k + i] = static_cast<std::int16_t>(w[i * n + c]);
  }
  std::vector<std::int64_t> out(x.size() / k * n);
  for (std::size_t r = 0; r < x.size() / k; ++r) {
    for (std::size_t c = 0; c < n; ++c) {
      std::int32_t sum = 0;
      for (std::size_t i = 0; i < k; ++i) sum += rows[r * k + i] * columns[c * k + i];
      out[r * n + c] = sum;
    }
  }
  return out;
}

}  // namespace

std::vector<double> product_float(const std::vector<double>& x, const std::vector<double>& w,
                                  std::size_t k, std::size_t n) {
  std::vector<double> out(x.size() / k * n);
  Eigen::Map<Matrix>(out.data(), static_cast<Eigen::Index>(x.size() / k),
                     static_cast<Eigen::Index>(n))
      .noalias() = view(x, k) * view(w, n);
  return out;
}

std::vector<double> product_transposed_float(const std::vector<double>& x,
                                             const std::vector<double>& w, std::size_t k,
                                             std::size_t n, double factor) {
  std::vector<double> out(x.size() / k * n);
  Eigen::Map<Matrix>(out.data(), static_cast<Eigen::Index>(x.size() / k),
                     static_cast<Eigen::Index>(n))
      .noalias() = factor * view(x, k) * view(w, k).transpose();
  return out;
}

std::vector<std::int64_t> product_fixed(const std::vector<std::int32_t>& x,
                                        const std::vector<std::int32_t>& w, std::size_t k,
                                        std::size_t n) {
  if (k == 0 || x.empty()) return {};
  if (fits_16_bits(x) && fits_16_bits(w) && sums_fit_32_bits(x, w, k)) return narrow(x, w, k, n);
  std::vector<std::int64_t> out(x.size() / k * n, 0);
  for (std::size_t r = 0; r < x.size() / k; ++r) {
    for (std::size_t i = 0; i < k; ++i) {
      const std::int64_t left = x[r * k + i];
      for (std::size_t c = 0; c < n; ++c) out[r * n + c] += left * w[i * n + c];
    }
  }
  return out;
}

}  // namespace quadrille::model
