// Question: does `eval sinkhorn` give the tensors it promises in every form, the
// formula's at level `float` and the same integers at all others, and refuse the
// rest in one line?
#include <algorithm>
#include <cmath>

#include "testbench/common/eval_fixture.h"

namespace quadrille::testbench {
namespace {

using testing::Each;
using testing::ElementsAre;

class SinkhornEval : public EvalFixture {
 protected:
  /// A file of tensors with given values.
  std::string write_values(const std::vector<std::pair<std::string, std::vector<double>>>& tensors,
                           const std::vector<Shape>& shapes) {
    SafetensorsWriter writer;
    for (std::size_t i = 0; i < tensors.size(); ++i)
      writer.add_f64(tensors[i].first, shapes[i], tensors[i].second);
    writer.write(folder_.file("values.safetensors"));
    return folder_.file("values.safetensors");
  }

  /// Level `all` holds both timings of the chip against `fixed`.
  SafetensorsFile all(const std::string& input, const std::vector<std::string>& settings = {}) {
    const ProgramRun run = run_program(arguments("sinkhorn", "all", input, settings));
    EXPECT_EQ(run.exit_code, 0) << run.err;
    return SafetensorsFile::open(out());
  }
};

struct Plain {
  std::vector<double> k;
  std::size_t rows, columns;

  void rows_to_one() {
    for (std::size_t i = 0; i < rows; ++i) {
      long double sum = 0;
      for (std::size_t j = 0; j < columns; ++j) sum += k[i * columns + j];
      for (std::size_t j = 0; j < columns; ++j)
        k[i * columns + j] = static_cast<double>(k[i * columns + j] / sum);
    }
  }
  void columns_to_target() {
    for (std::size_t j = 0; j < columns; ++j) {
      long double sum = 0;
      for (std::size_t i = 0; i < rows; ++i) sum += k[i * columns + j];
      sum *= static_cast<long double>(columns) / static_cast<long double>(rows);
      for (std::size_t i = 0; i < rows; ++i)
        k[i * columns + j] = static_cast<double>(k[i * columns + j] / sum);
    }
  }
};

/// The slides' K^l: exp(C), normalised in turn, rows first.
Plain normalised(const std::vector<double>& logits, std::size_t rows, std::size_t columns,
                 int half_steps, bool causal = false) {
  Plain plain{{}, rows, columns};
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t j = 0; j < columns; ++j)
      plain.k.push_back(causal && j > i ? 0.0 : std::exp(logits[i * columns + j]));
  }
  for (int step = 1; step <= half_steps; ++step)
    step % 2 == 1 ? plain.rows_to_one() : plain.columns_to_target();
  return plain;
}

void expect_near(const std::vector<double>& found, const std::vector<double>& expected,
                 double bound) {
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], expected[i], bound) << i;
}

TEST_F(SinkhornEval, GivesItsTensors) {
  const std::string input = write({{"C", {5, 7}}, {"V", {7, 3}}});
  const SafetensorsFile real = eval("sinkhorn", "float", input);
  EXPECT_THAT(real.names(), ElementsAre("K", "c", "col_error", "iterations", "out", "row_error"));
  real.require_shape("K", {5, 7});
  real.require_shape("c", {7});
  real.require_shape("out", {5, 3});
  for (const char* name : {"row_error", "col_error", "iterations"}) real.require_shape(name, {1});
  EXPECT_THAT(real.read_f64("iterations"), ElementsAre(21.0));
  const SafetensorsFile fixed = eval("sinkhorn", "fixed", input);
  EXPECT_THAT(fixed.names(), ElementsAre("K", "K_q", "c", "c_q", "col_error", "iterations",
                                         "iterations_q", "out", "out_q", "row_error"));
  for (const char* key : {"C.scale", "V.scale", "K.scale", "out.scale", "c_q.encoding"})
    EXPECT_EQ(fixed.metadata().count(key), 1U) << key;
  EXPECT_EQ(fixed.metadata().count("c_q.scale"), 0U);
  EXPECT_EQ(std::stod(fixed.metadata().at("K_q.scale")), std::ldexp(1.0, -24));
  EXPECT_DOUBLE_EQ(std::stod(fixed.metadata().at("out_q.scale")),
                   std::stod(fixed.metadata().at("V.scale")) / 256);
  const auto c = fixed.read_f64("c");
  const auto codes = fixed.read_i64("c_q");
  for (std::size_t i = 0; i < c.size(); ++i)
    EXPECT_DOUBLE_EQ(c[i], std::exp2(static_cast<double>(codes[i]) / 65536));
}

