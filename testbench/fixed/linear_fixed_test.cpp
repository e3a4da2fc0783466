// Level `fixed` of linear attention: its running sums against the quadratic
// definition in exact integers, the phi tables, and the division.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <random>

#include "model/attention/linear.h"
#include "model/errors.h"
#include "model/numerics/reciprocal.h"

namespace quadrille::model {
namespace {

__extension__ using Wide = __int128;

struct Problem {
  LinearShape shape;
  std::vector<std::int32_t> q, k, v, rp;
  PhiTable phi_q{}, phi_k{}, phi_rp{};
};

enum class Draw { kUniform, kExtremes };

std::vector<std::int32_t> draw_codes(std::mt19937_64& random, int count, Draw draw) {
  std::vector<std::int32_t> codes(static_cast<std::size_t>(count));
  for (std::int32_t& code : codes) {
    code = static_cast<std::int32_t>(random() % 256) - 128;
    if (draw == Draw::kExtremes) code = code < 0 ? -128 : 127;
  }
  return codes;
}

/// Tables as a run makes them: K and RP on their common scale.
void make_tables(Problem& p, double scale_q, double scale_k, double scale_rp) {
  const double common = std::max(phi_scale(scale_k), phi_scale(scale_rp));
  p.phi_q = make_phi_table(scale_q, phi_scale(scale_q));
  p.phi_k = make_phi_table(scale_k, common);
  p.phi_rp = make_phi_table(scale_rp, common);
}

Problem random_problem(std::mt19937_64& random, const LinearShape& shape, Draw draw) {
  Problem p;
  p.shape = shape;
  p.q = draw_codes(random, shape.queries * shape.width, draw);
  p.k = draw_codes(random, shape.keys * shape.width, draw);
  p.v = draw_codes(random, shape.keys * shape.value_width, draw);
  p.rp = draw_codes(random, shape.horizon < 0 ? 0 : (2 * shape.horizon + 1) * shape.width, draw);
  const auto scale = [&] { return std::ldexp(1.0 + static_cast<double>(random() % 8), -7); };
  const double scale_q = scale();
  const double scale_k = scale();
  make_tables(p, scale_q, scale_k, scale());
  return p;
}

LinearFixedResult run(const Problem& p) {
  return linear_fixed(p.q, p.k, p.v, p.rp, p.shape, p.phi_q, p.phi_k, p.phi_rp);
}

std::int64_t phi(const PhiTable& table, const std::vector<std::int32_t>& codes, int row, int width,
                 int column) {
  const std::int32_t code =
      codes.at(static_cast<std::size_t>(row) * static_cast<std::size_t>(width) +
               static_cast<std::size_t>(column));
  return table.at(static_cast<std::size_t>(code + 128));
}

std::int64_t weight(const Problem& p, int i, int j) {
  if (p.shape.causal && j > i) return 0;
  const int d = p.shape.width;
  const int k = p.shape.horizon;
  std::int64_t sum = 0;
  for (int l = 0; l < d; ++l) {
    std::int64_t factor = phi(p.phi_k, p.k, j, d, l);
    if (k >= 0) factor += phi(p.phi_rp, p.rp, std::clamp(j - i, -k, k) + k, d, l);
    sum += phi(p.phi_q, p.q, i, d, l) * factor;
  }
  return sum;
}

/// x / 2^shift to nearest, ties to even, from the definition of rounding.
Wide round_half_even(Wide x, int shift) {
  const Wide unit = Wide{1} << shift;
  Wide down = x / unit;
  if (down * unit > x) --down;
  const Wide twice = 2 * (x - down * unit);
  const bool odd = (down & 1) != 0;
  return down + (twice > unit || (twice == unit && odd) ? 1 : 0);
}

/// The contract of linear_normalise() in 128 bits, before saturation.
Wide specified_quotient(std::int64_t numerator, std::int64_t denominator) {
  int p = 0;
  while ((denominator >> p) >= (std::int64_t{1} << 32)) ++p;
  const Reciprocal inverse = reciprocal(static_cast<std::uint64_t>(denominator));
  return round_half_even(round_half_even(numerator, p) * inverse.mantissa, inverse.shift - p - 8);
}

void expect_definition(const Problem& p) {
  const LinearFixedResult found = run(p);
  const auto columns = static_cast<std::size_t>(p.shape.value_width);
  for (int i = 0; i < p.shape.queries; ++i) {
    const auto row = static_cast<std::size_t>(i);
    std::vector<std::int64_t> numerator(columns, 0);
    std::int64_t denominator = 0;
    for (int j = 0; j < p.shape.keys; ++j) {
      const std::int64_t w = weight(p, i, j);
      denominator += w;
      for (std::size_t c = 0; c < columns; ++c)
        numerator[c] += w * p.v[static_cast<std::size_t>(j) * columns + c];
    }
    ASSERT_EQ(found.denominator_q[row], denominator) << "query " << i;
    for (std::size_t c = 0; c < columns; ++c) {
      ASSERT_EQ(found.numerator_q[row * columns + c], numerator[c]) << "query " << i;
      ASSERT_EQ(found.out_q[row * columns + c],
                static_cast<std::int64_t>(specified_quotient(numerator[c], denominator)))
          << "query " << i << " column " << c;
    }
  }
  EXPECT_EQ(found.saturated, 0);  // |num| <= 128 den
}

TEST(LinearFixed, IsTheDefinitionForEveryCombinationOfLengthsAndHorizon) {
  constexpr int kLengths[] = {1, 2, 3, 5, 7, 13, 31};
  std::mt19937_64 random(51);
  int compared = 0;
  for (const int queries : kLengths) {
    for (const int keys : kLengths) {
      for (const int horizon : {-1, 0, 1, 2, 5, 16, 40}) {
        for (const bool causal : {false, true}) {
          for (const Draw draw : {Draw::kUniform, Draw::kExtremes}) {
            for (const auto& [width, columns] : {std::pair{1, 1}, {3, 2}, {5, 7}}) {
              expect_definition(
                  random_problem(random, {queries, keys, width, columns, causal, horizon}, draw));
              if (HasFatalFailure()) {
                FAIL() << "Lq " << queries << " Lk " << keys << " k " << horizon << " causal "
                       << causal << " d " << width << " dv " << columns;
              }
              ++compared;
            }
          }
        }
      }
    }
  }
  EXPECT_EQ(compared, 7 * 7 * 7 * 2 * 2 * 3);
}

TEST(LinearFixed, RefusesWhatTheSumsCannotHold) {
  const auto attempt = [](int keys, int width) {
    const PhiTable table = make_phi_table(0.1, 0.1);
    linear_fixed({}, {}, {}, {}, {1, keys, width, 1, false, -1}, table, table, table);
  };
  EXPECT_THAT([&] { attempt(1 << 20, 513); },
              testing::ThrowsMessage<InvariantError>(testing::HasSubstr("more than 536870912")));
  // It is the missing tensors that are refused within reach.
  EXPECT_THAT([&] { attempt(1 << 20, 512); },
              testing::ThrowsMessage<InvariantError>(testing::HasSubstr("Q has 0 elements")));
}

// --- widths -------------------------------------------------------------------

constexpr std::int64_t kPhi = 255;
constexpr std::int64_t kValue = 128;
constexpr std::int64_t kTokens = std::int64_t{1} << 20;
constexpr std::int64_t power(int bits) { return std::int64_t{1} << bits; }

// 2^20 tokens: docs/numerics.md, section "Linear attention".
static_assert(kTokens * kPhi * kValue <= power(35));  // S: 36 bits, signed
static_assert(kTokens * kPhi < power(28));            // z: 28 bits
static_assert(kTokens * kValue <= power(27));         // sums of V: 28 bits, signed
static_assert(128 * kPhi * kPhi < power(23));         // W at d = 128: 23 bits
// Lk d = kLinearLargestReach, both terms.
static_assert(2 * kLinearLargestReach * kPhi * kPhi * kValue < power(53));  // 54 bits, signed
static_assert(2 * kLinearLargestReach * kPhi * kPhi < power(46));           // 46 bits

/// Every code the same, so that sums have a closed form.
Problem constant_problem(const LinearShape& shape, std::int32_t value) {
  const auto filled = [](int count, std::int32_t code) {
    return std::vector<std::int32_t>(static_cast<std::size_t>(count), code);
  };
  Problem p;
  p.shape = shape;
  p.q = filled(shape.queries * shape.width, 127);
  p.k = filled(shape.keys * shape.width, 127);
  p.v = filled(shape.keys * shape.value_width, value);
  p.rp = filled(shape.horizon < 0 ? 0 : (2 * shape.horizon + 1) * shape.width, 127);
  make_tables(p, 0.03, 0.03, 0.03);
  return p;
}

TEST(LinearFixed, WidestSumsOfAMillionKeysAreExact) {
  for (const std::int32_t value : {-128, 127}) {
    for (const int horizon : {-1, 0, 16}) {
      const Problem p = constant_problem({3, 1 << 20, 4, 1, false, horizon}, value);
      const LinearFixedResult found = run(p);
      const std::int64_t denominator = (horizon < 0 ? 1 : 2) * kTokens * 4 * kPhi * kPhi;
      for (std::size_t i = 0; i < 3; ++i) {
        EXPECT_EQ(found.denominator_q[i], denominator);
        EXPECT_EQ(found.numerator_q[i], denominator * value);
        // A mean of equal values is that value, to the reciprocal's error.
        EXPECT_NEAR(static_cast<double>(found.out_q[i]), 256.0 * value,
                    256.0 * 128.0 * std::ldexp(1.0, -14) + 0.5);
      }
      EXPECT_EQ(found.saturated, 0);
    }
  }
}

TEST(LinearFixed, WidestCausalSumsGrowByOneKeyAQuery) {
  constexpr int kLength = 1 << 17;
  const LinearFixedResult found = run(constant_problem({kLength, kLength, 2, 1, true, 5}, -128));
  for (int i = 0; i < kLength; ++i) {
    const std::int64_t denominator = std::int64_t{i + 1} * 2 * 2 * kPhi * kPhi;
    ASSERT_EQ(found.denominator_q[static_cast<std::size_t>(i)], denominator);
    ASSERT_EQ(found.numerator_q[static_cast<std::size_t>(i)], -128 * denominator);
  }
}

// Denominators of 33 bits and more, so that the numerator is shifted first.
TEST(LinearFixed, LongSequencesTakeThePreShift) {
  std::mt19937_64 random(52);
  Problem p = random_problem(random, {3, 1 << 15, 3, 2, false, 2}, Draw::kUniform);
  std::fill(p.k.begin(), p.k.end(), 127);
  std::fill(p.rp.begin(), p.rp.end(), 127);
  std::fill(p.q.begin(), p.q.end(), 127);
  make_tables(p, 0.03, 0.03, 0.03);
  expect_definition(p);
  EXPECT_GT(run(p).denominator_q[0], power(33));
}

// --- phi ----------------------------------------------------------------------

TEST(LinearPhiTable, IsMonotonePositiveAndFull) {
  for (double scale = 1e-6; scale < 1e4; scale *= 1.7) {
    const PhiTable table = make_phi_table(scale, phi_scale(scale));
    EXPECT_GE(table.front(), 1) << scale;
    EXPECT_EQ(table.back(), 255) << scale;
    EXPECT_TRUE(std::is_sorted(table.begin(), table.end())) << scale;
  }
}

TEST(LinearPhiTable, IsPhiToHalfAStepWhereItIsNotClamped) {
  for (const double scale : {0.004, 0.03, 0.2, 1.5}) {
    for (const double shrink : {1.0, 0.4, 3.0}) {
      const double scale_out = shrink * phi_scale(scale);
      const PhiTable table = make_phi_table(scale, scale_out);
      for (int code = -128; code < 128; ++code) {
        const double x = code * scale;
        const double exact = (x > 0.0 ? x + 1.0 : std::exp(x)) / scale_out;
        EXPECT_NEAR(table[static_cast<std::size_t>(code + 128)], std::clamp(exact, 1.0, 255.0),
                    0.5 * (1.0 + 1e-12))
            << "scale " << scale << " code " << code;
      }
    }
  }
}

TEST(LinearPhiTable, RoundsTiesToEven) {
  // phi(code) = code + 1 for codes >= 0; half of that ties at every even code.
  const PhiTable table = make_phi_table(1.0, 2.0);
  EXPECT_EQ(table[128 + 2], 2);  // 1.5
  EXPECT_EQ(table[128 + 4], 2);  // 2.5
  EXPECT_EQ(table[128 + 6], 4);  // 3.5
}

TEST(LinearPhiTable, RefusesScalesThatAreNone) {
  EXPECT_THROW(phi_scale(0.0), InvariantError);
  EXPECT_THROW(phi_scale(1e307), InvariantError);
  EXPECT_THROW(make_phi_table(0.1, 0.0), InvariantError);
  EXPECT_THROW(make_phi_table(std::nan(""), 1.0), InvariantError);
}

// --- division -----------------------------------------------------------------

struct Fraction {
  std::int64_t numerator;
  std::int64_t denominator;
};

/// A denominator of 1 to `bits` bits and |numerator| <= 128 of it.
Fraction random_fraction(std::mt19937_64& random, int bits) {
  const auto denominator = static_cast<std::int64_t>(
      1 + random() % (std::uint64_t{1} << (1 + random() % static_cast<std::uint64_t>(bits))));
  const auto span = static_cast<std::uint64_t>(256 * denominator + 1);
  return {static_cast<std::int64_t>(random() % span) - 128 * denominator, denominator};
}

// The reciprocal is off by 2^-14 at most, the pre-shift by half a unit of 2^p
// against a denominator of at least 2^31 of them, the last rounding by half.
TEST(LinearNormalise, StaysWithinTheDerivedBoundOfTheQuotient) {
  std::mt19937_64 random(53);
  std::int64_t saturated = 0;
  for (int trial = 0; trial < 200000; ++trial) {
    const Fraction f = random_fraction(random, 46);
    const std::int64_t found = linear_normalise(f.numerator, f.denominator, saturated);
    ASSERT_EQ(found, static_cast<std::int64_t>(specified_quotient(f.numerator, f.denominator)))
        << f.numerator << " / " << f.denominator;
    const double exact =
        256.0 * static_cast<double>(f.numerator) / static_cast<double>(f.denominator);
    ASSERT_NEAR(static_cast<double>(found), exact,
                0.5 + std::fabs(exact) * std::ldexp(1.0, -14) + std::ldexp(1.0, -23))
        << f.numerator << " / " << f.denominator;
  }
  EXPECT_EQ(saturated, 0);
}

// The part that is rounded away has mean 0 and variance 1/12 (p = 0): the bound
// is five standard errors of the mean, for positive and negative sums apart.
TEST(LinearNormalise, RoundsWithoutBias) {
  constexpr int kTrials = 200000;
  std::mt19937_64 random(54);
  std::int64_t saturated = 0;
  for (const int sign : {1, -1}) {
    double sum = 0.0;
    for (int trial = 0; trial < kTrials; ++trial) {
      // Long fractions only: what short ones leave is not spread evenly.
      Fraction f = random_fraction(random, 16);
      f.denominator = (f.denominator << 15) | 0x2a6d;
      f.numerator = sign * static_cast<std::int64_t>(
                               random() % static_cast<std::uint64_t>(128 * f.denominator));
      const Reciprocal inverse = reciprocal(static_cast<std::uint64_t>(f.denominator));
      const double kept =
          std::ldexp(static_cast<double>(f.numerator) * inverse.mantissa, 8 - inverse.shift);
      sum += static_cast<double>(linear_normalise(f.numerator, f.denominator, saturated)) - kept;
    }
    EXPECT_LT(std::fabs(sum / kTrials), 5.0 / std::sqrt(12.0 * kTrials)) << "sign " << sign;
  }
}

TEST(LinearNormalise, TiesGoToEven) {
  std::int64_t saturated = 0;
  int ties = 0;
  for (std::int64_t denominator = 1; denominator < 3000; ++denominator) {
    const Reciprocal inverse = reciprocal(static_cast<std::uint64_t>(denominator));
    // Twice the quotient is step * odd_part with this numerator: it is a tie if
    // step is odd.
    const int zeros = __builtin_ctz(inverse.mantissa);
    const int lift = inverse.shift - 8 - 1 - zeros;
    if (lift < 0) continue;
    const std::int64_t odd_part = inverse.mantissa >> zeros;
    for (const std::int64_t step : {-3, -1, 1, 3, 5}) {
      const std::int64_t found = linear_normalise(step * power(lift), denominator, saturated);
      EXPECT_EQ(found % 2, 0);
      EXPECT_EQ(std::llabs(2 * found - step * odd_part), 1);
      ++ties;
    }
  }
  EXPECT_GT(ties, 10000);
}

TEST(LinearNormalise, SaturatesTo32BitsAndCounts) {
  std::int64_t saturated = 0;
  EXPECT_EQ(linear_normalise(power(40), 3, saturated), power(31) - 1);
  EXPECT_EQ(linear_normalise(-power(40), 3, saturated), -power(31));
  EXPECT_EQ(saturated, 2);
  linear_normalise(128, 1, saturated);
  EXPECT_EQ(saturated, 2);
}

// The largest sums of the contract: products of 2^55, checked in 128 bits.
TEST(LinearNormalise, HoldsAtTheLargestReach) {
  const std::int64_t denominator = 2 * kLinearLargestReach * kPhi * kPhi;
  std::int64_t saturated = 0;
  for (const std::int64_t value : {-128, -1, 0, 127}) {
    const std::int64_t found = linear_normalise(denominator * value, denominator, saturated);
    EXPECT_EQ(found,
              static_cast<std::int64_t>(specified_quotient(denominator * value, denominator)));
    EXPECT_NEAR(static_cast<double>(found), 256.0 * static_cast<double>(value), 2.0 + 0.5);
  }
  EXPECT_EQ(saturated, 0);
}

}  // namespace
}  // namespace quadrille::model
