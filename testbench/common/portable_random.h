// Reals from a generator's own bits: the same numbers with every standard
// library, which std::normal_distribution does not promise. For the published
// accuracy pages.
#pragma once

#include <cmath>
#include <cstddef>
#include <random>
#include <vector>

namespace quadrille {

/// Uniform in (0, 1).
inline double portable_uniform(std::mt19937_64& random) {
  return (static_cast<double>(random() >> 11) + 0.5) * std::ldexp(1.0, -53);
}

/// Standard normal (Box-Muller, the cosine half).
inline double portable_normal(std::mt19937_64& random) {
  const double radius = std::sqrt(-2.0 * std::log(portable_uniform(random)));
  return radius * std::cos(6.283185307179586 * portable_uniform(random));
}

inline std::vector<double> portable_normals(std::mt19937_64& random, int count) {
  std::vector<double> values(static_cast<std::size_t>(count));
  for (double& value : values) value = portable_normal(random);
  return values;
}

}  // namespace quadrille
