#include "model/numerics/product.h"

#include <Eigen/Dense>

namespace quadrille::model {
namespace {

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

Eigen::Map<const Matrix> view(const std::vector<double>& values, std::size_t columns) {
  return {values.data(), static_cast<Eigen::Index>(values.size() / columns),
          static_cast<Eigen::Index>(columns)};
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
  const std::size_t rows = k == 0 ? 0 : x.size() / k;
  std::vector<std::int64_t> out(rows * n, 0);
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t i = 0; i < k; ++i) {
      const std::int64_t left = x[r * k + i];
      for (std::size_t c = 0; c < n; ++c) out[r * n + c] += left * w[i * n + c];
    }
  }
  return out;
}

}  // namespace quadrille::model
