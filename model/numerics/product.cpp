#include "model/numerics/product.h"

namespace quadrille::model {
namespace {

template <typename Sum, typename Factor>
std::vector<Sum> product(const std::vector<Factor>& x, const std::vector<Factor>& w, std::size_t k,
                         std::size_t n) {
  const std::size_t rows = k == 0 ? 0 : x.size() / k;
  std::vector<Sum> out(rows * n, Sum{0});
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t i = 0; i < k; ++i) {
      const auto left = static_cast<Sum>(x[r * k + i]);
      for (std::size_t c = 0; c < n; ++c) out[r * n + c] += left * static_cast<Sum>(w[i * n + c]);
    }
  }
  return out;
}

}  // namespace

std::vector<double> product_float(const std::vector<double>& x, const std::vector<double>& w,
                                  std::size_t k, std::size_t n) {
  return product<double>(x, w, k, n);
}

std::vector<std::int64_t> product_fixed(const std::vector<std::int32_t>& x,
                                        const std::vector<std::int32_t>& w, std::size_t k,
                                        std::size_t n) {
  return product<std::int64_t>(x, w, k, n);
}

}  // namespace quadrille::model
