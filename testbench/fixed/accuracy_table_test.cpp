// The published accuracy of the integer level: docs/accuracy.md is regenerated
// here and compared, number by number.
//
// Set QUADRILLE_BLESS=1 to write the page instead of comparing it.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <regex>

#include "model/attention/damf.h"
#include "model/attention/softmax.h"
#include "testbench/common/portable_random.h"
#include "testbench/common/published_page.h"

namespace quadrille::model {
namespace {

constexpr int kTrials = 20;
constexpr int kWidth = 64;

struct Error {
  double signal = 0.0;
  double noise = 0.0;
  double largest = 0.0;
  void add(const std::vector<double>& truth, const std::vector<double>& found) {
    for (std::size_t i = 0; i < truth.size(); ++i) {
      signal += truth[i] * truth[i];
      noise += (found[i] - truth[i]) * (found[i] - truth[i]);
      largest = std::max(largest, std::fabs(found[i] - truth[i]));
    }
  }
  double sqnr_db() const { return 10.0 * std::log10(signal / noise); }
};

std::vector<double> real(const std::vector<std::int64_t>& codes, double scale) {
  std::vector<double> values;
  for (const std::int64_t code : codes) values.push_back(static_cast<double>(code) * scale);
  return values;
}

std::string softmax_row(int length, bool causal) {
  std::mt19937_64 random(101);
  Error arithmetic;
  Error total;
  for (int trial = 0; trial < kTrials; ++trial) {
    const SoftmaxShape shape{length, length, kWidth, kWidth, causal};
    const auto q = portable_normals(random, length * kWidth);
    const auto k = portable_normals(random, length * kWidth);
    const auto v = portable_normals(random, length * kWidth);
    const Codes qq = quantise_absmax(q, 8);
    const Codes kq = quantise_absmax(k, 8);
    const Codes vq = quantise_absmax(v, 8);
    const double scale = 1.0 / std::sqrt(kWidth);
    const auto fixed = softmax_fixed(qq.q, kq.q, vq.q, shape,
                                     make_multiplier(exponent_factor(qq.scale, kq.scale, scale)));
    const auto out = real(fixed.out_q, vq.scale / 256.0);
    total.add(softmax_float(q, k, v, shape, scale).out, out);
    arithmetic.add(softmax_float(dequantise(qq), dequantise(kq), dequantise(vq), shape, scale).out,
                   out);
  }
  return fmt::format("| softmax | L = {}{} | {:.1f} | {:.1f} | {:.4f} | |\n", length,
                     causal ? ", causal" : "", arithmetic.sqnr_db(), total.sqnr_db(),
                     total.largest);
}

struct Setting {
  const char* name;
  DamfSettings settings;
};

// Share of the scores' exponents that input quantisation flips.
double flipped_exponents(const std::vector<double>& s, const std::vector<double>& t,
                         const Codes& s_codes, const Codes& t_codes, PowerRounding rounding) {
  std::int64_t flipped = 0;
  const auto exponent = [&](double score) {
    return score == 0.0 ? -9999 : power_exponent(std::fabs(score), rounding);
  };
  for (std::size_t m = 0; m < s.size(); ++m) {
    for (std::size_t n = 0; n < t.size(); ++n) {
      const double coarse = s_codes.q[m] * s_codes.scale * (t_codes.q[n] * t_codes.scale);
      flipped += exponent(s[m] * t[n]) != exponent(coarse) ? 1 : 0;
    }
  }
  return static_cast<double>(flipped) / static_cast<double>(s.size() * t.size());
}

std::string damf_row(const Setting& setting, int length) {
  std::mt19937_64 random(202);
  Error arithmetic;
  Error total;
  double flipped = 0.0;
  for (int trial = 0; trial < kTrials; ++trial) {
    const auto s = portable_normals(random, length);
    const auto t = portable_normals(random, length);
    const auto v = portable_normals(random, length * kWidth);
    const Codes sq = quantise_absmax(s, 8);
    const Codes tq = quantise_absmax(t, 8);
    const Codes vq = quantise_absmax(v, 8);
    const auto fixed = damf_fixed(sq.q, tq.q, vq.q, kWidth,
                                  make_power_rule(setting.settings.rounding, sq.scale * tq.scale),
                                  setting.settings);
    const auto out = real(fixed.out_q, vq.scale / 256.0);
    total.add(damf_float(s, t, v, kWidth, 1.0, setting.settings).out, out);
    arithmetic.add(
        damf_float(dequantise(sq), dequantise(tq), dequantise(vq), kWidth, 1.0, setting.settings)
            .out,
        out);
    flipped += flipped_exponents(s, t, sq, tq, setting.settings.rounding) / kTrials;
  }
  const bool shift = setting.settings.mode == DamfMode::kShift;
  return fmt::format("| damf {} | L = {} | {:.1f} | {:.1f} | {:.4f} | {} |\n", setting.name, length,
                     arithmetic.sqnr_db(), total.sqnr_db(), total.largest,
                     shift ? fmt::format("{:.2f} %", 100.0 * flipped) : "");
}

std::vector<Setting> damf_settings() {
  std::vector<Setting> settings;
  const auto add = [&](const char* name, auto change) {
    Setting setting{name, {}};
    change(setting.settings);
    settings.push_back(setting);
  };
  add("maclaurin", [](DamfSettings&) {});
  add("maclaurin, abs", [](DamfSettings& s) { s.maximum = DamfMaximum::kAbs; });
  add("maclaurin, row", [](DamfSettings& s) { s.maximum = DamfMaximum::kRow; });
  add("maclaurin, clamp", [](DamfSettings& s) { s.negative = DamfNegative::kClamp; });
  add("maclaurin, causal", [](DamfSettings& s) { s.causal = true; });
  add("collapsed", [](DamfSettings& s) { s.mode = DamfMode::kCollapsed; });
  add("shift linear", [](DamfSettings& s) { s.mode = DamfMode::kShift; });
  add("shift log", [](DamfSettings& s) {
    s.mode = DamfMode::kShift;
    s.rounding = PowerRounding::kLog;
  });
  add("shift floor", [](DamfSettings& s) {
    s.mode = DamfMode::kShift;
    s.rounding = PowerRounding::kFloor;
  });
  add("shift each, 8 guard bits", [](DamfSettings& s) {
    s.mode = DamfMode::kShift;
    s.shift_order = DamfShiftOrder::kEach;
  });
  add("shift each, 0 guard bits", [](DamfSettings& s) {
    s.mode = DamfMode::kShift;
    s.shift_order = DamfShiftOrder::kEach;
    s.guard_bits = 0;
  });
  return settings;
}

std::string page() {
  std::string text =
      "# Accuracy of the integer level\n\n"
      "Written by `test_fixed --gtest_filter=AccuracyTable.*` with `QUADRILLE_BLESS=1`, and held "
      "to\n"
      "within 0.2 dB by the same test. Operands are N(0, 1), width 64, 20 trials each, seeds 101 "
      "and\n"
      "202. *Arithmetic* compares with `float` on the dequantised codes (what the datapath adds),\n"
      "*total* with `float` on the original numbers (input quantisation included); *max abs* is "
      "the\n"
      "largest total error of an output. *Flipped* is the share of scores whose power of two "
      "changes\n"
      "because its inputs were quantised; the datapath itself flips none.\n\n"
      "| engine, setting | case | arithmetic SQNR, dB | total SQNR, dB | max abs | flipped |\n"
      "|---|---|---|---|---|---|\n";
  for (const int length : {16, 128, 512}) text += softmax_row(length, false);
  text += softmax_row(128, true);
  for (const int length : {16, 128}) {
    for (const Setting& setting : damf_settings()) text += damf_row(setting, length);
  }
  return text;
}

// Splits text into words and numbers; numbers may differ a little because the
// math library's last bits may.
void compare(const std::string& expected, const std::string& found) {
  static const std::regex number("-?[0-9]+\\.[0-9]+");
  EXPECT_EQ(std::regex_replace(expected, number, "#"), std::regex_replace(found, number, "#"));
  std::sregex_iterator a(expected.begin(), expected.end(), number);
  std::sregex_iterator b(found.begin(), found.end(), number);
  for (; a != std::sregex_iterator() && b != std::sregex_iterator(); ++a, ++b)
    EXPECT_NEAR(std::stod(a->str()), std::stod(b->str()), 0.2);
}

TEST(AccuracyTable, IsWhatThePagePublishes) {
  const std::string text = page();
  if (testbench::blessed("accuracy.md", text)) return;
  compare(testbench::published("accuracy.md"), text);
}

}  // namespace
}  // namespace quadrille::model
