#include "testbench/common/environment.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <limits>
#include <optional>
#include <stdexcept>

namespace quadrille::testbench {
namespace {

struct Variable {
  std::string_view name;
  std::uint64_t least;
  std::uint64_t most;
};

constexpr Variable kVariables[] = {
    {"QUADRILLE_SEED", 1, std::numeric_limits<std::uint64_t>::max()},
    {"QUADRILLE_LOCKSTEP_RUNS", 100, 1'000'000'000},
    {"QUADRILLE_RANDOM_CASES", 1, 1'000'000'000},
    {"QUADRILLE_POINTS", 1, 1'000'000'000},
    {"QUADRILLE_BLESS", 1, 1},
};

/// Names whose values are files, and those that scripts/mutate_rtl.py and
/// scripts/rtl_coverage.py set for code that they generate; the program itself reads
/// QUADRILLE_RTL_CACHE.
constexpr std::string_view kNoNumbers[] = {"QUADRILLE_CHIP", "QUADRILLE_RTL_CACHE",
                                           "QUADRILLE_MUTANT", "QUADRILLE_COVERAGE"};

constexpr std::string_view kPrefix = "QUADRILLE_";

const Variable* find(std::string_view name) {
  const auto* found = std::find_if(std::begin(kVariables), std::end(kVariables),
                                   [&](const Variable& v) { return v.name == name; });
  return found == std::end(kVariables) ? nullptr : found;
}

/// The variable's value; none when it is not set.
std::optional<std::uint64_t> number_from_environment(const char* name) {
  const char* text = std::getenv(name);
  if (text == nullptr) return std::nullopt;
  return parse_environment_number(name, text);
}

}  // namespace

std::uint64_t parse_environment_number(std::string_view name, std::string_view text) {
  const Variable* variable = find(name);
  if (variable == nullptr)
    throw std::invalid_argument(fmt::format("{} is no variable of the tests", name));
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < variable->least ||
      number > variable->most) {
    throw std::invalid_argument(fmt::format("{} is '{}', expected a whole number from {} to {}",
                                            name, text, variable->least, variable->most));
  }
  return number;
}

std::uint64_t test_seed(std::uint64_t fallback) {
  return number_from_environment("QUADRILLE_SEED").value_or(fallback);
}

std::string chip_of_environment() {
  const char* file = std::getenv("QUADRILLE_CHIP");
  if (file == nullptr) return "";
  if (*file == '\0') throw std::invalid_argument("QUADRILLE_CHIP is empty, expected a chip file");
  return file;
}

int lockstep_runs(int fallback) {
  const auto runs = number_from_environment("QUADRILLE_LOCKSTEP_RUNS");
  return runs ? static_cast<int>(*runs) : fallback;
}

int random_cases(int fallback) {
  const auto cases = number_from_environment("QUADRILLE_RANDOM_CASES");
  return cases ? static_cast<int>(*cases) : fallback;
}

int plan_points(int fallback) {
  const auto points = number_from_environment("QUADRILLE_POINTS");
  return points ? static_cast<int>(*points) : fallback;
}

bool blessing() { return number_from_environment("QUADRILLE_BLESS").has_value(); }

std::vector<std::string> environment_faults(const std::vector<std::string>& variables) {
  std::vector<std::string> faults;
  for (const std::string_view variable : variables) {
    if (variable.substr(0, kPrefix.size()) != kPrefix) continue;
    const std::size_t equals = variable.find('=');
    const std::string_view name = variable.substr(0, equals);
    if (std::find(std::begin(kNoNumbers), std::end(kNoNumbers), name) != std::end(kNoNumbers))
      continue;
    try {
      parse_environment_number(
          name, equals == variable.npos ? std::string_view() : variable.substr(equals + 1));
    } catch (const std::invalid_argument& error) {
      faults.emplace_back(error.what());
    }
  }
  return faults;
}

std::vector<std::string> environment_faults() {
  std::vector<std::string> variables;
  for (char** variable = environ; *variable != nullptr; ++variable)
    variables.emplace_back(*variable);
  return environment_faults(variables);
}

}  // namespace quadrille::testbench
