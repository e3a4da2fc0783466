// Numbers from a generator's own bits: the same with every standard library,
// which the distributions of <random> and std::shuffle do not promise. Every
// random test draws with these.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <random>
#include <utility>
#include <vector>

namespace quadrille {

__extension__ using PortableProduct = unsigned __int128;

/// Uniform in low..high, without bias: the upper half of a 128-bit product,
/// drawn again where the lower half would favour some numbers (Lemire 2019).
inline int pick(std::mt19937_64& random, int low, int high) {
  const auto count = static_cast<std::uint64_t>(std::int64_t{high} - low + 1);
  PortableProduct product = static_cast<PortableProduct>(random()) * count;
  const std::uint64_t favoured = (0 - count) % count;
  while (static_cast<std::uint64_t>(product) < favoured)
    product = static_cast<PortableProduct>(random()) * count;
  return static_cast<int>(low + static_cast<std::int64_t>(product >> 64));
}

/// Uniform in (0, 1).
inline double portable_uniform(std::mt19937_64& random) {
  return (static_cast<double>(random() >> 11) + 0.5) * std::ldexp(1.0, -53);
}

/// Uniform in (low, high).
inline double portable_uniform(std::mt19937_64& random, double low, double high) {
  return low + (high - low) * portable_uniform(random);
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

/// Every order with equal probability (Fisher-Yates).
template <typename Value>
void portable_shuffle(std::mt19937_64& random, std::vector<Value>& values) {
  for (std::size_t left = values.size(); left > 1; --left) {
    const int chosen = pick(random, 0, static_cast<int>(left) - 1);
    std::swap(values[left - 1], values[static_cast<std::size_t>(chosen)]);
  }
}

}  // namespace quadrille
