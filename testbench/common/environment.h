// The environment of a test program: one table of variables, one parser.
//
// A variable that is set and means nothing (a misspelt name, zero, garbage) ends
// the program before its first test, so that nobody believes a run that ignored it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace quadrille::testbench {

/// QUADRILLE_SEED, or `fallback`. Print it in every failure.
std::uint64_t test_seed(std::uint64_t fallback);

/// QUADRILLE_LOCKSTEP_RUNS, or `fallback`: commands per lockstep test, at least
/// 100, because tests that take a hundredth of it would compare nothing.
int lockstep_runs(int fallback);

/// QUADRILLE_RANDOM_CASES, or `fallback`: cases per random test.
int random_cases(int fallback);

/// QUADRILLE_POINTS, or `fallback`: points that plans are judged on.
int plan_points(int fallback);

/// QUADRILLE_CHIP: a chip file for lockstep at its sizes; empty when it is not set.
std::string chip_of_environment();

/// True when QUADRILLE_BLESS is 1: published pages are rewritten, and the tests
/// that rewrite them fail.
bool blessing();

/// `text` as the value of variable `name`. Throws std::invalid_argument for
/// anything but a whole number in the variable's range, and for a name that the
/// table does not have; the readers above throw alike.
std::uint64_t parse_environment_number(std::string_view name, std::string_view text);

/// Names what is wrong with the QUADRILLE_* variables among `variables`
/// ("NAME=VALUE"), one line each; empty when nothing is.
std::vector<std::string> environment_faults(const std::vector<std::string>& variables);

/// environment_faults() of this process.
std::vector<std::string> environment_faults();

}  // namespace quadrille::testbench
