// Random problems on a whole chip: what is drawn, what was drawn, and the run.
//
// QUADRILLE_SEED overrides the seed, QUADRILLE_RANDOM_CASES the number of cases.
// The histogram of what was drawn is printed; too thin a spread fails.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "app/config/chip_file.h"
#include "testbench/common/environment.h"
#include "testbench/common/node_case.h"
#include "testbench/common/portable_random.h"
#include "testbench/common/source_tree.h"

namespace quadrille::testbench {

class Draw {
 public:
  explicit Draw(std::uint64_t seed) : random_(seed) {}
  /// Log-uniform in 1..largest.
  int size(int largest) {
    return std::min(
        largest, static_cast<int>(std::exp(portable_uniform(random_) * std::log(largest + 1.0))));
  }
  int below(int count) { return pick(random_, 0, count - 1); }
  bool flip() { return below(2) == 1; }
  std::vector<std::int32_t> codes(int count, int bits = 8) {
    const int span = 1 << bits;
    std::vector<std::int32_t> out(static_cast<std::size_t>(count));
    // All codes are equally likely in most tensors; now and then there are only
    // extremes, which fill accumulators.
    const bool extremes = below(16) == 0;
    for (auto& code : out)
      code = extremes ? (flip() ? span / 2 - 1 : -span / 2) : below(span) - span / 2;
    return out;
  }
  double scale() { return std::exp2(static_cast<double>(below(1200)) / 100.0 - 12.0); }

 private:
  std::mt19937_64 random_;
};

// A tally of what was drawn: sizes by octave, settings pair by pair.
class Census {
 public:
  void size(const std::string& name, int value) {
    ++sizes_[name][static_cast<int>(std::log2(value))];
  }
  void settings(const std::vector<std::string>& values) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      for (std::size_t j = i + 1; j < values.size(); ++j) ++pairs_[values[i] + " & " + values[j]];
    }
  }
  void tile(bool larger) {
    ++cases_;
    larger_ += larger ? 1 : 0;
  }
  void print() const {
    for (const auto& [name, octaves] : sizes_) {
      fmt::print("{:>12}:", name);
      for (const auto& [octave, count] : octaves)
        fmt::print(" {}..{}:{}", 1 << octave, (2 << octave) - 1, count);
      fmt::print("\n");
    }
    for (const auto& [pair, count] : pairs_) fmt::print("  {}: {}\n", pair, count);
    fmt::print("larger than a macro: {} of {}\n", larger_, cases_);
  }
  void check(int least_per_pair) const {
    for (const auto& [pair, count] : pairs_) EXPECT_GE(count, least_per_pair) << pair;
    EXPECT_GE(larger_ * 10, cases_);
  }

 private:
  std::map<std::string, std::map<int, int>> sizes_;
  std::map<std::string, int> pairs_;
  int larger_ = 0;
  int cases_ = 0;
};

class RandomCases : public testing::Test {
 protected:
  RandomCases()
      : default_(app::read_chip_file(source_path("chips/default.yaml"))),
        small_(app::read_chip_file(source_path("chips/small.yaml"))),
        seed_(test_seed(20240607)),
        draw_(seed_) {
    fmt::print("seed {}\n", seed_);
  }
  ~RandomCases() override { census_.print(); }

  /// This test's share of the cases of all, at least one.
  int cases(int standard) const {
    return std::max(1,
                    static_cast<int>(std::int64_t{standard} * random_cases(kAllCases) / kAllCases));
  }
  int least_per_pair() const { return random_cases(kAllCases) >= kAllCases ? 50 : 0; }

  // Cases run on the default chip; half of those that fit the small one run
  // there.
  const hw::ChipConfig& chip(bool fits_small) {
    return fits_small && draw_.flip() ? small_ : default_;
  }

  static void expect_equal(const std::vector<std::int64_t>& fixed,
                           const std::vector<std::int64_t>& chip, const std::string& what) {
    ASSERT_EQ(fixed.size(), chip.size()) << what;
    for (std::size_t i = 0; i < fixed.size(); ++i)
      ASSERT_EQ(fixed[i], chip[i]) << what << ", index " << i;
  }

  static constexpr int kAllCases = 12500;

  hw::ChipConfig default_;
  hw::ChipConfig small_;
  std::uint64_t seed_;
  Draw draw_;
  Census census_;
};

}  // namespace quadrille::testbench
