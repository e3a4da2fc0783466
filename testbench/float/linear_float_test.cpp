// Level `float` of linear attention: its running sums against the quadratic
// definition, and each slip of the printed Algorithm 2 shown to be one.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <tuple>

#include "model/attention/linear.h"
#include "model/errors.h"
#include "testbench/common/portable_random.h"

namespace quadrille::model {
namespace {

constexpr int kLengths[] = {1, 2, 3, 5, 7, 13, 31};
constexpr int kHorizons[] = {-1, 0, 1, 2, 5, 16, 40};

double phi(double x) { return x > 0.0 ? 1.0 + x : std::exp(x); }

struct Problem {
  LinearShape shape;
  std::vector<double> q, k, v, rp;
};

Problem random_problem(std::mt19937_64& random, const LinearShape& shape) {
  const int rows = shape.horizon < 0 ? 0 : 2 * shape.horizon + 1;
  return {shape, portable_normals(random, shape.queries * shape.width),
          portable_normals(random, shape.keys * shape.width),
          portable_normals(random, shape.keys * shape.value_width),
          portable_normals(random, rows * shape.width)};
}

double element(const std::vector<double>& matrix, int row, int columns, int column) {
  return matrix.at(static_cast<std::size_t>(row) * static_cast<std::size_t>(columns) +
                   static_cast<std::size_t>(column));
}

double dot_phi(const std::vector<double>& a, int i, const std::vector<double>& b, int j,
               int width) {
  double sum = 0.0;
  for (int l = 0; l < width; ++l)
    sum += phi(element(a, i, width, l)) * phi(element(b, j, width, l));
  return sum;
}

/// w_ij of the definition, 0 for a key that the query does not see.
double weight(const Problem& p, int i, int j) {
  if (p.shape.causal && j > i) return 0.0;
  double sum = dot_phi(p.q, i, p.k, j, p.shape.width);
  const int k = p.shape.horizon;
  if (k >= 0) sum += dot_phi(p.q, i, p.rp, std::clamp(j - i, -k, k) + k, p.shape.width);
  return sum;
}

void expect_definition(const Problem& p) {
  const LinearResult found = linear_float(p.q, p.k, p.v, p.rp, p.shape);
  const int columns = p.shape.value_width;
  for (int i = 0; i < p.shape.queries; ++i) {
    std::vector<double> weights;
    double denominator = 0.0;
    for (int j = 0; j < p.shape.keys; ++j) {
      weights.push_back(weight(p, i, j));
      denominator += weights.back();
    }
    ASSERT_NEAR(found.denominator[static_cast<std::size_t>(i)], denominator, 1e-12 * denominator);
    for (int c = 0; c < columns; ++c) {
      double numerator = 0.0;
      double magnitude = 0.0;
      for (int j = 0; j < p.shape.keys; ++j) {
        const double term = weights[static_cast<std::size_t>(j)] * element(p.v, j, columns, c);
        numerator += term;
        magnitude += std::fabs(term);
      }
      ASSERT_NEAR(element(found.numerator, i, columns, c), numerator, 1e-12 * magnitude)
          << "query " << i << " column " << c;
      ASSERT_NEAR(element(found.out, i, columns, c), numerator / denominator,
                  1e-12 * magnitude / denominator)
          << "query " << i << " column " << c;
    }
  }
}

TEST(LinearFloat, PhiIsEluPlusOne) {
  EXPECT_EQ(phi_elu1(0.0), 1.0);
  EXPECT_EQ(phi_elu1(2.5), 3.5);
  EXPECT_DOUBLE_EQ(phi_elu1(-1.0), std::exp(-1.0));
  EXPECT_GT(phi_elu1(-700.0), 0.0);
}

TEST(LinearFloat, IsTheDefinitionForEveryCombinationOfLengthsAndHorizon) {
  std::mt19937_64 random(41);
  int compared = 0;
  for (const int queries : kLengths) {
    for (const int keys : kLengths) {
      for (const int horizon : kHorizons) {
        for (const bool causal : {false, true}) {
          for (const auto& [width, columns] : {std::pair{1, 1}, {2, 3}, {3, 2}, {5, 7}, {7, 5}}) {
            expect_definition(
                random_problem(random, {queries, keys, width, columns, causal, horizon}));
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
  EXPECT_EQ(compared, 7 * 7 * 7 * 2 * 5);
}

// The first query under the mask sees the first key alone.
TEST(LinearFloat, OneVisibleKeyGivesItsValue) {
  std::mt19937_64 random(42);
  for (const int horizon : {-1, 0, 3}) {
    const Problem p = random_problem(random, {4, 9, 3, 5, true, horizon});
    const LinearResult found = linear_float(p.q, p.k, p.v, p.rp, p.shape);
    for (int c = 0; c < 5; ++c)
      EXPECT_NEAR(element(found.out, 0, 5, c), element(p.v, 0, 5, c), 1e-14);
  }
}

// A sum of n products is off by at most n + 1 half ulps of its magnitude, and a
// query adds d more; V's own sums are exact here. So out is the constant to twice
// that, whatever the weights.
TEST(LinearFloat, ConstantValuesStayConstantOverManyTokens) {
  constexpr int kTokens = 1 << 15;
  std::mt19937_64 random(43);
  for (const bool causal : {false, true}) {
    Problem p = random_problem(random, {kTokens, kTokens, 4, 2, causal, 7});
    std::fill(p.v.begin(), p.v.end(), -2.75);
    const LinearResult found = linear_float(p.q, p.k, p.v, p.rp, p.shape);
    for (const double out : found.out)
      ASSERT_NEAR(out, -2.75, 2.75 * 2.0 * (kTokens + 16) * std::ldexp(1.0, -53));
  }
}

TEST(LinearFloat, RefusesTensorsOfAnotherSize) {
  const std::vector<double> six(6, 1.0);
  const LinearShape shape{2, 3, 1, 2, false, 1};
  const std::vector<double> q(2, 1.0), k(3, 1.0), v(6, 1.0), rp(3, 1.0);
  EXPECT_NO_THROW(linear_float(q, k, v, rp, shape));
  EXPECT_THROW(linear_float(six, k, v, rp, shape), InvariantError);
  EXPECT_THROW(linear_float(q, six, v, rp, shape), InvariantError);
  EXPECT_THROW(linear_float(q, k, k, rp, shape), InvariantError);
  EXPECT_THROW(linear_float(q, k, v, {}, shape), InvariantError);
  LinearShape without = shape;
  without.horizon = -1;
  EXPECT_THROW(linear_float(q, k, v, rp, without), InvariantError);
  EXPECT_THROW(linear_float({}, k, v, rp, {0, 3, 1, 2, false, 1}), InvariantError);
}

// --- the printed Algorithm 2 --------------------------------------------------

/// Algorithm 2 for A_rel, column 0 of V, with each slip of the print as a choice.
/// Indices are as printed, so its arrays may be read past their end: `outside`
/// counts that, and such a read gives 0.
struct Printed {
  bool after_from_the_key_before = false;  ///< Rcumulated[i+k-1], not [i+k].
  bool after_guard_too_wide = false;       ///< i < min(Lq+k, Lk), not i < Lk - k.
  bool horizon_row_not_column = false;     ///< W[i+1, j], not W[i, j+1].
  bool before_without_align = false;       ///< Cumulated[i-k] past the last key.
  bool offset_reversed = false;            ///< Formula (11): query minus key.
};

struct Relative {
  std::vector<double> values;  ///< A_rel, one column.
  int outside = 0;
};

double read(const std::vector<double>& array, int index, int& outside) {
  if (index >= 0 && static_cast<std::size_t>(index) < array.size())
    return array[static_cast<std::size_t>(index)];
  ++outside;
  return 0.0;
}

Relative printed_algorithm(const Problem& p, const Printed& slip) {
  const int k = p.shape.horizon;
  const int keys = p.shape.keys;
  const int queries = p.shape.queries;
  Relative result;
  std::vector<double> value, cumulated, remaining;
  double sum = 0.0;
  for (int j = 0; j < keys; ++j) {
    value.push_back(element(p.v, j, p.shape.value_width, 0));
    cumulated.push_back(sum += value.back());
  }
  for (int j = 0; j < keys; ++j)
    remaining.push_back(j == 0 ? sum : sum - cumulated[static_cast<std::size_t>(j) - 1]);
  const auto w = [&](int i, int n) {
    if (i >= queries) return read({}, i, result.outside);
    return dot_phi(p.q, i, p.rp, slip.offset_reversed ? 2 * k - n : n, p.shape.width);
  };
  for (int i = 0; i < queries; ++i) {
    double a = 0.0;
    if (i >= k) {
      const int last = slip.before_without_align ? i - k : std::min(i - k, keys - 1);
      a += w(i, 0) * read(cumulated, last, result.outside);
    }
    for (int j = 0; j < 2 * k - 1; ++j) {
      const int key = i - k + 1 + j;
      if (key < 0 || key >= keys) continue;
      a += (slip.horizon_row_not_column ? w(i + 1, j) : w(i, j + 1)) *
           read(value, key, result.outside);
    }
    if (i < (slip.after_guard_too_wide ? std::min(queries + k, keys) : keys - k)) {
      const int from = slip.after_from_the_key_before ? i + k - 1 : i + k;
      a += w(i, 2 * k) * read(remaining, from, result.outside);
    }
    result.values.push_back(a);
  }
  return result;
}

std::vector<double> relative_definition(const Problem& p) {
  const int k = p.shape.horizon;
  std::vector<double> values;
  for (int i = 0; i < p.shape.queries; ++i) {
    double sum = 0.0;
    for (int j = 0; j < p.shape.keys; ++j) {
      if (p.shape.causal && j > i) continue;
      sum += dot_phi(p.q, i, p.rp, std::clamp(j - i, -k, k) + k, p.shape.width) *
             element(p.v, j, p.shape.value_width, 0);
    }
    values.push_back(sum);
  }
  return values;
}

double largest_difference(const std::vector<double>& a, const std::vector<double>& b) {
  double largest = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::fabs(a[i] - b[i]));
  return largest;
}

/// All V positive, so that a key counted twice or not at all cannot cancel.
Problem relative_problem(int queries, int keys, int horizon) {
  std::mt19937_64 random(44);
  Problem p = random_problem(random, {queries, keys, 3, 1, false, horizon});
  for (double& value : p.v) value = 1.0 + std::fabs(value);
  return p;
}

TEST(ScaleformerSlips, MendedAlgorithm2IsTheDefinition) {
  for (const int queries : kLengths) {
    for (const int keys : kLengths) {
      for (const int horizon : {1, 2, 5, 16, 40}) {
        const Problem p = relative_problem(queries, keys, horizon);
        const Relative mended = printed_algorithm(p, {});
        EXPECT_EQ(mended.outside, 0);
        EXPECT_LT(largest_difference(mended.values, relative_definition(p)), 1e-11)
            << queries << " " << keys << " " << horizon;
      }
    }
  }
}

/// Rows of `p` in which the slip changes A_rel, and by more than rounding.
std::vector<int> changed_rows(const Problem& p, const Printed& slip) {
  const auto wrong = printed_algorithm(p, slip).values;
  const auto right = relative_definition(p);
  std::vector<int> rows;
  for (std::size_t i = 0; i < right.size(); ++i) {
    if (std::fabs(wrong[i] - right[i]) > 1e-6) rows.push_back(static_cast<int>(i));
  }
  return rows;
}

std::vector<int> range(int first, int last) {
  std::vector<int> rows;
  for (int i = first; i < last; ++i) rows.push_back(i);
  return rows;
}

TEST(ScaleformerSlips, RcumulatedOneEarlierCountsAKeyTwice) {
  const Problem p = relative_problem(13, 13, 2);
  Printed slip;
  slip.after_from_the_key_before = true;
  const auto wrong = printed_algorithm(p, slip).values;
  const auto right = relative_definition(p);
  for (int i = 0; i < 13; ++i) {
    // Key i+k-1 is in the horizon already; it comes again with W_2k.
    const double again = i < 11 ? dot_phi(p.q, i, p.rp, 4, 3) * element(p.v, i + 1, 1, 0) : 0.0;
    EXPECT_NEAR(wrong[static_cast<std::size_t>(i)] - right[static_cast<std::size_t>(i)], again,
                1e-11);
  }
  EXPECT_EQ(changed_rows(p, slip), range(0, 11));
}

TEST(ScaleformerSlips, ThePrintedGuardReadsPastTheLastKey) {
  const Problem p = relative_problem(13, 13, 2);
  Printed slip;
  slip.after_guard_too_wide = true;
  EXPECT_EQ(printed_algorithm(p, slip).outside, 2);  // Rows Lk - k and later.
  // This is as printed, with both slips of the after-term and one row fewer.
  slip.after_from_the_key_before = true;
  EXPECT_EQ(printed_algorithm(p, slip).outside, 1);
  // Row Lk - k, which has no key k or more after it, then takes the last one.
  EXPECT_EQ(changed_rows(p, slip), range(0, 12));
}

TEST(ScaleformerSlips, TheHorizonWeightIsOfTheNextColumnNotTheNextRow) {
  const Problem p = relative_problem(13, 13, 2);
  Printed slip;
  slip.horizon_row_not_column = true;
  EXPECT_GT(printed_algorithm(p, slip).outside, 0);  // The last query has no next.
  EXPECT_EQ(changed_rows(p, slip), range(0, 13));
}

TEST(ScaleformerSlips, CumulatedNeedsAlignWhenQueriesOutrunKeys) {
  Printed slip;
  slip.before_without_align = true;
  EXPECT_EQ(printed_algorithm(relative_problem(9, 7, 2), slip).outside, 0);
  const Problem p = relative_problem(13, 7, 2);  // Lq - k > Lk: queries 9 and on.
  EXPECT_EQ(printed_algorithm(p, slip).outside, 4);
  EXPECT_EQ(changed_rows(p, slip), range(9, 13));
}

TEST(ScaleformerSlips, Formula11HasTheOffsetTheOtherWay) {
  const Problem p = relative_problem(13, 13, 2);
  Printed slip;
  slip.offset_reversed = true;
  EXPECT_EQ(changed_rows(p, slip), range(0, 13));
}

// The parts before and after share offset 0 when k = 0, so that the key at the
// query's own place counts twice. Ours counts it once (the test of every
// combination).
TEST(ScaleformerSlips, HorizonZeroCountsTheOwnKeyTwice) {
  const Problem p = relative_problem(5, 4, 0);
  const auto wrong = printed_algorithm(p, {}).values;
  const auto right = relative_definition(p);
  for (int i = 0; i < 5; ++i) {
    const double again = i < 4 ? dot_phi(p.q, i, p.rp, 0, 3) * element(p.v, i, 1, 0) : 0.0;
    EXPECT_NEAR(wrong[static_cast<std::size_t>(i)] - right[static_cast<std::size_t>(i)], again,
                1e-11);
  }
}

// "Setting all vectors of RP with strictly positive indexes to 0" masks only when
// done after phi, since phi(0) = 1.
TEST(ScaleformerSlips, RowsOfPositiveOffsetAreZeroedAfterPhi) {
  Problem p = relative_problem(6, 6, 2);
  const Relative visible_only = [&] {
    Problem causal = p;
    causal.shape.causal = true;
    return Relative{relative_definition(causal), 0};
  }();
  Problem zeroed = p;
  std::fill(zeroed.rp.begin() + 3 * 3, zeroed.rp.end(), 0.0);
  const auto before_phi = printed_algorithm(zeroed, {}).values;
  // phi(RP) near 0: the limit of zeroing after phi.
  std::fill(zeroed.rp.begin() + 3 * 3, zeroed.rp.end(), -700.0);
  const auto after_phi = printed_algorithm(zeroed, {}).values;
  EXPECT_LT(largest_difference(after_phi, visible_only.values), 1e-11);
  for (std::size_t i = 0; i < 5; ++i) EXPECT_GT(before_phi[i] - visible_only.values[i], 1.0);
}

}  // namespace
}  // namespace quadrille::model
