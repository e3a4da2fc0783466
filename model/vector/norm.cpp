#include "model/vector/norm.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "model/errors.h"
#include "model/number_text.h"
#include "model/numerics/reciprocal_root.h"
#include "model/numerics/rounding.h"

namespace quadrille::model {
namespace {

/// A row's elements less its mean; the mean of an RMSNorm is taken to be 0.
std::vector<double> deviations(NormKind kind, const double* row, std::size_t n) {
  std::vector<double> made(row, row + n);
  if (kind == NormKind::kRmsNorm) return made;
  // Measured from the row's first element, a constant row has deviations of exactly 0,
  // however large the constant.
  double mean = 0.0;
  for (double& value : made) {
    value -= row[0];
    mean += value / static_cast<double>(n);
  }
  for (double& value : made) value -= mean;
  return made;
}

}  // namespace

std::vector<double> norm_float(NormKind kind, const std::vector<double>& x,
                               const std::vector<double>& gamma, const std::vector<double>& beta,
                               double epsilon) {
  const std::size_t n = gamma.size();
  std::vector<double> y;
  y.reserve(x.size());
  for (std::size_t row = 0; row < x.size(); row += n) {
    const std::vector<double> deviation = deviations(kind, x.data() + row, n);
    double variance = 0.0;
    for (const double value : deviation) variance += value * value / static_cast<double>(n);
    const double spread = variance + epsilon;
    const double factor = spread > 0.0 ? 1.0 / std::sqrt(spread) : 0.0;
    for (std::size_t c = 0; c < n; ++c)
      y.push_back(deviation[c] * factor * gamma[c] + (beta.empty() ? 0.0 : beta[c]));
  }
  return y;
}

namespace {

/// The widest code of a gain is 16 bits; more fraction bits would say nothing of a gain
/// that is far below the output's LSB, and the sum would leave 62 bits.
constexpr std::int32_t kLargestGain = 32767;
constexpr int kMostGainBits = 20;
constexpr int kLeastGainBits = kOffsetFractionBits - kNormalFractionBits;

void make_epsilon(NormInteger& form, double n, double x_scale, int input_bits, double epsilon) {
  if (epsilon == 0.0) return;
  // In logarithms, since the squares of small scales underflow.
  const double log2_codes = std::log2(epsilon) - 2.0 * std::log2(x_scale) + std::log2(n);
  const double log2_code = log2_codes + kVarianceFractionBits;
  constexpr double kMost = 60.0;
  if (log2_code > kMost)
    form.variance_shift = 2 * static_cast<int>(std::ceil((log2_code - kMost) / 2.0));
  form.epsilon =
      static_cast<std::int64_t>(std::nearbyint(std::exp2(log2_code - form.variance_shift)));
  // With such an epsilon no element comes near 1: it is at most 2^bits / sqrt(n epsilon).
  form.normal_bits += std::max(0, static_cast<int>(std::floor(log2_codes / 2.0)) - input_bits);
}

/// The offset whose rounding is the code nearest to beta, ties to even: what a row
/// without deviation gives. The fraction bits round once, so a beta within 2^-15 LSB of
/// a half would fall on the tie and could round the other way.
std::int32_t offset_of(double beta_codes) {
  if (std::fabs(beta_codes) >= std::ldexp(1.0, 31 - kOffsetFractionBits) - 1.0) {
    throw InvariantError("beta is " + number_text(beta_codes) +
                         " times the output's scale, expected less than 2^17 times");
  }
  const auto nearest = static_cast<std::int64_t>(std::nearbyint(beta_codes));
  auto offset =
      static_cast<std::int64_t>(std::nearbyint(std::ldexp(beta_codes, kOffsetFractionBits)));
  const std::int64_t rounded = round_shift(offset, kOffsetFractionBits);
  if (rounded != nearest) offset += nearest > rounded ? 1 : -1;
  return static_cast<std::int32_t>(offset);
}

void make_columns(NormInteger& form, double out_scale, const std::vector<double>& gamma,
                  const std::vector<double>& beta) {
  const double n = static_cast<double>(gamma.size());
  const double unit = std::ldexp(std::sqrt(n) / out_scale, kNormalFractionBits - form.normal_bits);
  double largest = 0.0;
  for (const double value : gamma) largest = std::max(largest, std::fabs(value) * unit);
  int bits = kMostGainBits;
  while (bits >= kLeastGainBits && std::nearbyint(std::ldexp(largest, bits)) > kLargestGain) --bits;
  if (bits < kLeastGainBits) {
    throw InvariantError("gamma times sqrt(n) is " + number_text(largest) +
                         " times the output's scale, expected at most 2^25 times");
  }
  form.out_shift = kNormalFractionBits + bits;
  for (std::size_t c = 0; c < gamma.size(); ++c) {
    form.gain.push_back(
        static_cast<std::int32_t>(std::nearbyint(std::ldexp(gamma[c] * unit, bits))));
    form.offset.push_back(beta.empty() ? 0 : offset_of(beta[c] / out_scale));
  }
}

}  // namespace

NormInteger make_norm_integer(NormKind kind, int input_bits, double x_scale, double out_scale,
                              const std::vector<double>& gamma, const std::vector<double>& beta,
                              double epsilon) {
  const auto length = static_cast<std::int64_t>(gamma.size());
  if (length < 1 || length > kNormLongestRow) {
    throw InvariantError("a row of " + std::to_string(length) + " elements, expected 1 to " +
                         std::to_string(kNormLongestRow));
  }
  const auto n = static_cast<double>(length);
  NormInteger form;
  form.kind = kind;
  form.per_element = make_multiplier(1.0 / n);
  make_epsilon(form, n, x_scale, input_bits, epsilon);
  make_columns(form, out_scale, gamma, beta);
  return form;
}

namespace {

/// x / n, rounded after `fraction_bits` more bits.
std::int64_t per_element(const NormInteger& form, std::int64_t x, int fraction_bits) {
  return round_shift(x * static_cast<std::int64_t>(form.per_element.mantissa),
                     form.per_element.shift - fraction_bits);
}

/// What a row's normalisation needs: its elements less `pivot`, and `remainder` / n, the
/// mean's part beyond the pivot, with kMeanFractionBits.
struct RowStatistics {
  std::int64_t pivot = 0;
  std::int64_t mean_fraction = 0;
  std::int64_t spread = 0;  ///< n (variance + epsilon), 16 fraction bits less variance_shift.
};

RowStatistics statistics_of(const std::int32_t* row, std::int64_t n, const NormInteger& form) {
  RowStatistics made;
  std::int64_t remainder = 0;
  if (form.kind == NormKind::kLayerNorm) {
    std::int64_t sum = 0;
    for (std::int64_t i = 0; i < n; ++i) sum += row[i];
    // The second step takes back what the rounding of 1/n moved the first one by.
    made.pivot = per_element(form, sum, 0);
    made.pivot += per_element(form, sum - n * made.pivot, 0);
    remainder = sum - n * made.pivot;
    made.mean_fraction = per_element(form, remainder, kMeanFractionBits);
  }
  std::int64_t squares = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    const std::int64_t deviation = row[i] - made.pivot;
    squares += deviation * deviation;
  }
  const std::int64_t variance = (squares << kVarianceFractionBits) -
                                per_element(form, remainder * remainder, kVarianceFractionBits);
  made.spread = round_shift(variance, form.variance_shift) + form.epsilon;
  return made;
}

}  // namespace

