// The published accuracy of DAMF's shift form over seeds: where its error comes from and
// which format of s and t would remove it. docs/accuracy_damf.md is made here.
//
// Set QUADRILLE_BLESS=1 to write the page instead of comparing it.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <regex>

#include "model/attention/damf.h"
#include "testbench/common/portable_random.h"
#include "testbench/common/published_page.h"

namespace quadrille::model {
namespace {

constexpr int kSeeds = 12;
constexpr int kHeads = 12;
constexpr int kWidth = 16;  // Of V; rows and their denominators do not depend on it.

/// How the formula divides by a row's denominator.
enum class Denominator { kPowerOfTwo, kExact };

/// A layer's error against the formula, and what part of it the rows have whose
/// denominator became another power of two when s and t were quantised.
struct LayerError {
  double signal = 0.0;
  double noise = 0.0;
  double noise_of_flipped_rows = 0.0;
  int flipped_rows = 0;
  double sqnr_db() const { return 10.0 * std::log10(signal / noise); }
};

/// The denominators (13) of all rows, with the maximum of all scores.
std::vector<double> denominators(const std::vector<double>& s, const std::vector<double>& t) {
  const auto [s_least, s_most] = std::minmax_element(s.begin(), s.end());
  const auto [t_least, t_most] = std::minmax_element(t.begin(), t.end());
  const double most = std::max(std::max(*s_most * *t_most, *s_least * *t_least),
                               std::max(*s_most * *t_least, *s_least * *t_most));
  const double sum = std::accumulate(t.begin(), t.end(), 0.0);
  std::vector<double> rows;
  for (const double left : s) rows.push_back(static_cast<double>(t.size()) * most + left * sum);
  return rows;
}

/// What a row has to be multiplied by so that its denominator is not rounded.
double unrounded(double denominator, PowerRounding rounding) {
  return std::ldexp(1.0, power_exponent(denominator, rounding)) / denominator;
}

struct Head {
  std::vector<double> s, t, v;
};

void add_head(const Head& head, int bits, Denominator kind, LayerError& error) {
  DamfSettings settings;
  settings.mode = DamfMode::kShift;
  const Codes s = quantise_absmax(head.s, bits);
  const Codes t = quantise_absmax(head.t, bits);
  const Codes v = quantise_absmax(head.v, 8);
  const auto wanted = damf_float(head.s, head.t, head.v, kWidth, 1.0, settings).out;
  const auto found = damf_fixed(s.q, t.q, v.q, kWidth,
                                make_power_rule(settings.rounding, s.scale * t.scale), settings)
                         .out_q;
  const std::vector<double> true_denominators = denominators(head.s, head.t);
  const std::vector<double> code_denominators = denominators(dequantise(s), dequantise(t));
  for (std::size_t m = 0; m < head.s.size(); ++m) {
    const double true_denominator = true_denominators[m];
    const double code_denominator = code_denominators[m];
    const bool flipped = power_exponent(true_denominator, settings.rounding) !=
                         power_exponent(code_denominator, settings.rounding);
    error.flipped_rows += flipped ? 1 : 0;
    const bool exact = kind == Denominator::kExact;
    const double wanted_factor = exact ? unrounded(true_denominator, settings.rounding) : 1.0;
    const double found_factor = exact ? unrounded(code_denominator, settings.rounding) : 1.0;
    for (std::size_t c = 0; c < kWidth; ++c) {
      const double right = wanted[m * kWidth + c] * wanted_factor;
      const double got =
          static_cast<double>(found[m * kWidth + c]) * v.scale / 256.0 * found_factor;
      const double square = (got - right) * (got - right);
      error.signal += right * right;
      error.noise += square;
      if (flipped) error.noise_of_flipped_rows += square;
    }
  }
}

LayerError layer(std::uint64_t seed, int tokens, int bits, Denominator kind) {
  std::mt19937_64 random(seed);
  LayerError error;
  for (int head = 0; head < kHeads; ++head) {
    Head drawn;
    drawn.s = portable_normals(random, tokens);
    drawn.t = portable_normals(random, tokens);
    drawn.v = portable_normals(random, tokens * kWidth);
    add_head(drawn, bits, kind, error);
  }
  return error;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : 0.5 * (values[middle - 1] + values[middle]);
}

std::string row(int tokens, int bits, Denominator kind) {
  std::vector<double> sqnr_db;
  int flipped_rows = 0;
  double noise = 0.0, noise_of_flipped = 0.0;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const LayerError error = layer(seed, tokens, bits, kind);
    sqnr_db.push_back(error.sqnr_db());
    flipped_rows += error.flipped_rows;
    noise += error.noise;
    noise_of_flipped += error.noise_of_flipped_rows;
  }
  const auto [least, most] = std::minmax_element(sqnr_db.begin(), sqnr_db.end());
  return fmt::format("| {} | {} | {} | {:.1f} | {:.1f} to {:.1f} | {} of {} | {:.0f} % |\n", tokens,
                     bits, kind == Denominator::kExact ? "exact" : "power of two", median(sqnr_db),
                     *least, *most, flipped_rows, kSeeds * kHeads * tokens,
                     100.0 * noise_of_flipped / noise);
}

std::string page() {
  std::string text =
      "# Accuracy of DAMF's shift form over seeds\n\n"
      "Written by `test_fixed --gtest_filter=DamfAccuracy.*` with `QUADRILLE_BLESS=1`, and held to "
      "within 0.2 dB by the same\n"
      "test. Layers of 12 heads of width 16, s, t and V drawn from N(0, 1), seeds 1 to 12; mode "
      "`shift`, rounding `linear`,\n"
      "maximum `global`. The error of level `fixed` is taken against formula (17) in `float` on "
      "the "
      "numbers before they were\n"
      "quantised; with the denominator *exact*, against (17) without the rounding of its "
      "denominator (15).\n\n"
      "A row is *flipped* when the power of two nearest to its denominator is another one after s "
      "and t were quantised: all\n"
      "its outputs are then twice or half of what they should be. Few rows are, and they carry "
      "nearly all of the error, so that\n"
      "one seed says little about another.\n\n"
      "Wider s and t make flips rarer and do not end them: a denominator may lie as near to the "
      "threshold as it likes. Without\n"
      "the rounding (a reciprocal per row, as `maclaurin` has) no seed stands out.\n\n"
      "| tokens | bits of s and t | denominator | SQNR, dB: median | least to most | flipped rows "
      "of all seeds | their share of the error |\n"
      "|---|---|---|---|---|---|---|\n";
  for (const int tokens : {128, 256}) {
    for (const int bits : {8, 10, 12}) text += row(tokens, bits, Denominator::kPowerOfTwo);
    text += row(tokens, 8, Denominator::kExact);
  }
  return text;
}

TEST(DamfAccuracy, IsWhatThePagePublishes) {
  const std::string text = page();
  if (testbench::blessed("accuracy_damf.md", text)) return;
  static const std::regex number("-?[0-9]+\\.[0-9]+");
  const std::string expected = testbench::published("accuracy_damf.md");
  EXPECT_EQ(std::regex_replace(expected, number, "#"), std::regex_replace(text, number, "#"));
  std::sregex_iterator a(expected.begin(), expected.end(), number);
  std::sregex_iterator b(text.begin(), text.end(), number);
  for (; a != std::sregex_iterator() && b != std::sregex_iterator(); ++a, ++b)
    EXPECT_NEAR(std::stod(a->str()), std::stod(b->str()), 0.2);
}

}  // namespace
}  // namespace quadrille::model
