// Held K runs out of its widths (docs/numerics.md, "Held K") in these commands,
// which reach every clamp: tile = beat = sinkhorn_fixed with the clamps counted
// alike. A plain iteration beside them tells which clamp it was.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "model/numerics/logarithm.h"
#include "model/numerics/reciprocal.h"
#include "model/numerics/rounding.h"
#include "testbench/common/environment.h"
#include "testbench/common/sinkhorn_case.h"

namespace quadrille {
namespace {

using namespace hw;
using namespace testbench;
using model::Reciprocal;
using model::SinkhornForm;
using Random = std::mt19937_64;

constexpr std::int64_t kMostSum = (std::int64_t{1} << 46) - 1;
constexpr std::int64_t kMostProduct = (std::int64_t{1} << 38) - 1;
constexpr std::int64_t kMostWord = (std::int64_t{1} << 31) - 1;

struct Census {
  std::int64_t small_sums = 0;     ///< Below 1.
  std::int64_t large_sums = 0;     ///< Sums beyond 2^46 - 1.
  std::int64_t target_sums = 0;    ///< A column's sum over n / m, on either end.
  std::int64_t fresh_targets = 0;  ///< Those that were sums not clamped before.
  std::int64_t products = 0;       ///< K0 r.
  std::int64_t words = 0;          ///< K0 r c.
  std::int64_t elements = 0;       ///< kMatrix's K in place.

  std::int64_t all() const {
    return small_sums + large_sums + target_sums + products + words + elements;
  }
  void operator+=(const Census& other) {
    small_sums += other.small_sums;
    large_sums += other.large_sums;
    target_sums += other.target_sums;
    fresh_targets += other.fresh_targets;
    products += other.products;
    words += other.words;
    elements += other.elements;
  }
};

std::int64_t times(std::int64_t x, const Reciprocal& r) {
  return model::round_shift(x * std::int64_t{r.mantissa}, r.shift - model::kKernelFractionBits);
}

/// An iteration of one matrix's held K, line by line.
class Plain {
 public:
  Plain(const SinkhornScale& operation, const std::vector<std::int32_t>& logits, int matrix)
      : o_(operation), scalings_{lines(true), lines(false)} {
    const int first = matrix * o_.rows * o_.columns;
    const auto logit = [&](int i, int j) {
      return std::int64_t{logits[static_cast<std::size_t>(first + i * o_.columns + j)]};
    };
    std::int64_t largest = INT32_MIN;
    for (int i = 0; i < o_.rows; ++i)
      for (int j = 0; j < o_.columns; ++j)
        if (visible(i, j)) largest = std::max(largest, logit(i, j));
    std::int64_t never = 0;
    for (int i = 0; i < o_.rows; ++i)
      for (int j = 0; j < o_.columns; ++j)
        k_.push_back(visible(i, j) ? model::power_code((logit(i, j) - largest) *
                                                           (1 << (16 - o_.logit_fraction_bits)),
                                                       model::kKernelFractionBits, never)
                                   : 0);
  }

  /// Sweeps without a stop, and K in the end.
  Census run() {
    for (int sweep = 1; sweep <= o_.half_steps; ++sweep) normalise(sweep % 2 == 1);
    for (int i = 0; o_.form == SinkhornForm::kKernel && i < o_.rows; ++i)
      for (int j = 0; j < o_.columns; ++j)
        clamp(times(clamp(times(k(i, j), scaling(true, i)), kMostProduct, census_.products),
                    scaling(false, j)),
              kMostWord, census_.words);
    return census_;
  }

 private:
  std::vector<Reciprocal> lines(bool rows) const {
    return std::vector<Reciprocal>(static_cast<std::size_t>(rows ? o_.rows : o_.columns),
                                   Reciprocal{1U << 15, 39});
  }
  bool visible(int i, int j) const { return !o_.causal || j <= i; }
  std::int64_t& k(int i, int j) { return k_[static_cast<std::size_t>(i * o_.columns + j)]; }
  Reciprocal& scaling(bool row, int line) {
    return scalings_[row ? 0 : 1][static_cast<std::size_t>(line)];
  }
  static std::int64_t clamp(std::int64_t x, std::int64_t most, std::int64_t& count) {
    count += x > most;
    return std::min(x, most);
  }

  void normalise(bool rows) {
    const int count = rows ? o_.rows : o_.columns;
    const int steps = rows ? o_.columns : o_.rows;
    for (int line = 0; line < count; ++line) {
      if (!rows && o_.causal && line >= o_.rows) continue;
      std::int64_t sum = 0;
      for (int step = 0; step < steps; ++step) {
        const std::int64_t element = rows ? k(line, step) : k(step, line);
        sum += o_.form == SinkhornForm::kKernel ? times(element, scaling(!rows, step)) : element;
      }
      const bool within = sum >= 1 && sum <= kMostSum;
      census_.small_sums += sum < 1;
      sum = clamp(std::max<std::int64_t>(sum, 1), kMostSum, census_.large_sums);
      if (!rows) {
        const auto& inverse = o_.column_target_inverse;
        sum = model::round_shift(sum * std::int64_t{inverse.mantissa}, inverse.shift);
        census_.target_sums += sum < 1;
        census_.fresh_targets += within && (sum < 1 || sum > kMostSum);
        sum = clamp(std::max<std::int64_t>(sum, 1), kMostSum, census_.target_sums);
      }
      scaling(rows, line) = model::reciprocal(static_cast<std::uint64_t>(sum));
      for (int step = 0; o_.form == SinkhornForm::kMatrix && step < steps; ++step) {
        std::int64_t& element = rows ? k(line, step) : k(step, line);
        element = clamp(times(element, scaling(rows, line)), kMostWord, census_.elements);
      }
    }
  }