TEST_F(SinkhornEval, BatchesHaveTheirSizeInFront) {
  const std::string input = write({{"C", {6, 4, 3}}});
  for (const char* level : {"float", "all"}) {
    const SafetensorsFile file = eval("sinkhorn", level, input, {"iterations=9"});
    file.require_shape("K", {6, 4, 3});
    file.require_shape("c", {6, 3});
    for (const char* name : {"row_error", "col_error", "iterations"}) file.require_shape(name, {6});
  }
}

TEST_F(SinkhornEval, FloatIsTheDefinition) {
  const std::string input = write({{"C", {5, 7}}, {"V", {7, 2}}});
  const auto logits = SafetensorsFile::open(input).read_f64("C");
  const auto values = SafetensorsFile::open(input).read_f64("V");
  std::vector<double> divided;
  for (const double logit : logits) divided.push_back(logit / 0.5);
  for (const int half_steps : {1, 2, 21}) {
    const std::string count = "iterations=" + std::to_string(half_steps);
    expect_near(eval("sinkhorn", "float", input, {count}).read_f64("K"),
                normalised(logits, 5, 7, half_steps).k, 1e-12);
    const SafetensorsFile file = eval("sinkhorn", "float", input, {count, "epsilon=0.5"});
    const Plain plain = normalised(divided, 5, 7, half_steps);
    expect_near(file.read_f64("K"), plain.k, 1e-12);
    std::vector<double> out(10, 0.0);
    for (std::size_t i = 0; i < 5; ++i) {
      for (std::size_t j = 0; j < 7; ++j) {
        for (std::size_t c = 0; c < 2; ++c)
          out[i * 2 + c] += plain.k[i * 7 + j] * values[j * 2 + c];
      }
    }
    expect_near(file.read_f64("out"), out, 1e-12);
  }
}

TEST_F(SinkhornEval, FloatOfQueriesAndKeysIsTheirProduct) {
  const std::string input = write({{"Q", {6, 4}}, {"K", {6, 4}}});
  const auto q = SafetensorsFile::open(input).read_f64("Q");
  const auto k = SafetensorsFile::open(input).read_f64("K");
  const auto logits = [&](double scale) {
    std::vector<double> result(36, 0.0);
    for (std::size_t i = 0; i < 6; ++i) {
      for (std::size_t j = 0; j < 6; ++j) {
        for (std::size_t c = 0; c < 4; ++c)
          result[i * 6 + j] += scale * q[i * 4 + c] * k[j * 4 + c];
      }
    }
    return result;
  };
  expect_near(eval("sinkhorn", "float", input).read_f64("K"), normalised(logits(0.5), 6, 6, 21).k,
              1e-12);
  expect_near(
      eval("sinkhorn", "float", input, {"scale=3", "epsilon=2", "causal=true"}).read_f64("K"),
      normalised(logits(1.5), 6, 6, 21, true).k, 1e-12);
}

TEST_F(SinkhornEval, ErrorsAreThoseOfTheKDelivered) {
  const std::string input = write({{"C", {5, 7}}});
  for (const char* level : {"float", "fixed", "systemc"}) {
    const SafetensorsFile file = eval("sinkhorn", level, input, {"iterations=4"});
    const auto k = file.read_f64("K");
    double row = 0.0, column = 0.0;
    for (std::size_t i = 0; i < 5; ++i) {
      double sum = 0.0;
      for (std::size_t j = 0; j < 7; ++j) sum += k[i * 7 + j];
      row = std::max(row, std::fabs(sum - 1.0));
    }
    for (std::size_t j = 0; j < 7; ++j) {
      double sum = 0.0;
      for (std::size_t i = 0; i < 5; ++i) sum += k[i * 7 + j];
      column = std::max(column, std::fabs(sum * 7 / 5 - 1.0));
    }
    EXPECT_NEAR(file.read_f64("row_error")[0], row, 1e-14) << level;
    EXPECT_NEAR(file.read_f64("col_error")[0], column, 1e-14) << level;
  }
}

