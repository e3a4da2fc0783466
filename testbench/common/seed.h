// Seed and run count of the random tests, from the environment.
#pragma once

#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace quadrille::testbench {

/// A whole number from the environment; none when the variable is not set.
inline std::optional<std::uint64_t> number_from_environment(const char* name) {
  const char* set = std::getenv(name);
  if (set == nullptr) return std::nullopt;
  const std::string_view text = set;
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) {
    throw std::invalid_argument(std::string(name) + " is '" + set + "', expected a whole number");
  }
  return number;
}

/// QUADRILLE_SEED, or `fallback`. Print it in every failure.
inline std::uint64_t test_seed(std::uint64_t fallback) {
  return number_from_environment("QUADRILLE_SEED").value_or(fallback);
}

/// QUADRILLE_LOCKSTEP_RUNS, or `fallback`. Throws below 100: tests that take a
/// hundredth of it would compare nothing.
inline int lockstep_runs(int fallback) {
  const auto runs = number_from_environment("QUADRILLE_LOCKSTEP_RUNS");
  if (!runs) return fallback;
  if (*runs < 100 || *runs > 1'000'000'000) {
    throw std::invalid_argument("QUADRILLE_LOCKSTEP_RUNS is " + std::to_string(*runs) +
                                ", expected 100..1000000000");
  }
  return static_cast<int>(*runs);
}

}  // namespace quadrille::testbench
