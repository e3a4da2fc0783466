// Seeded numbers, the same on every machine and library: std::mt19937_64 (whose
// sequence the standard fixes) through the Box-Muller transform of our own (the
// standard leaves its normal distribution to the library).
#pragma once

#include <cstdint>
#include <random>
#include <vector>

namespace quadrille::app {

class RandomData {
 public:
  explicit RandomData(std::uint64_t seed) : generator_(seed) {}
  /// `count` values of N(0, 1), rounded to multiples of 2^-20 so that the last bit of a
  /// library's logarithm does not show, times `deviation`: a small one loses no digits.
  std::vector<double> normal(std::size_t count, double deviation);

 private:
  double uniform();  ///< In (0, 1].
  std::mt19937_64 generator_;
};

}  // namespace quadrille::app