TEST_F(SinkhornEval, AllIntegerLevelsAreEqual) {
  const std::string square = write({{"C", {9, 9}}, {"V", {9, 3}}}, "square.safetensors");
  for (const std::vector<std::string>& settings :
       std::vector<std::vector<std::string>>{{},
                                             {"causal=true"},
                                             {"update=damped", "iterations=6"},
                                             {"tolerance=0.01", "iterations=200"},
                                             {"form=matrix"},
                                             {"hold=kernel"},
                                             {"hold=kernel", "form=matrix", "iterations=3"},
                                             {"epsilon=0.05", "iterations=8"}}) {
    SCOPED_TRACE(settings.empty() ? "" : settings.front());
    const SafetensorsFile file = all(square, settings);
    EXPECT_TRUE(file.has("K_q"));
    EXPECT_TRUE(file.has("out_q"));
  }
  all(write({{"C", {7, 33}}, {"V", {33, 5}}}));
  all(write({{"C", {33, 7}}}), {"causal=true"});
  all(write({{"C", {40, 40}}}), {"iterations=3"});  // beyond the tile memory
  all(write({{"C", {30, 4, 4}}}), {"tolerance=0.001", "iterations=40"});
  all(write({{"C", {30, 4, 4}}}), {"hold=kernel", "iterations=5"});
  all(write({{"Q", {9, 20}}, {"K", {12, 20}}, {"V", {12, 6}}}));
  all(write({{"Q", {12, 20}}, {"K", {12, 20}}}), {"causal=true", "iterations=2"});
}

TEST_F(SinkhornEval, FormsHaveTheSameIterates) {
  const std::string input = write({{"C", {6, 6}}});
  const auto scaling = eval("sinkhorn", "fixed", input).read_f64("K");
  for (const char* form : {"form=matrix", "hold=kernel"}) {
    const SafetensorsFile file = eval("sinkhorn", "fixed", input, {form});
    expect_near(file.read_f64("K"), scaling, 1e-4);
    EXPECT_EQ(file.has("c"), form == std::string("hold=kernel"));
    EXPECT_FALSE(eval("sinkhorn", "float", input, {"form=matrix"}).has("c"));
  }
  const auto real = eval("sinkhorn", "float", input).read_f64("c");
  // A packed reciprocal in the gauge of held K: the ratios are the scalings'.
  const auto packed = eval("sinkhorn", "fixed", input, {"hold=kernel"}).read_f64("c");
  for (std::size_t i = 1; i < real.size(); ++i)
    EXPECT_NEAR(packed[i] / packed[0], real[i] / real[0], 1e-3 * real[i] / real[0]);
}

TEST_F(SinkhornEval, ATolerancesStopsEachMatrixByItself) {
  const std::string input = write({{"C", {8, 4, 4}}});
  for (const char* level : {"float", "fixed", "systemc"}) {
    const SafetensorsFile file =
        eval("sinkhorn", level, input, {"tolerance=0.001", "iterations=400"});
    const auto iterations = file.read_f64("iterations");
    EXPECT_GT(*std::max_element(iterations.begin(), iterations.end()),
              *std::min_element(iterations.begin(), iterations.end()));
    // The unit's residuals are rounded to 2^-16.
    EXPECT_THAT(file.read_f64("row_error"), Each(testing::Le(0.001 + 0x1p-15)));
    EXPECT_THAT(file.read_f64("col_error"), Each(testing::Le(0.001 + 0x1p-15)));
  }
}

