// The published accuracy of linear attention's integer level: docs/accuracy_linear.md
// is made here and held to it. Set QUADRILLE_BLESS=1 to write the page.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <random>
#include <string>

#include "model/attention/linear.h"
#include "model/numerics/quantise.h"
#include "testbench/common/portable_random.h"
#include "testbench/common/published_page.h"

namespace quadrille::model {
namespace {

constexpr int kWidth = 64;
constexpr int kHorizon = 16;
constexpr std::uint64_t kSeeds[] = {301, 302, 303};
constexpr double kGoalDb = 35.0;
constexpr double kOutlierFactor = 50.0;

struct Case {
  int length = 0;
  bool causal = false;
  bool positions = false;
  bool outliers = false;
};

struct Operands {
  std::vector<double> q, k, v, rp;
};

/// Tokens 1/8, 1/2 and 7/8 of the way.
void enlarge_tokens(std::vector<double>& values, int length) {
  for (const int eighth : {1, 4, 7}) {
    const auto first = static_cast<std::size_t>(eighth * length / 8) * kWidth;
    for (std::size_t c = 0; c < kWidth; ++c) values[first + c] *= kOutlierFactor;
  }
}

Operands draw(const Case& what, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  Operands x;
  for (std::vector<double>* operand : {&x.q, &x.k, &x.v}) {
    *operand = portable_normals(random, what.length * kWidth);
    if (what.outliers) enlarge_tokens(*operand, what.length);
  }
  if (what.positions) x.rp = portable_normals(random, (2 * kHorizon + 1) * kWidth);
  return x;
}

double sqnr_db(const std::vector<double>& truth, const std::vector<double>& found) {
  double signal = 0.0;
  double noise = 0.0;
  for (std::size_t i = 0; i < truth.size(); ++i) {
    signal += truth[i] * truth[i];
    noise += (found[i] - truth[i]) * (found[i] - truth[i]);
  }
  return 10.0 * std::log10(signal / noise);
}

struct Figures {
  double arithmetic = std::numeric_limits<double>::infinity();
  double total = std::numeric_limits<double>::infinity();
};

Figures measure(const Case& what, std::uint64_t seed) {
  const Operands x = draw(what, seed);
  const LinearShape shape{what.length, what.length, kWidth,
                          kWidth,      what.causal, what.positions ? kHorizon : -1};
  const Codes q = quantise_absmax(x.q, 8);
  const Codes k = quantise_absmax(x.k, 8);
  const Codes v = quantise_absmax(x.v, 8);
  const Codes rp = quantise_absmax(x.rp, 8);
  const double common =
      what.positions ? std::max(phi_scale(k.scale), phi_scale(rp.scale)) : phi_scale(k.scale);
  const auto fixed =
      linear_fixed(q.q, k.q, v.q, rp.q, shape, make_phi_table(q.scale, phi_scale(q.scale)),
                   make_phi_table(k.scale, common), make_phi_table(rp.scale, common));
  std::vector<double> out;
  out.reserve(fixed.out_q.size());
  for (const std::int64_t code : fixed.out_q)
    out.push_back(static_cast<double>(code) * v.scale / (1 << kLinearOutputFractionBits));
  const auto coarse =
      linear_float(dequantise(q), dequantise(k), dequantise(v), dequantise(rp), shape);
  return {sqnr_db(coarse.out, out), sqnr_db(linear_float(x.q, x.k, x.v, x.rp, shape).out, out)};
}

Figures worst_of_seeds(const Case& what) {
  Figures worst;
  for (const std::uint64_t seed : kSeeds) {
    const Figures found = measure(what, seed);
    worst.arithmetic = std::min(worst.arithmetic, found.arithmetic);
    worst.total = std::min(worst.total, found.total);
  }
  return worst;
}

std::string cells(const Case& what) {
  return fmt::format("{} | {} | {}", what.length, what.causal ? "yes" : "no",
                     what.positions ? fmt::format("k = {}", kHorizon) : "none");
}

std::string words(const Case& what) {
  return fmt::format("L = {}, {}causal, {}", what.length, what.causal ? "" : "not ",
                     what.positions ? fmt::format("k = {}", kHorizon) : "no RP");
}

/// Above 200 dB only the comparison's own double precision is left.
std::string decibels(double figure) {
  return figure > 200.0 ? "exact" : fmt::format("{:.1f}", figure);
}

struct Table {
  std::string rows =
      "| L | causal | RP | arithmetic SQNR, dB | total SQNR, dB |\n|---|---|---|---|---|\n";
  Figures worst;
  std::string worst_arithmetic;
  std::string worst_total;

  void add(const Case& what) {
    const Figures found = worst_of_seeds(what);
    rows += fmt::format("| {} | {} | {} |\n", cells(what), decibels(found.arithmetic),
                        decibels(found.total));
    if (found.arithmetic < worst.arithmetic) worst_arithmetic = words(what);
    if (found.total < worst.total) worst_total = words(what);
    worst.arithmetic = std::min(worst.arithmetic, found.arithmetic);
    worst.total = std::min(worst.total, found.total);
  }

  std::string worst_cases() const {
    return fmt::format("Worst case: arithmetic {:.1f} dB ({}),\ntotal {:.1f} dB ({}).",
                       worst.arithmetic, worst_arithmetic, worst.total, worst_total);
  }
};

Table make_table(const std::vector<int>& lengths, bool outliers) {
  Table table;
  for (const int length : lengths) {
    for (const bool causal : {false, true}) {
      for (const bool positions : {false, true}) table.add({length, causal, positions, outliers});
    }
  }
  return table;
}

std::string page(const Table& plain, const Table& outliers) {
  return fmt::format(
      "# Accuracy of linear attention\n\n"
      "Written by `test_fixed --gtest_filter=LinearAccuracy.*` with `QUADRILLE_BLESS=1`, and held\n"
      "to this page by the same test. SQNR of `out` at level `fixed`: *arithmetic* against "
      "`float`\n"
      "on the dequantised codes (what the datapath adds), *total* against `float` on the original\n"
      "numbers (input quantisation included). Q, K, V and RP are N(0, 1), quantised by absmax to "
      "8\n"
      "bits; d = dv = {}; each figure is the lowest of {} seeds. `exact`: no more than the double\n"
      "precision of the comparison. The goal is {:.0f} dB for both.\n\n{}\n\n{}\n"
      "## Outlier tokens\n\n"
      "Three tokens, at 1/8, 1/2 and 7/8 of the sequence, are {:.0f} times larger in Q, K and V\n"
      "(not in RP). The goal is missed: with one scale per tensor the outliers take the range, "
      "and\n"
      "every other token is left with a few input codes and a few of phi's 255 values, the lowest\n"
      "of them clamped to 1. {}\n\n{}",
      kWidth, std::size(kSeeds), kGoalDb, plain.worst_cases(), plain.rows, kOutlierFactor,
      outliers.worst_cases(), outliers.rows);
}

TEST(LinearAccuracy, IsWhatThePagePublishesAndReachesTheGoal) {
  const Table plain = make_table({1, 128, 1024, 16384}, false);
  const Table outliers = make_table({128, 1024, 16384}, true);
  EXPECT_GE(plain.worst.arithmetic, kGoalDb) << plain.worst_arithmetic;
  EXPECT_GE(plain.worst.total, kGoalDb) << plain.worst_total;
  testbench::expect_published("accuracy_linear.md", page(plain, outliers));
}

}  // namespace
}  // namespace quadrille::model
