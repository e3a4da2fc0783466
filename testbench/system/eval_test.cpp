// Question: does `eval` take the tensors and settings it documents, give the
// tensors it promises, and refuse the rest in one line?
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "testbench/common/eval_fixture.h"

namespace quadrille::testbench {
namespace {

using testing::ElementsAre;

class Eval : public EvalFixture {
 protected:
  const Sizes softmax_ = {{"Q", {5, 8}}, {"K", {7, 8}}, {"V", {7, 3}}};
  const Sizes damf_ = {{"X", {5, 16}}, {"WQ", {16, 4}}, {"WK", {16, 4}}, {"WV", {16, 4}}};
  const Sizes attend_ = {{"s", {5}}, {"t", {5}}, {"V", {5, 4}}};
};

TEST_F(Eval, SoftmaxGivesItsTensors) {
  const std::string input = write(softmax_);
  const SafetensorsFile real = eval("softmax", "float", input);
  EXPECT_THAT(real.names(), ElementsAre("out", "weights"));
  real.require_shape("out", {5, 3});
  real.require_shape("weights", {5, 7});
  const SafetensorsFile fixed = eval("softmax", "fixed", input);
  EXPECT_THAT(fixed.names(), ElementsAre("out", "out_q", "weights", "weights_q"));
  EXPECT_EQ(fixed.info("out").dtype, Dtype::kF64);
  EXPECT_EQ(fixed.info("out_q").dtype, Dtype::kI64);
  for (const char* key : {"Q.scale", "K.scale", "V.scale", "out.scale", "weights.scale"})
    EXPECT_EQ(fixed.metadata().count(key), 1U) << key;
  const double scale = std::stod(fixed.metadata().at("out.scale"));
  const auto values = fixed.read_f64("out");
  const auto codes = fixed.read_i64("out_q");
  for (std::size_t i = 0; i < values.size(); ++i)
    EXPECT_DOUBLE_EQ(values[i], static_cast<double>(codes[i]) * scale);
}

TEST_F(Eval, DamfGivesItsTensorsInBothForms) {
  const std::string weights = write(damf_);
  EXPECT_THAT(eval("damf", "float", weights).names(),
              ElementsAre("out", "s", "sigma", "t", "u", "v"));
  EXPECT_THAT(eval("damf", "fixed", weights, {"mode=shift", "causal=true"}).names(),
              ElementsAre("out", "out_q", "s", "s_q", "sigma", "t", "t_q", "u", "u_q", "v", "v_q"));
  const std::string scalars = write(attend_);
  EXPECT_THAT(eval("damf", "float", scalars).names(), ElementsAre("out", "s", "t"));
  EXPECT_THAT(eval("damf", "fixed", scalars).names(),
              ElementsAre("out", "out_q", "s", "s_q", "t", "t_q"));
}

TEST_F(Eval, MatmulAtOneBitIsExactOnCodes) {
  SafetensorsWriter writer;
  writer.add_integers("X", Dtype::kI8, {1, 3}, {-1, 0, -1});
  writer.add_integers("W", Dtype::kI8, {3, 2}, {-1, 0, -1, -1, -1, 0});
  writer.set_metadata("X.scale", "0.5");
  writer.set_metadata("W.scale", "2");
  writer.write(folder_.file("bits.safetensors"));
  const SafetensorsFile file =
      eval("matmul", "fixed", folder_.file("bits.safetensors"), {"input_bits=1", "weight_bits=1"});
  EXPECT_THAT(file.read_i64("out_q"), ElementsAre(2, 0));
  EXPECT_THAT(file.read_f64("out"), ElementsAre(2.0, 0.0));
}

TEST_F(Eval, IntegersComeBackUnchanged) {
  const std::string input = write(attend_);
  eval("damf", "fixed", input);
  const SafetensorsFile first = SafetensorsFile::open(out());
  // The codes of a first run, fed back, give the same output.
  SafetensorsWriter writer;
  for (const char* name : {"s", "t"}) {
    writer.add_integers(name, Dtype::kI8, {5}, first.read_i64(std::string(name) + "_q"));
    writer.set_metadata(std::string(name) + ".scale",
                        first.metadata().at(std::string(name) + "_q.scale"));
  }
  writer.add_f64("V", {5, 4}, SafetensorsFile::open(input).read_f64("V"));
  const auto codes = first.read_i64("out_q");
  writer.write(folder_.file("again.safetensors"));
  EXPECT_EQ(eval("damf", "fixed", folder_.file("again.safetensors")).read_i64("out_q"), codes);
}

TEST_F(Eval, SettingsChangeTheResult) {
  const std::string input = write(softmax_);
  const auto plain = eval("softmax", "float", input).read_f64("out");
  EXPECT_NE(eval("softmax", "float", input, {"causal=true"}).read_f64("out"), plain);
  EXPECT_NE(eval("softmax", "float", input, {"scale=2.5"}).read_f64("out"), plain);
  EXPECT_EQ(eval("softmax", "float", input, {"scale=" + std::to_string(std::sqrt(1.0 / 8))})
                .metadata()
                .at("level"),
            "float");
  const std::string scalars = write(attend_);
  const auto maclaurin = eval("damf", "fixed", scalars).read_i64("out_q");
  for (const char* setting :
       {"mode=shift", "amax=row", "amax=abs", "negative=clamp", "causal=true"})
    EXPECT_NE(eval("damf", "fixed", scalars, {setting}).read_i64("out_q"), maclaurin) << setting;
  const auto shift = eval("damf", "fixed", scalars, {"mode=shift"}).read_i64("out_q");
  for (const char* setting : {"rounding=log", "rounding=floor", "shift_order=each"})
    EXPECT_NE(
        eval("damf", "fixed", scalars, {"mode=shift", setting, "guard_bits=2"}).read_i64("out_q"),
        shift)
        << setting;
}

TEST_F(Eval, RefusesUnknownOperatorsSettingsAndTensors) {
  const std::string input = write(softmax_);
  refuse("sofmax", input, {"did you mean 'softmax'?"});
  refuse("softmax", input, {"cuasal", "did you mean 'causal'?"}, {"cuasal=true"});
  refuse("softmax", input, {"causal", "'maybe'"}, {"causal=maybe"});
  refuse("softmax", input, {"scale", "above zero"}, {"scale=0"});
  refuse("softmax", input, {"scale", "above zero"}, {"scale=nan"});
  refuse("softmax", input, {"KEY=VALUE"}, {"causal"});
  refuse("softmax", input, {"twice"}, {"causal=true", "causal=true"});
  refuse("matmul", write({{"X", {2, 3}}, {"W", {3, 2}}}), {"input_bits", "1 to 8"},
         {"input_bits=9"});
  refuse("damf", write(damf_), {"rounding", "did you mean 'linear'?"}, {"rounding=lineer"});
  refuse("damf", write(attend_), {"'sigma'"}, {"sigma=keep", "mode=shift"});
  refuse("softmax", write({{"Q", {5, 8}}, {"K", {7, 8}}, {"V", {7, 3}}, {"Qs", {1}}}), {"'Qs'"});
}

TEST_F(Eval, RefusesWrongShapesAndValues) {
  refuse("softmax", write({{"Q", {5, 8}}, {"V", {7, 3}}}), {"in.safetensors", "'K'"});
  refuse("softmax", write({{"Q", {5, 8}}, {"K", {7, 9}}, {"V", {7, 3}}}), {"'K'", "[7,9]"});
  refuse("softmax", write({{"Q", {5, 8, 1}}, {"K", {7, 8}}, {"V", {7, 3}}}), {"'Q'"});
  refuse("softmax", write({{"Q", {0, 8}}, {"K", {7, 8}}, {"V", {7, 3}}}), {"'Q'"});
  refuse("softmax", folder_.file("absent.safetensors"), {"absent.safetensors"});
  refuse("softmax", folder_.write("short.safetensors", "abc"), {"short.safetensors"});
  SafetensorsWriter codes;
  codes.add_integers("X", Dtype::kI16, {1, 1}, {128});
  codes.add_integers("W", Dtype::kI8, {1, 1}, {1});
  codes.set_metadata("X.scale", "1");
  codes.write(folder_.file("codes.safetensors"));
  refuse("matmul", folder_.file("codes.safetensors"), {"'W.scale'"});
  codes.set_metadata("W.scale", "-1");
  codes.write(folder_.file("codes.safetensors"));
  refuse("matmul", folder_.file("codes.safetensors"), {"'W.scale'", "above zero"});
  codes.set_metadata("W.scale", "1");
  codes.write(folder_.file("codes.safetensors"));
  refuse("matmul", folder_.file("codes.safetensors"), {"'X'", "128", "[0,0]"});
}

TEST_F(Eval, RefusesNanAndInfinity) {
  // The writer refuses them, so the bytes are planted.
  std::string bytes = TemporaryFolder::read(write(softmax_));
  const std::string last_eight_of_nan("\x00\x00\x00\x00\x00\x00\xf8\x7f", 8);
  bytes.replace(bytes.size() - 8, 8, last_eight_of_nan);
  refuse("softmax", folder_.write("nan.safetensors", bytes), {"nan.safetensors", "'V'"});
  const std::string infinity("\x00\x00\x00\x00\x00\x00\xf0\x7f", 8);
  bytes.replace(bytes.size() - 8, 8, infinity);
  refuse("softmax", folder_.write("inf.safetensors", bytes), {"inf.safetensors", "'V'"});
}

TEST_F(Eval, RefusesScalesBeyondTheHardware) {
  SafetensorsWriter writer;
  writer.add_f64("Q", {1, 1}, {1e-20});
  writer.add_f64("K", {1, 1}, {1.0});
  writer.add_f64("V", {1, 1}, {1.0});
  writer.write(folder_.file("tiny.safetensors"));
  refuse("softmax", folder_.file("tiny.safetensors"), {"tensors 'Q' (up to 1e-20)", "2^"});
}

// Products of such numbers leave the range of double.
TEST_F(Eval, RefusesMagnitudesWhoseProductsOverflow) {
  for (const double huge : {1e-200, 1e155}) {
    SafetensorsWriter writer;
    writer.add_f64("X", {1, 1}, {1.0});
    writer.add_f64("WQ", {1, 1}, {huge});
    writer.add_f64("WK", {1, 1}, {1.0});
    writer.add_f64("WV", {1, 1}, {1.0});
    writer.write(folder_.file("huge.safetensors"));
    refuse("damf", folder_.file("huge.safetensors"), {"'WQ'", "magnitude"});
  }
}

TEST_F(Eval, OutputThatCannotBeWritten) {
  const std::string input = write(softmax_);
  std::vector<std::string> words = arguments("softmax", "fixed", input);
  words[7] = input + "/out.safetensors";
  expect_bad_input(words, {"out.safetensors"});
}

}  // namespace
}  // namespace quadrille::testbench