TEST_F(SinkhornEval, AWarmStartGoesOnWhereTheLastRunStopped) {
  const std::string input = write({{"C", {9, 9}}});
  const auto logits = SafetensorsFile::open(input).read_f64("C");
  for (const char* level : {"float", "fixed", "systemc"}) {
    const SafetensorsFile whole = eval("sinkhorn", level, input, {"iterations=8"});
    const auto expected = whole.read_f64("K");
    // An even count ends on columns, so that c alone carries it on.
    const auto c = eval("sinkhorn", level, input, {"iterations=4"}).read_f64("c");
    const std::string warm = write_values({{"C", logits}, {"c0", c}}, {{9, 9}, {9}});
    expect_near(eval("sinkhorn", level, warm, {"iterations=4"}).read_f64("K"), expected, 1e-12);
  }
  // Damped updates start both sides; without r0 a square matrix starts alike.
  std::vector<double> start;
  for (int i = 0; i < 9; ++i) start.push_back(std::exp(0.1 * i - 0.3));
  const auto alike = all(write_values({{"C", logits}, {"c0", start}}, {{9, 9}, {9}}),
                         {"update=damped", "iterations=3"})
                         .read_i64("K_q");
  const auto both =
      all(write_values({{"C", logits}, {"c0", start}, {"r0", start}}, {{9, 9}, {9}, {9}}),
          {"update=damped", "iterations=3"})
          .read_i64("K_q");
  const auto cold = all(input, {"update=damped", "iterations=3"}).read_i64("K_q");
  EXPECT_EQ(alike, both);
  EXPECT_NE(alike, cold);
}

TEST_F(SinkhornEval, ZerosAndTinyLogitsAreUniform) {
  for (const double value : {0.0, 1e-25}) {
    const std::string input = write_values({{"C", std::vector<double>(6, value)}}, {{2, 3}});
    for (const char* level : {"float", "all"})
      EXPECT_THAT(eval("sinkhorn", level, input, {"epsilon=0.01"}).read_f64("K"),
                  Each(testing::DoubleNear(1.0 / 3, 1e-4)));
  }
}

TEST_F(SinkhornEval, LogitsBeyondTheFormatAreCountedAndSaid) {
  const std::string input = write_values({{"C", {0.0, 300.0, 300.0, 0.0}}}, {{2, 2}});
  const ProgramRun run = run_program(arguments("sinkhorn", "all", input));
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.out, testing::HasSubstr("fixed: 2 values saturated"));
  EXPECT_THAT(run.out, testing::HasSubstr("systemc (beat): 2 values saturated"));
  // Scalings beyond double's range are still numbers.
  const std::string huge = write_values({{"C", {0.0, 2000.0, -2000.0, 0.0}}}, {{2, 2}});
  EXPECT_THAT(eval("sinkhorn", "float", huge).read_f64("c"), Each(testing::Gt(0.0)));
}

TEST_F(SinkhornEval, RefusesSettings) {
  const std::string input = write({{"C", {4, 4}}});
  refuse("sinkhorn", input, {"epsilon", "above zero"}, {"epsilon=0"});
  refuse("sinkhorn", input, {"epsilon", "above zero"}, {"epsilon=-1"});
  refuse("sinkhorn", input, {"tolerance", "zero or above"}, {"tolerance=-0.1"});
  refuse("sinkhorn", input, {"tolerance"}, {"tolerance=nan"});
  refuse("sinkhorn", input, {"iterations", "1 to 1000000"}, {"iterations=0"});
  refuse("sinkhorn", input, {"iterations", "1 to 1000000"}, {"iterations=1000001"});
  refuse("sinkhorn", input, {"scale", "only with Q and K"}, {"scale=1"});
  refuse("sinkhorn", input, {"itertions", "did you mean 'iterations'?"}, {"itertions=3"});
  refuse("sinkhorn", input, {"update", "damped"}, {"update=dampd"});
  refuse("sinkhorn", input, {"update", "form=scaling"}, {"update=damped", "form=matrix"});
  refuse("sinkhorn", input, {"update", "hold=logits"}, {"update=damped", "hold=kernel"});
  refuse("sinkhorn", input, {"hold", "kernel"}, {"hold=kernal"});
  refuse("sinkhorn", write({{"C", {4, 5}}}), {"causal", "no row sees"}, {"causal=true"});
  refuse("sinkhorn", write({{"Q", {4, 2}}, {"K", {5, 2}}}), {"causal", "no row sees"},
         {"causal=true"});
}