  SinkhornScale o_;
  std::vector<std::int64_t> k_;
  std::vector<Reciprocal> scalings_[2];
  Census census_;
};

/// A logit in octaves, 0 .. -12.
using Pattern = std::function<double(Random&, int row, int column)>;

constexpr double kLeast = -model::kKernelSpreadOctaves;

/// Runs the command on every level; adds to `reached` what it clamped.
void run(Random& random, SinkhornScale o, const Pattern& pattern, Census& reached) {
  ScaleCase c;
  c.config.lanes = 8;
  c.config.tile_elements = 1 << 16;
  o.kernel_wanted = true;
  o.logit_fraction_bits = 10;
  o.factor = model::make_multiplier(1.0);
  for (int b = 0; b < o.batch; ++b)
    for (int i = 0; i < o.rows; ++i)
      for (int j = 0; j < o.columns; ++j)
        c.codes.push_back(static_cast<std::int32_t>(
            std::lround(std::ldexp(pattern(random, i, j), o.logit_fraction_bits))));
  c.operation = o;
  complete(random, c);
  SCOPED_TRACE(c.describe());
  ASSERT_LE(model::kernel_spread(c.codes, c.problem), model::kKernelSpreadOctaves);
  Census census;
  for (int b = 0; b < o.batch; ++b) census += Plain(c.operation, c.codes, b).run();
  const SinkhornExpected expected = expected_scale(c);
  ASSERT_EQ(census.all(), expected.saturated);
  expect_sinkhorn_equal(random, c.config, c.operation, c.memory, expected);
  reached += census;
}

SinkhornScale held(SinkhornForm form, int rows, int columns, bool causal, int half_steps) {
  SinkhornScale o;
  o.form = form;
  o.rows = rows;
  o.columns = columns;
  o.causal = causal;
  o.half_steps = half_steps;
  return o;
}

double anything(Random& random, int, int) { return kLeast * pick(random, 0, 4096) / 4096; }
double weak_diagonal(Random&, int row, int column) { return column < row ? 0 : kLeast; }
double weak_start(Random&, int, int column) { return column == 0 ? kLeast : 0; }
double falling(Random&, int, int column) { return std::max(kLeast, kLeast * column / 64); }

// The scalings have no limit under the mask: they grow and shrink with every
// half-step until sums leave both ends of 1 .. 2^46 - 1, and K0 r its 38 bits.
TEST(SinkhornClamps, CausalKernelRunsOutOfSumsAndProducts) {
  const std::uint64_t seed = test_seed(20250721);
  SCOPED_TRACE("QUADRILLE_SEED=" + std::to_string(seed));
  Random random(seed);
  Census square;
  run(random, held(SinkhornForm::kKernel, 64, 64, true, 3001), anything, square);
  for (const Pattern& pattern : {Pattern(weak_diagonal), Pattern(weak_start), Pattern(falling)}) {
    for (const bool verify : {false, true}) {
      // The sweep that only verifies clamps too, and is not counted.
      SinkhornScale o = held(SinkhornForm::kKernel, 64, 64, true, 300 + (verify ? 1 : 0));
      o.verify = verify;
      run(random, o, pattern, square);
    }
  }
  EXPECT_GE(square.small_sums, 1000);
  EXPECT_GE(square.large_sums, 1000);
  EXPECT_GE(square.products, 100);
  EXPECT_EQ(square.target_sums, 0);  // n / m is 1: clamped before.
}

// A column's sum within 46 bits that its target m / n > 1 takes beyond them.
TEST(SinkhornClamps, CausalKernelRunsOutOfScaledColumnSums) {
  const std::uint64_t seed = test_seed(20250722);
  SCOPED_TRACE("QUADRILLE_SEED=" + std::to_string(seed));
  Random random(seed);
  Census wide;
  for (const Pattern& pattern : {Pattern(anything), Pattern(weak_diagonal), Pattern(falling)}) {
    SinkhornScale o = held(SinkhornForm::kKernel, 16, 40, true, 301);
    o.batch = 2;
    run(random, o, pattern, wide);
  }
  EXPECT_GE(wide.fresh_targets, 100);
}

// Columns sum to n / m = 300: one row that has a column almost for itself has an
// entry above 128 = 2^31 / 2^24 there.
TEST(SinkhornClamps, TallMatrixRunsOutOfEntries) {
  const std::uint64_t seed = test_seed(20250723);
  SCOPED_TRACE("QUADRILLE_SEED=" + std::to_string(seed));
  Random random(seed);
  const Pattern one_heavy = [](Random& r, int row, int column) {
    const bool heavy = column == 0 ? row == 5 : row != 5;
    return heavy ? 0.0 : kLeast + pick(r, 0, 1024) / 1024.0;
  };
  for (const bool causal : {false, true}) {
    for (const auto form : {SinkhornForm::kKernel, SinkhornForm::kMatrix}) {
      Census tall;
      for (const int half_steps : {2, 3, 4}) {
        SinkhornScale o = held(form, 600, 2, causal, half_steps);
        o.batch = 3;
        run(random, o, one_heavy, tall);
      }
      // kKernel clamps what leaves, on columns; kMatrix what it keeps.
      const bool kernel = form == SinkhornForm::kKernel;
      EXPECT_GE(kernel ? tall.words : tall.elements, 3) << "causal " << causal;
      EXPECT_EQ(tall.all(), kernel ? tall.words : tall.elements);
    }
  }
}

}  // namespace
}  // namespace quadrille