VectorFixedResult norm_fixed(const std::vector<std::int32_t>& x_q, const NormInteger& form,
                             int out_bits) {
  const std::size_t n = form.gain.size();
  VectorFixedResult result(x_q.size());
  for (std::size_t row = 0; row < x_q.size(); row += n) {
    const RowStatistics at = statistics_of(x_q.data() + row, static_cast<std::int64_t>(n), form);
    // A spread of 0 is a row without deviation: any factor serves.
    const Reciprocal root =
        at.spread > 0 ? reciprocal_root(static_cast<std::uint64_t>(at.spread)) : Reciprocal{};
    const int shift = root.shift + kMeanFractionBits - form.normal_bits -
                      (kVarianceFractionBits - form.variance_shift) / 2;
    for (std::size_t c = 0; c < n; ++c) {
      const std::int64_t deviation =
          (x_q[row + c] - at.pivot) * (std::int64_t{1} << kMeanFractionBits) - at.mean_fraction;
      const std::int64_t normal =
          round_shift(deviation * static_cast<std::int64_t>(root.mantissa), shift);
      const std::int64_t offset =
          form.offset[c] * (std::int64_t{1} << (form.out_shift - kOffsetFractionBits));
      result.add(round_shift(normal * form.gain[c] + offset, form.out_shift), out_bits);
    }
  }
  return result;
}

}  // namespace quadrille::model
