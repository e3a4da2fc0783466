// Seed and run count of the random tests, from the environment.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <stdexcept>
#include <string>

namespace quadrille::testbench {

/// QUADRILLE_SEED, or `fallback`. Print it in every failure.
inline std::uint64_t test_seed(std::uint64_t fallback) {
  const char* text = std::getenv("QUADRILLE_SEED");
  return text != nullptr ? std::stoull(text) : fallback;
}

/// QUADRILLE_LOCKSTEP_RUNS, or `fallback`. Throws below 100: tests that take a
/// hundredth of it would compare nothing.
inline int lockstep_runs(int fallback) {
  const char* text = std::getenv("QUADRILLE_LOCKSTEP_RUNS");
  const int runs = text != nullptr ? std::stoi(text) : fallback;
  if (text != nullptr && runs < 100) {
    throw std::invalid_argument("QUADRILLE_LOCKSTEP_RUNS is " + std::string(text) +
                                ", expected 100 or more");
  }
  return runs;
}

}  // namespace quadrille::testbench
