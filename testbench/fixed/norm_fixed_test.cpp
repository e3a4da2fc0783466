// Question: are LayerNorm and RMSNorm in integers within the bound that their widths
// allow, on rows that take such arithmetic apart?
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <random>

#include "model/errors.h"
#include "model/vector/norm.h"
#include "testbench/common/portable_random.h"

namespace quadrille::model {
namespace {

using Row = std::vector<std::int32_t>;

struct Rows {
  const char* name;
  std::function<Row(std::mt19937_64&, int)> draw;
};

Row filled(int n, const std::function<int(int)>& at) {
  Row row;
  for (int i = 0; i < n; ++i) row.push_back(at(i));
  return row;
}

const Rows kRows[] = {
    {"normal",
     [](std::mt19937_64& random, int n) {
       return filled(n, [&](int) {
         return std::clamp(static_cast<int>(8000 * portable_normal(random)), -32768, 32767);
       });
     }},
    {"10,000 +- 3",
     [](std::mt19937_64& random, int n) {
       return filled(n, [&](int) { return 10000 + pick(random, -3, 3); });
     }},
    {"-32,768 or -32,767",
     [](std::mt19937_64& random, int n) {
       return filled(n, [&](int) { return -32768 + pick(random, 0, 1); });
     }},
    {"one step up",
     [](std::mt19937_64&, int n) {
       return filled(n, [&](int i) { return i == n / 2 ? 30001 : 30000; });
     }},
    {"one step down",
     [](std::mt19937_64&, int n) {
       return filled(n, [&](int i) { return i == 0 ? 32766 : 32767; });
     }},
    // Where 1/n is rounded up most, n = 8,160, these means are moved by almost half a code
    // at first, over a half, so that the nearest integer needs the second step.
    {"one in a hundred a step up",
     [](std::mt19937_64&, int n) {
       return filled(n, [](int i) { return i % 100 == 0 ? 32767 : 32766; });
     }},
    {"one in a hundred a step down",
     [](std::mt19937_64&, int n) {
       return filled(n, [](int i) { return i % 100 == 0 ? -32767 : -32766; });
     }},
    {"outlier", [](std::mt19937_64&,
                   int n) { return filled(n, [&](int i) { return i == n - 1 ? 32767 : 0; }); }},
    {"outlier from the bottom",
     [](std::mt19937_64&, int n) {
       return filled(n, [&](int i) { return i == 0 ? 32767 : -32768; });
     }},
    {"both ends", [](std::mt19937_64&,
                     int n) { return filled(n, [](int i) { return i % 2 ? 32767 : -32768; }); }},
    {"zeros", [](std::mt19937_64&, int n) { return Row(static_cast<std::size_t>(n), 0); }},
    {"most negative",
     [](std::mt19937_64&, int n) { return Row(static_cast<std::size_t>(n), -32768); }},
    {"8 bits", [](std::mt19937_64& random,
                  int n) { return filled(n, [&](int) { return pick(random, -128, 127); }); }},
};

constexpr double kScale = 1.0 / 4096.0;

/// A row's mean and spread sqrt(variance + epsilon), in codes.
struct Moments {
  double mean = 0.0;
  double spread = 0.0;
  bool deviates = false;
};

Moments moments_of(const Row& row, NormKind kind, double epsilon) {
  const auto n = static_cast<double>(row.size());
  double sum = 0.0;  // Of integers, hence exact.
  for (const std::int32_t x : row) sum += x;
  Moments made;
  if (kind == NormKind::kLayerNorm) made.mean = sum / n;
  double squares = 0.0;
  for (const std::int32_t x : row) squares += (x - made.mean) * (x - made.mean);
  made.deviates =
      kind == NormKind::kLayerNorm
          ? std::adjacent_find(row.begin(), row.end(), std::not_equal_to<>()) != row.end()
          : squares > 0.0;
  made.spread = std::sqrt(squares / n + epsilon / (kScale * kScale));
  return made;
}

struct Columns {
  std::vector<double> gamma, beta;
  double largest_gamma = 0.0;
};

Columns draw_columns(std::mt19937_64& random, int n) {
  Columns made;
  for (int i = 0; i < n; ++i) {
    made.gamma.push_back(1.0 + 0.3 * portable_normal(random));
    made.beta.push_back(0.5 * portable_normal(random));
  }
  made.gamma.back() *= -9.0;
  for (const double value : made.gamma)
    made.largest_gamma = std::max(made.largest_gamma, std::fabs(value));
  return made;
}

/// How far an element may be from the real quotient, in output codes: half a code of
/// rounding, the offset's last bit, and behind the gain
///   2^-14 of z: 2^-15 of the root, and half of 2^-16 + 2 * 2^-16 of the sum of squares
///               (1/n in its last term; two roundings against a sum of at least 2^15)
///   2^-15 codes of the mean, 2^-25 sqrt(n) of the normalised element
///   2^-15 of the largest gain, whose code is at least 2^14.
double bound_of(const Moments& row, double z, double n, double gamma, double largest_gamma,
                double out_scale) {
  const double normal = std::ldexp(std::fabs(z), -14) + std::ldexp(1.0 / row.spread, -15) +
                        std::ldexp(std::sqrt(n), -25);
  const double gain = std::ldexp(std::fabs(z) * largest_gamma, -15);
  return 0.5 + std::ldexp(1.0, -15) + std::ldexp(1.0, -21) +
         (1.0 + std::ldexp(1.0, -13)) * (std::fabs(gamma) * normal + gain) / out_scale;
}

void expect_within_bound(const Row& x, NormKind kind, double epsilon, int out_bits,
                         const Columns& columns) {
  const auto n = static_cast<double>(x.size());
  const Moments row = moments_of(x, kind, epsilon);
  std::vector<double> z, y;
  double largest = 0.0;
  for (std::size_t c = 0; c < x.size(); ++c) {
    z.push_back(row.deviates ? (x[c] - row.mean) / row.spread : 0.0);
    y.push_back(z[c] * columns.gamma[c] + columns.beta[c]);
    largest = std::max(largest, std::fabs(y[c]));
  }
  const double out_scale = largest / largest_code(out_bits);
  const NormInteger form =
      make_norm_integer(kind, 16, kScale, out_scale, columns.gamma, columns.beta, epsilon);
  const VectorFixedResult found = norm_fixed(x, form, out_bits);
  ASSERT_EQ(found.out_q.size(), x.size());
  for (std::size_t c = 0; c < x.size(); ++c) {
    const auto code = static_cast<double>(found.out_q[c]);
    if (row.deviates) {
      const double bound =
          bound_of(row, z[c], n, columns.gamma[c], columns.largest_gamma, out_scale);
      const double error = code - y[c] / out_scale;
      if (std::fabs(error) > bound) FAIL() << "column " << c << " is off by " << error;
    } else if (code != std::nearbyint(columns.beta[c] / out_scale)) {
      FAIL() << "column " << c << " is " << code << " without deviation";
    }
  }
}

class NormFixed : public testing::TestWithParam<int> {};

TEST_P(NormFixed, IsWithinItsBound) {
  const int n = GetParam();
  for (const Rows& rows : kRows) {
    std::mt19937_64 random(17);
    const Columns columns = draw_columns(random, n);
    const Row x = rows.draw(random, n);
    for (const NormKind kind : {NormKind::kLayerNorm, NormKind::kRmsNorm}) {
      // From no epsilon at all to one that outweighs every variance.
      for (const double epsilon : {0.0, 1e-12, 1e-5, 1.0, 1e6, 1e20}) {
        for (const int out_bits : {8, 16}) {
          expect_within_bound(x, kind, epsilon, out_bits, columns);
          if (!HasFatalFailure()) continue;
          FAIL() << rows.name << ", n " << n << ", epsilon " << epsilon << ", " << out_bits
                 << " bits, " << (kind == NormKind::kLayerNorm ? "LayerNorm" : "RMSNorm");
        }
      }
    }
  }
}
INSTANTIATE_TEST_SUITE_P(Lengths, NormFixed,
                         testing::Values(1, 2, 3, 7, 64, 100, 768, 1000, 4096, 8160, 8191, 8192));

// The pivot is the mean of a constant row, whatever 1/n rounds to: every n and both ends.
TEST(NormFixed, ConstantRowsGiveBetaAtEveryLength) {
  for (int n = 1; n <= kNormLongestRow; n = n < 200 ? n + 1 : n + 97) {
    const auto length = static_cast<std::size_t>(n);
    const NormInteger form =
        make_norm_integer(NormKind::kLayerNorm, 16, kScale, 0.01, std::vector<double>(length, 3.0),
                          std::vector<double>(length, 0.77), 0.0);
    for (const std::int32_t constant : {-32768, -32767, 1, 10000, 32766, 32767}) {
      const VectorFixedResult y = norm_fixed(Row(length, constant), form, 16);
      const auto same = std::count(y.out_q.begin(), y.out_q.end(), 77);
      EXPECT_EQ(same, n) << "of " << constant;
    }
  }
}

// Half a code less 2^-16 rounds to the even side in the offset's 14 bits alone.
TEST(NormFixed, BetaJustBesideATieIsRoundedOnce) {
  const double beside = std::ldexp(1.0, -16);
  const std::vector<double> beta = {3.5 - beside, 2.5 + beside, -3.5 + beside, 3.5, 2.5};
  const NormInteger form = make_norm_integer(NormKind::kLayerNorm, 16, kScale, 1.0,
                                             std::vector<double>(5, 1.0), beta, 1e-5);
  EXPECT_EQ(norm_fixed(Row(5, 9), form, 16).out_q, (std::vector<std::int64_t>{3, 3, -3, 4, 2}));
}

TEST(NormFixed, CountsWhatItClamps) {
  const NormInteger form = make_norm_integer(NormKind::kLayerNorm, 16, kScale, 0.005,
                                             {1.0, 1.0, 1.0, 1.0}, {0.0, 0.0, 0.0, 2.0}, 0.0);
  const VectorFixedResult y = norm_fixed({-100, 100, -100, 100}, form, 8);
  EXPECT_EQ(y.out_q, (std::vector<std::int64_t>{-128, 127, -128, 127}));
  EXPECT_EQ(y.saturated, 4);
  EXPECT_EQ(norm_fixed({-100, 100, -100, 100}, form, 16).saturated, 0);
}

TEST(NormFixed, RefusesWhatItsWidthsDoNotHold) {
  const auto make = [](std::size_t n, double out_scale, double gamma, double beta) {
    return make_norm_integer(NormKind::kLayerNorm, 16, kScale, out_scale,
                             std::vector<double>(n, gamma), std::vector<double>(n, beta), 1e-5);
  };
  EXPECT_THROW(make(8193, 1.0, 1.0, 0.0), InvariantError);
  EXPECT_THROW(make(16, 1e-9, 1.0, 0.0), InvariantError);
  EXPECT_THROW(make(16, 1e-5, 1e-9, 2.0), InvariantError);
  EXPECT_NO_THROW(make(16, 1e-5, 0.0, 1.0));
}

}  // namespace
}  // namespace quadrille::model
