// Question: does a comparison find the first difference, and fail when it
// compared nothing?
#include "app/operators/compare.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/networks/operator.h"
#include "app/operators/tensor_source.h"
#include "app/simulation.h"

namespace quadrille::app {
namespace {

void add_integer(OperatorResult& result, const std::string& name, const Shape& shape,
                 std::vector<std::int64_t> codes, bool passes_through = false) {
  result.integers[name] = {shape, std::move(codes), 0.5, {}, passes_through};
}

OperatorResult result_of(const std::string& name, std::vector<std::int64_t> codes) {
  OperatorResult result;
  const auto columns = static_cast<std::int64_t>(codes.size()) / 2;
  add_integer(result, name, {2, columns}, std::move(codes));
  return result;
}

TEST(FirstDifference, NamesTensorIndexAndValues) {
  const OperatorResult golden = result_of("out", {1, 2, 3, 4, 5, 6});
  EXPECT_EQ(first_difference("a", golden, "b", golden), std::nullopt);
  EXPECT_EQ(first_difference("a", golden, "b", result_of("out", {1, 2, 3, 4, -5, 7})),
            "tensor 'out_q' [1,1]: a 5, b -5");
}

TEST(FirstDifference, TensorsThatOnlyOneHas) {
  const OperatorResult golden = result_of("out", {1, 2});
  EXPECT_EQ(first_difference("a", golden, "b", result_of("weights", {1, 2})),
            "tensor 'out_q': missing in b");
  OperatorResult more = golden;
  add_integer(more, "weights", {1}, {1});
  EXPECT_EQ(first_difference("a", golden, "b", more), "tensor 'weights_q': missing in a");
  EXPECT_THAT(first_difference("a", golden, "b", result_of("out", {1, 2, 3, 4})).value_or(""),
              testing::HasSubstr("shape [2,1] in a, [2,2] in b"));
}

TEST(FirstDifference, NothingComparedIsADifference) {
  EXPECT_EQ(first_difference("a", {}, "b", {}), "nothing to compare in a and b");
  EXPECT_EQ(first_difference("a", result_of("out", {}), "b", result_of("out", {})),
            "nothing to compare in a and b");
}

TEST(FirstDifference, WhatPassesThroughIsNoEvidence) {
  OperatorResult given;
  add_integer(given, "s", {2}, {1, 2}, true);
  EXPECT_EQ(first_difference("a", given, "b", given), "nothing to compare in a and b");
  OperatorResult stored;  // A golden read from a file carries no mark.
  add_integer(stored, "s", {2}, {1, 2});
  EXPECT_EQ(first_difference("golden", stored, "b", given), "nothing to compare in golden and b");
  add_integer(given, "out", {1}, {7});
  add_integer(stored, "out", {1}, {7});
  EXPECT_EQ(compared_values(stored, given), 1u);
  EXPECT_EQ(compared_values(given, stored), 1u);
  EXPECT_EQ(first_difference("golden", stored, "b", given), std::nullopt);
  stored.integers["s"].codes[1] = 3;
  EXPECT_EQ(first_difference("golden", stored, "b", given), "tensor 's_q' [1]: golden 3, b 2");
}

TEST(FirstDifference, OnlyWhatDamfMakesIsCounted) {
  const auto values_of = [](std::map<std::string, Shape> shapes) {
    const ShapedTensors tensors("test", std::move(shapes), ShapedTensors::random(1, 1.0));
    Simulation simulation(operator_task("damf", tensors, Settings("test", {})), {});
    const OperatorResult fixed =
        integer_result(simulation.task(), simulation.quantised(), simulation.fixed().tensors);
    return compared_values(fixed, fixed);
  };
  EXPECT_EQ(values_of({{"s", {5}}, {"t", {5}}, {"V", {5, 3}}}), 15u);
  // s and t are products that the chip makes; u and v come from the operator.
  EXPECT_EQ(values_of({{"X", {5, 4}}, {"WQ", {4, 3}}, {"WK", {4, 3}}, {"WV", {4, 3}}}),
            5u * 3u + 5u + 5u);
}

TEST(ErrorFigures, InDecibelsAndLargestError) {
  const ErrorFigures figures = error_figures({3.0, -4.0}, {3.0, -4.5});
  ASSERT_TRUE(figures.sqnr_db.has_value());
  EXPECT_DOUBLE_EQ(*figures.sqnr_db, 20.0);  // 25 / 0.25
  EXPECT_DOUBLE_EQ(figures.max_abs, 0.5);
  EXPECT_FALSE(error_figures({1.0}, {1.0}).sqnr_db.has_value());
}

}  // namespace
}  // namespace quadrille::app
