// Question: does `eval` give the vector unit's operators as it promises: shapes, scales,
// levels that exist, and a line for the rest?
#include <algorithm>
#include <cmath>

#include "testbench/common/eval_fixture.h"

namespace quadrille::testbench {
namespace {

class VectorEval : public EvalFixture {
 protected:
  std::string norm_input(const Shape& shape) {
    return write({{"X", shape}, {"gamma", {shape.back()}}, {"beta", {shape.back()}}});
  }
  std::string codes_input(const Shape& shape, const std::vector<std::int64_t>& codes) {
    const auto n = static_cast<std::size_t>(shape.back());
    std::vector<double> gamma, beta;
    for (std::size_t i = 0; i < n; ++i) {
      gamma.push_back(1.0 + 0.01 * static_cast<double>(i));
      beta.push_back(0.3 * static_cast<double>(i) - 1.0);
    }
    SafetensorsWriter writer;
    writer.add_integers("X", Dtype::kI16, shape, codes);
    writer.add_f64("gamma", {shape.back()}, gamma);
    writer.add_f64("beta", {shape.back()}, beta);
    writer.set_metadata("X.scale", "0.001");
    writer.write(folder_.file("codes.safetensors"));
    return folder_.file("codes.safetensors");
  }
};

double scale_of(const SafetensorsFile& file) { return std::stod(file.metadata().at("out.scale")); }

TEST_F(VectorEval, EveryOperatorIsNearItsFormulaWithLeadingDimensions) {
  const Shape shape = {2, 3, 5, 6};
  const std::string norm = norm_input(shape);
  const std::string pair = write({{"X", shape}, {"Y", shape}}, "pair.safetensors");
  const std::string one = write({{"X", shape}}, "one.safetensors");
  for (const auto& [op, input] :
       {std::pair{"layernorm", norm}, std::pair{"rmsnorm", norm}, std::pair{"add", pair},
        std::pair{"multiply", pair}, std::pair{"activation", one}, std::pair{"rotary", one}}) {
    const SafetensorsFile real = eval(op, "float", input);
    EXPECT_EQ(real.info("out").shape, shape) << op;
    const std::vector<double> expected = real.read_f64("out");
    const SafetensorsFile fixed = eval(op, "fixed", input);
    const std::vector<double> found = fixed.read_f64("out");
    ASSERT_EQ(found.size(), expected.size());
    // Both operands are rounded to 16 bits of their own range, and so is the output: no
    // derivative here is above 10, and no operand's range above twice the output's.
    for (std::size_t i = 0; i < found.size(); ++i)
      EXPECT_NEAR(found[i], expected[i], 30 * scale_of(fixed)) << op << " " << i;
  }
}

TEST_F(VectorEval, NearlyConstantAndConstantRowsComeOutRight) {
  const Shape shape = {2, 7};
  const std::string input =
      codes_input(shape, {9997, 10003, 10000, 9999, 10001, 10002, 9998,  //
                          -32768, -32768, -32768, -32768, -32768, -32768, -32768});
  const SafetensorsFile file = eval("layernorm", "fixed", input, {"epsilon=0"});
  const std::vector<double> out = file.read_f64("out");
  const std::vector<std::int64_t> codes = file.read_i64("out_q");
  for (std::size_t i = 0; i < 7; ++i) {
    const double x[] = {-3, 3, 0, -1, 1, 2, -2};
    const double beta = 0.3 * static_cast<double>(i) - 1.0;
    const double expected = x[i] / 2.0 * (1.0 + 0.01 * static_cast<double>(i)) + beta;
    // Half a code, and what 2^-14 of a normalised element makes of a range of 2^15.
    EXPECT_NEAR(out[i], expected, 4 * scale_of(file)) << i;
    EXPECT_EQ(codes[7 + i], std::nearbyint(beta / scale_of(file))) << i;
  }
}

TEST_F(VectorEval, TakesWidthsAndAScaleOfTheOutputAndSaysWhatItClamps) {
  const std::string input = write({{"X", {4, 8}}});
  const std::vector<std::string> settings = {"kind=relu", "input_bits=8", "output_bits=8",
                                             "output_scale=0.001"};
  const ProgramRun run = run_program(arguments("activation", "fixed", input, settings));
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.out, testing::HasSubstr("values saturated"));
  const SafetensorsFile file = SafetensorsFile::open(out());
  EXPECT_EQ(scale_of(file), 0.001);
  const std::vector<std::int64_t> codes = file.read_i64("out_q");
  EXPECT_EQ(*std::max_element(codes.begin(), codes.end()), 127);
  EXPECT_EQ(*std::min_element(codes.begin(), codes.end()), 0);
}

TEST_F(VectorEval, OnlyFloatAndFixedExistAndAllSaysSo) {
  const std::string input = write({{"X", {4, 8}}});
  for (const char* level : {"systemc", "rtl"}) {
    expect_bad_input(arguments("rotary", level, input),
                     {"--level", level, "rotary exists at the levels float and fixed only"});
  }
  const ProgramRun run = run_program(arguments("rotary", "all", input));
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_THAT(run.out, testing::HasSubstr("fixed against float: SQNR"));
  EXPECT_THAT(run.err, testing::HasSubstr("compared with no other integer level"));
  EXPECT_FALSE(std::filesystem::exists(out()));
  std::vector<std::string> allowed = arguments("rotary", "all", input);
  allowed.emplace_back("--allow-missing-rtl");
  EXPECT_EQ(run_program(allowed).exit_code, 0);
  EXPECT_TRUE(std::filesystem::exists(out()));
}

TEST_F(VectorEval, RefusesNanAndInfinity) {
  // The writer refuses them, so the bytes are planted.
  std::string bytes = TemporaryFolder::read(write({{"X", {4, 8}}}));
  for (const char* last_two : {"\xf8\x7f", "\xf0\xff"}) {
    bytes.replace(bytes.size() - 8, 8, std::string(6, '\0') + last_two);
    refuse("activation", folder_.write("wrong.safetensors", bytes), {"wrong.safetensors", "'X'"});
  }
}

TEST_F(VectorEval, RefusesInOneLine) {
  refuse("rotary", write({{"X", {4, 7}}}), {"tensor 'X'", "rows of 7 elements", "even number"});
  refuse("layernorm", write({{"X", {4, 8}}, {"gamma", {7}}}), {"tensor 'gamma'", "shape"});
  refuse("layernorm", write({{"X", {4, 8}}}), {"gamma"});
  refuse("layernorm", norm_input({1, 8193}), {"tensor 'X'", "at most 8192"});
  refuse("rmsnorm", norm_input({2, 8}), {"epsilon"}, {"epsilon=-1"});
  refuse("rmsnorm", norm_input({2, 8}), {"node 'rmsnorm'", "gamma"}, {"output_scale=1e-20"});
  refuse("activation", write({{"X", {4, 8}}}), {"kind", "gelu"}, {"kind=gleu"});
  refuse("add", write({{"X", {4, 8}}, {"Y", {4, 7}}}), {"tensor 'Y'", "shape"});
  refuse("add", write({{"X", {4, 8}}, {"Y", {4, 8}}}), {"input_bits"}, {"input_bits=12"});
  refuse("layernorm", codes_input({1, 2}, {10000, 3}), {"code 10000", "8-bit"}, {"input_bits=8"});
}

}  // namespace
}  // namespace quadrille::testbench
