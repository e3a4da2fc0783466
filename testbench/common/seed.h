// Seed and run count of the random tests, from the environment.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <string>

namespace quadrille::testbench {

/// QUADRILLE_SEED, or `fallback`. Print it in every failure.
inline std::uint64_t test_seed(std::uint64_t fallback) {
  const char* text = std::getenv("QUADRILLE_SEED");
  return text != nullptr ? std::stoull(text) : fallback;
}

/// QUADRILLE_LOCKSTEP_RUNS, or `fallback`.
inline int lockstep_runs(int fallback) {
  const char* text = std::getenv("QUADRILLE_LOCKSTEP_RUNS");
  return text != nullptr ? std::stoi(text) : fallback;
}

}  // namespace quadrille::testbench
