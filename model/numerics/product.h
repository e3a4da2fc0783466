// The matrix product out[L, n] = X[L, k] W[k, n].
#pragma once

#include <cstdint>
#include <vector>

namespace quadrille::model {

/// Level `float`.
std::vector<double> product_float(const std::vector<double>& x, const std::vector<double>& w,
                                  std::size_t k, std::size_t n);

/// factor X W^T, with W[n, k].
std::vector<double> product_transposed_float(const std::vector<double>& x,
                                             const std::vector<double>& w, std::size_t k,
                                             std::size_t n, double factor = 1.0);

/// Level `fixed`: exact sums of products of codes.
std::vector<std::int64_t> product_fixed(const std::vector<std::int32_t>& x,
                                        const std::vector<std::int32_t>& w, std::size_t k,
                                        std::size_t n);

}  // namespace quadrille::model
