// The published accuracy of the vector unit's operators in integers:
// docs/accuracy_vector.md is made here and held to it. Set QUADRILLE_BLESS=1 to write it.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <random>
#include <string>

#include "app/error_figures.h"
#include "app/networks/operator.h"
#include "model/graph/quantise.h"
#include "model/numerics/reciprocal_root.h"
#include "testbench/common/portable_random.h"
#include "testbench/common/published_page.h"

namespace quadrille::testbench {
namespace {

constexpr int kRows = 64;
constexpr int kWidth = 768;
constexpr std::uint64_t kSeed = 601;

using Setting = std::map<std::string, std::string>;
using Values = std::vector<double>;

/// N(0, 1), but gamma N(1, 0.2) and beta N(0, 0.3).
Values draw(const std::string& name, std::size_t count) {
  std::mt19937_64 random(kSeed + name[0]);
  Values values = portable_normals(random, static_cast<int>(count));
  for (double& value : values) {
    if (name == "gamma") value = 1.0 + 0.2 * value;
    if (name == "beta") value *= 0.3;
  }
  return values;
}

/// Rows of 10,000 +- 3 steps of 2^-12, with 16-bit codes that is what they are.
Values near_constant(const std::string& name, std::size_t count) {
  if (name != "X") return draw(name, count);
  std::mt19937_64 random(kSeed);
  Values values;
  for (std::size_t i = 0; i < count; ++i)
    values.push_back(std::ldexp(10000 + pick(random, -3, 3), -12));
  // The largest code comes from here, so that a step is one code.
  values.front() = std::ldexp(32767.0, -12);
  return values;
}

/// Two columns that are fifty times larger, as residual streams have them.
Values with_outliers(const std::string& name, std::size_t count) {
  Values values = draw(name, count);
  if (name != "X" && name != "Y") return values;
  for (std::size_t i = 0; i < count; ++i) {
    if (i % kWidth == 5 || i % kWidth == 700) values[i] *= 50.0;
  }
  return values;
}

struct Figures {
  app::ErrorFigures arithmetic, total;
};

Values values_of(const model::Quantised& quantised, model::TensorId tensor,
                 const model::ByteTensors& tensors) {
  return model::dequantise(quantised, tensor, tensors[static_cast<std::size_t>(tensor)]);
}

/// Against `float` on the numbers that the codes stand for, and on the original ones.
Figures measure(const std::string& name, const Setting& settings,
                const app::ShapedTensors::Draw& numbers) {
  std::map<std::string, app::Shape> shapes = {{"X", {kRows, kWidth}}};
  if (name == "layernorm" || name == "rmsnorm") shapes["gamma"] = {kWidth};
  if (name == "layernorm") shapes["beta"] = {kWidth};
  if (name == "add" || name == "multiply") shapes["Y"] = {kRows, kWidth};
  const app::Task task = app::operator_task(name, app::ShapedTensors("page", shapes, numbers),
                                            app::Settings("page", settings));
  const model::Values real = model::evaluate(task.graph, task.values);
  const model::Quantised quantised =
      model::quantise(task.graph, real, model::calibrate(task.graph, real, task.given));
  const model::FixedRun fixed = model::evaluate(quantised.integers, quantised.tensors);
  const auto out = task.output("out").tensor;
  const Values found = values_of(quantised, out, fixed.tensors);
  model::Values coarse = task.values;
  for (std::size_t i = 0; i < coarse.size(); ++i) {
    if (!quantised.tensors[i].empty())
      coarse[i] = values_of(quantised, static_cast<model::TensorId>(i), quantised.tensors);
  }
  coarse = model::evaluate(task.graph, coarse);
  const auto at = static_cast<std::size_t>(out);
  return {app::error_figures(coarse[at], found), app::error_figures(real[at], found)};
}

std::string decibels(const app::ErrorFigures& figures) {
  return figures.sqnr_db ? fmt::format("{:.1f}", *figures.sqnr_db) : "exact";
}

struct Kind {
  std::string words, name;
  Setting settings;
};

const std::vector<Kind>& kinds() {
  static const std::vector<Kind> all = {
      {"layernorm", "layernorm", {}},
      {"rmsnorm", "rmsnorm", {}},
      {"activation gelu", "activation", {{"kind", "gelu"}}},
      {"activation gelu_tanh", "activation", {{"kind", "gelu_tanh"}}},
      {"activation relu", "activation", {{"kind", "relu"}}},
      {"activation silu", "activation", {{"kind", "silu"}}},
      {"rotary half", "rotary", {{"layout", "half"}}},
      {"rotary interleaved", "rotary", {{"layout", "interleaved"}}},
      {"add", "add", {}},
      {"multiply", "multiply", {}}};
  return all;
}

constexpr const char* kHead =
    "| operator | bits in | bits out | arithmetic SQNR, dB | total SQNR, dB | max abs |\n"
    "|---|---|---|---|---|---|\n";

std::string line(const Kind& kind, const char* in, const char* out,
                 const app::ShapedTensors::Draw& numbers) {
  Setting settings = kind.settings;
  settings["input_bits"] = in;
  settings["output_bits"] = out;
  const Figures found = measure(kind.name, settings, numbers);
  return fmt::format("| {} | {} | {} | {} | {} | {:.2g} |\n", kind.words, in, out,
                     decibels(found.arithmetic), decibels(found.total), found.total.max_abs);
}

std::string table(const std::vector<Kind>& rows, const app::ShapedTensors::Draw& numbers) {
  std::string text = kHead;
  for (const Kind& kind : rows) {
    for (const auto& [in, out] : {std::pair{"8", "8"}, std::pair{"16", "8"}, std::pair{"16", "16"}})
      text += line(kind, in, out, numbers);
  }
  return text;
}

double worst_root() {
  double worst = 0.0;
  for (std::uint64_t m = 1 << 16; m < 1 << 18; ++m) {
    for (const std::uint64_t d : {m << 20, ((m + 1) << 20) - 1}) {
      const model::Reciprocal root = model::reciprocal_root(d);
      const double found = std::ldexp(static_cast<double>(root.mantissa), -root.shift);
      worst = std::max(worst, std::fabs(found * std::sqrt(static_cast<double>(d)) - 1.0));
    }
  }
  return worst;
}

double worst_shortfall(model::ActivationKind kind) {
  double worst = 0.0;
  for (std::int64_t a = 0; a < 1 << 20; ++a) {
    const double x = std::ldexp(static_cast<double>(a), -16);
    const double code = std::ldexp(static_cast<double>(model::shortfall_code(kind, a)), -16);
    worst = std::max(worst, std::fabs(code + model::activation_float(kind, -x)));
  }
  return worst;
}

TEST(VectorAccuracy, IsPublished) {
  std::string page = fmt::format(
      "# Accuracy of the vector unit's operators\n\n"
      "Written by `test_fixed --gtest_filter=VectorAccuracy.*` with `QUADRILLE_BLESS=1`, and held "
      "to\n"
      "this page by the same test. Level `fixed`, {} rows of {} elements, seed {}. X and Y are\n"
      "N(0, 1), gamma N(1, 0.2), beta N(0, 0.3); scales are absmax. *Arithmetic* compares with\n"
      "`float` on the numbers that the codes stand for (the datapath and the output's rounding),\n"
      "*total* with `float` on the original ones (the input's rounding as well); *max abs* is the\n"
      "largest total error of an element.\n\n",
      kRows, kWidth, kSeed);
  page += table(kinds(), draw);
  page +=
      "\n## Outlier columns\n\nTwo columns of X and Y are 50 times larger. One scale for a tensor "
      "leaves all others with a\nfiftieth of the codes: at 8 bits they are lost on the way in, at "
      "16 "
      "bits they are not.\n\n";
  page += table({kinds()[0], kinds()[1], kinds()[2], kinds()[8]}, with_outliers);
  page +=
      "\n## Rows that are nearly constant\n\nCodes of 10,000 +- 3 (one element of the first row is "
      "32,767, so that a step is one 16-bit\ncode): the mean is removed before anything is "
      "squared. "
      "With 8 bits in, nothing of the\ndeviation is left to normalise.\n\n";
  page += std::string(kHead) + line(kinds()[0], "16", "8", near_constant) +
          line(kinds()[0], "16", "16", near_constant);
  page += fmt::format(
      "\n## Tables\n\nLargest errors over every argument that they can tell apart.\n\n"
      "| function | bound | measured |\n|---|---|---|\n"
      "| reciprocal root, relative | 2^-15 = 3.1e-05 | {:.2g} |\n"
      "| GELU's shortfall | 1.2e-04 | {:.2g} |\n| GELU's, tanh form | 1.2e-04 | {:.2g} |\n"
      "| SiLU's | 2.6e-04 | {:.2g} |\n",
      worst_root(), worst_shortfall(model::ActivationKind::kGelu),
      worst_shortfall(model::ActivationKind::kGeluTanh),
      worst_shortfall(model::ActivationKind::kSilu));
  expect_published("accuracy_vector.md", page);
}

}  // namespace
}  // namespace quadrille::testbench
