// Question: does `eval linear` give the tensors it promises, the definition's at
// level `float` and the same integers at all others, and refuse the rest in one
// line? And does DAMF's collapsed form on the linear engine equal its own?
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "testbench/common/eval_fixture.h"

namespace quadrille::testbench {
namespace {

using testing::ElementsAre;

class LinearEval : public EvalFixture {
 protected:
  Sizes sizes(std::int64_t queries, std::int64_t keys, std::int64_t width, std::int64_t columns,
              std::int64_t positions = 0) {
    Sizes result = {{"Q", {queries, width}}, {"K", {keys, width}}, {"V", {keys, columns}}};
    if (positions > 0) result.emplace_back("RP", Shape{positions, width});
    return result;
  }
  SafetensorsFile all(const std::string& op, const std::string& input,
                      const std::vector<std::string>& settings = {}) {
    const ProgramRun run = run_program(arguments(op, "all", input, settings));
    EXPECT_EQ(run.exit_code, 0) << run.err;
    return SafetensorsFile::open(out());
  }
};

double phi(double x) { return x > 0 ? x + 1 : std::exp(x); }

struct Plain {
  std::vector<double> numerator, denominator, out;
};

/// The O(L^2) definition: every visible pair by itself.
Plain definition(const SafetensorsFile& file, bool causal) {
  const auto q = file.read_f64("Q"), k = file.read_f64("K"), v = file.read_f64("V");
  const auto rp = file.has("RP") ? file.read_f64("RP") : std::vector<double>{};
  const std::int64_t queries = file.info("Q").shape[0], keys = file.info("K").shape[0];
  const std::int64_t width = file.info("Q").shape[1], columns = file.info("V").shape[1];
  const std::int64_t horizon = file.has("RP") ? (file.info("RP").shape[0] - 1) / 2 : 0;
  const auto at = [](const std::vector<double>& values, std::int64_t index) {
    return values[static_cast<std::size_t>(index)];
  };
  Plain plain;
  for (std::int64_t i = 0; i < queries; ++i) {
    std::vector<double> sums(static_cast<std::size_t>(columns), 0.0);
    double weights = 0.0;
    for (std::int64_t j = 0; j < keys; ++j) {
      if (causal && j > i) continue;
      double weight = 0.0;
      for (std::int64_t c = 0; c < width; ++c) {
        const double of_query = phi(at(q, i * width + c));
        weight += of_query * phi(at(k, j * width + c));
        const std::int64_t row = std::clamp(j - i, -horizon, horizon) + horizon;
        if (!rp.empty()) weight += of_query * phi(at(rp, row * width + c));
      }
      weights += weight;
      for (std::int64_t c = 0; c < columns; ++c)
        sums[static_cast<std::size_t>(c)] += weight * at(v, j * columns + c);
    }
    plain.denominator.push_back(weights);
    for (const double sum : sums) {
      plain.numerator.push_back(sum);
      plain.out.push_back(sum / weights);
    }
  }
  return plain;
}

void expect_close(const std::vector<double>& found, const std::vector<double>& expected,
                  const char* what) {
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i)
    EXPECT_NEAR(found[i], expected[i], 1e-12 * std::max(1.0, std::fabs(expected[i])))
        << what << " " << i;
}

TEST_F(LinearEval, GivesItsTensors) {
  const std::string input = write(sizes(5, 7, 8, 3));
  const SafetensorsFile real = eval("linear", "float", input);
  EXPECT_THAT(real.names(), ElementsAre("denominator", "numerator", "out"));
  real.require_shape("numerator", {5, 3});
  real.require_shape("denominator", {5});
  real.require_shape("out", {5, 3});
  const SafetensorsFile fixed = eval("linear", "fixed", input);
  EXPECT_THAT(fixed.names(), ElementsAre("denominator", "denominator_q", "numerator", "numerator_q",
                                         "out", "out_q"));
  const auto scale = [&](const char* key) { return std::stod(fixed.metadata().at(key)); };
  EXPECT_DOUBLE_EQ(scale("denominator_q.scale"), scale("phi_q.scale") * scale("phi_k.scale"));
  EXPECT_DOUBLE_EQ(scale("numerator_q.scale"), scale("denominator_q.scale") * scale("V.scale"));
  EXPECT_DOUBLE_EQ(scale("out_q.scale"), scale("V.scale") / 256);
  for (const char* key : {"Q.scale", "K.scale"}) EXPECT_GT(scale(key), 0.0);
}

TEST_F(LinearEval, FloatIsTheDefinition) {
  for (const std::int64_t positions : {0, 1, 5, 41}) {
    for (const auto& [queries, keys] : {std::pair{7, 7}, {5, 9}, {9, 5}, {1, 1}}) {
      const std::string input = write(sizes(queries, keys, 4, 3, positions));
      for (const char* causal : {"false", "true"}) {
        SCOPED_TRACE(
            fmt::format("{} rows of RP, {} x {}, causal {}", positions, queries, keys, causal));
        const Plain plain = definition(SafetensorsFile::open(input), causal[0] == 't');
        const SafetensorsFile file =
            eval("linear", "float", input, {std::string("causal=") + causal});
        expect_close(file.read_f64("numerator"), plain.numerator, "numerator");
        expect_close(file.read_f64("denominator"), plain.denominator, "denominator");
        expect_close(file.read_f64("out"), plain.out, "out");
      }
    }
  }
}

TEST_F(LinearEval, AllIntegerLevelsAreEqual) {
  for (const char* causal : {"causal=false", "causal=true"}) {
    SCOPED_TRACE(causal);
    for (const std::int64_t positions : {0, 1, 9}) {
      all("linear", write(sizes(13, 13, 8, 4, positions)), {causal});
      all("linear", write(sizes(5, 17, 8, 4, positions)), {causal});
      all("linear", write(sizes(17, 5, 8, 4, positions)), {causal});
    }
    all("linear", write(sizes(1, 1, 1, 1)), {causal});
    all("linear", write(sizes(9, 9, 30, 13, 5)), {causal});
    all("linear", write(sizes(150, 150, 6, 5)), {causal});
  }
}

/// phi of a tensor's 8-bit codes as codes of `scale_out`, by the definition.
std::vector<std::int64_t> phi_codes(const std::vector<double>& values, double scale_in,
                                    double scale_out) {
  std::vector<std::int64_t> codes;
  for (const double value : values) {
    const double real = phi(std::nearbyint(value / scale_in) * scale_in);
    codes.push_back(std::clamp<std::int64_t>(std::llrint(real / scale_out), 1, 255));
  }
  return codes;
}

// The scales in the metadata are enough: the integers are sums of products of
// codes, and the real tensors are those integers times their scales.
TEST_F(LinearEval, IntegersAreTheDefinitionOnCodes) {
  const std::string input = write(sizes(9, 9, 5, 2, 3));
  const SafetensorsFile tensors = SafetensorsFile::open(input);
  const SafetensorsFile fixed = eval("linear", "fixed", input, {"causal=true"});
  const auto scale = [&](const char* key) { return std::stod(fixed.metadata().at(key)); };
  const auto q = phi_codes(tensors.read_f64("Q"), scale("Q.scale"), scale("phi_q.scale"));
  const auto k = phi_codes(tensors.read_f64("K"), scale("K.scale"), scale("phi_k.scale"));
  const auto rp = phi_codes(tensors.read_f64("RP"), scale("RP.scale"), scale("phi_k.scale"));
  const auto v = tensors.read_f64("V");
  std::vector<std::int64_t> numerators, denominators;
  for (std::size_t i = 0; i < 9; ++i) {
    std::int64_t first = 0, second = 0, weights = 0;
    for (std::size_t j = 0; j <= i; ++j) {
      std::int64_t weight = 0;
      for (std::size_t c = 0; c < 5; ++c)
        weight += q[i * 5 + c] * (k[j * 5 + c] + rp[(j == i ? 1 : 0) * 5 + c]);
      weights += weight;
      first += weight * std::llrint(v[j * 2] / scale("V.scale"));
      second += weight * std::llrint(v[j * 2 + 1] / scale("V.scale"));
    }
    numerators.insert(numerators.end(), {first, second});
    denominators.push_back(weights);
  }
  EXPECT_EQ(fixed.read_i64("numerator_q"), numerators);
  EXPECT_EQ(fixed.read_i64("denominator_q"), denominators);
}

TEST_F(LinearEval, RefusesSettingsAndTensors) {
  const std::string input = write(sizes(5, 7, 8, 3));
  refuse("linear", input, {"phi", "'relu'", "elu1"}, {"phi=relu"});
  refuse("linear", input, {"cusal", "did you mean 'causal'?"}, {"cusal=true"});
  refuse("linear", write(sizes(5, 7, 8, 3, 4)), {"'RP'", "4 rows", "odd"});
  Sizes wrong = sizes(5, 7, 8, 3);
  wrong.emplace_back("RP", Shape{3, 7});
  refuse("linear", write(wrong), {"'RP'", "[3,7]"});
  refuse("linear", write({{"Q", {5, 8}}, {"K", {7, 9}}, {"V", {7, 3}}}), {"'K'", "[7,9]"});
  refuse("linear", write({{"Q", {5, 8}}, {"K", {7, 8}}, {"V", {6, 3}}}), {"'V'", "[6,3]"});
  refuse("linear", write({{"Q", {0, 8}}, {"K", {7, 8}}, {"V", {7, 3}}}), {"'Q'", "empty"});
  refuse("linear", write({{"Q", {5, 8}}, {"K", {7, 8}}}), {"'V'"});
  Sizes more = sizes(5, 7, 8, 3);
  more.emplace_back("RPs", Shape{1});
  refuse("linear", write(more), {"'RPs'", "unknown tensor"});
}

TEST_F(LinearEval, RefusesWeightsThatVanish) {
  SafetensorsWriter writer;
  writer.add_f64("Q", {1, 1}, {-800.0});
  writer.add_f64("K", {1, 1}, {1.0});
  writer.add_f64("V", {1, 1}, {1.0});
  writer.write(folder_.file("deep.safetensors"));
  expect_bad_input(arguments("linear", "float", folder_.file("deep.safetensors")),
                   {"deep.safetensors", "query 0"});
}

TEST_F(LinearEval, RefusesWhatTheChipCannotHold) {
  const auto refuse_on_chip = [&](const std::string& input, const std::vector<std::string>& parts) {
    expect_bad_input(arguments("linear", "systemc", input), parts);
  };
  refuse_on_chip(write(sizes(5, 5, 33, 2)), {"linear.max_width", "33"});
  refuse_on_chip(write(sizes(5, 5, 4, 2, 11)), {"linear.max_horizon", "5"});
}

TEST_F(LinearEval, DamfCollapsedRunsOnItToTheBit) {
  const std::string input = write({{"s", {21}}, {"t", {21}}, {"V", {21, 6}}});
  for (const char* maximum : {"amax=global", "amax=row", "amax=abs"}) {
    for (const char* causal : {"causal=false", "causal=true"}) {
      SCOPED_TRACE(std::string(maximum) + " " + causal);
      const auto own =
          eval("damf", "systemc", input, {"mode=collapsed", maximum, causal}).read_i64("out_q");
      EXPECT_EQ(all("damf", input, {"mode=collapsed", "engine=linear", maximum, causal})
                    .read_i64("out_q"),
                own);
    }
  }
  std::filesystem::remove(out());
  refuse("damf", input, {"engine", "mode=collapsed"}, {"engine=linear"});
  refuse("damf", input, {"engine", "mode=collapsed"}, {"engine=linear", "mode=shift"});
  refuse("damf", input, {"engine", "negative=signed"},
         {"engine=linear", "mode=collapsed", "negative=clamp"});
  refuse("damf", write({{"X", {5, 16}}, {"WQ", {16, 4}}, {"WK", {16, 4}}, {"WV", {16, 4}}}),
         {"engine", "s, t and V"}, {"engine=linear", "mode=collapsed"});
}

}  // namespace
}  // namespace quadrille::testbench