TEST_F(SinkhornEval, RefusesTensors) {
  refuse("sinkhorn", write({{"V", {4, 4}}}), {"'C'"});
  refuse("sinkhorn", write({{"C", {0, 4}}}), {"'C'", "no empty dimension"});
  refuse("sinkhorn", write({{"C", {4, 0}}}), {"'C'", "no empty dimension"});
  refuse("sinkhorn", write({{"C", {4}}}), {"'C'", "[*,*]"});
  refuse("sinkhorn", write({{"C", {2, 2, 2, 2, 2}}}), {"'C'"});
  refuse("sinkhorn", write({{"C", {4, 4}}, {"V", {5, 2}}}), {"'V'", "[5,2]"});
  refuse("sinkhorn", write({{"C", {2, 4, 4}}, {"V", {4, 2}}}), {"'V'", "batch"});
  refuse("sinkhorn", write({{"C", {4, 4}}, {"Q", {4, 2}}}), {"'Q'", "unknown tensor"});
  refuse("sinkhorn", write({{"Q", {4, 2}}}), {"'K'"});
  refuse("sinkhorn", write({{"Q", {4, 2}}, {"K", {4, 3}}}), {"'K'", "[4,3]"});
  const std::vector<double> ones(4, 1.0), zero = {1.0, 1.0, 0.0, 1.0},
                                          minus = {1.0, -2.0, 1.0, 1.0};
  const std::vector<double> c(16, 0.5);
  const auto start = [&](const std::string& name, const std::vector<double>& values,
                         const std::vector<std::string>& parts,
                         const std::vector<std::string>& settings = {}) {
    const Shape shape = {static_cast<std::int64_t>(values.size())};
    refuse("sinkhorn", write_values({{"C", c}, {name, values}}, {{4, 4}, shape}), parts, settings);
  };
  start("c0", zero, {"'c0'", "0 at [2]", "above zero"});
  start("c0", minus, {"'c0'", "-2 at [1]", "above zero"});
  start("c0", {1.0, 1.0}, {"'c0'", "[4]"});
  start("r0", ones, {"'r0'", "update=damped"});
  start("r0", zero, {"'r0'", "above zero"}, {"update=damped"});
  start("c0", ones, {"'c0'", "hold=logits"}, {"hold=kernel"});
  start("c0", ones, {"'c0'", "form=scaling"}, {"form=matrix"});
}

TEST_F(SinkhornEval, RefusesLogitsThatNoFormatHolds) {
  const std::string large = write_values({{"C", {1e20, 0.0, 0.0, 1e20}}}, {{2, 2}});
  refuse("sinkhorn", large, {"'C'", "not finite", "[0,0]"}, {"epsilon=1e-300"});
  refuse("sinkhorn", large, {"tensor 'C' (up to 1e+20)", "epsilon 1", "2^"});
  // 12.98 octaves between the largest and the least logit.
  const std::string spread = write_values({{"C", {-4.5, 0.0, 0.0, 4.5}}}, {{2, 2}});
  for (const char* form : {"hold=kernel", "form=matrix"})
    refuse("sinkhorn", spread, {"'C'", "13 octaves", "at most 12"}, {form});
  const std::string narrow = write_values({{"C", {-4.1, 0.0, 0.0, 4.1}}}, {{2, 2}});
  all(narrow, {"hold=kernel"});
}

TEST_F(SinkhornEval, RefusesWhatTheChipCannotHold) {
  const auto refuse_on_chip = [&](const std::string& input, const std::vector<std::string>& parts,
                                  const std::vector<std::string>& settings = {}) {
    expect_bad_input(arguments("sinkhorn", "systemc", input, settings), parts);
    EXPECT_FALSE(std::filesystem::exists(out()));
  };
  refuse_on_chip(write({{"C", {513, 2}}}), {"sinkhorn.max_lines", "513"});
  refuse_on_chip(write({{"C", {40, 40}}}), {"sinkhorn.tile_elements"}, {"form=matrix"});
}

}  // namespace
}  // namespace quadrille::testbench
