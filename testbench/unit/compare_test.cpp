// Question: does a comparison find what differs and how far, and fail when it
// compared nothing?
#include "app/operators/compare.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "app/networks/operator.h"
#include "app/operators/tensor_source.h"
#include "app/simulation.h"

namespace quadrille::app {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

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

TEST(CodeDifferences, NameTensorIndexValuesAndExtent) {
  const OperatorResult golden = result_of("out", {1, 2, 3, 4, 5, 6});
  EXPECT_THAT(code_differences("a", golden, "b", golden), IsEmpty());
  EXPECT_THAT(code_differences("a", golden, "b", result_of("out", {1, 2, 3, 4, -5, 6})),
              ElementsAre("tensor 'out_q' [1,1]: a 5, b -5 (1 of 6 differs)"));
  EXPECT_THAT(code_differences("a", golden, "b", result_of("out", {1, 2, 3, 4, -5, 7})),
              ElementsAre("tensor 'out_q' [1,1]: a 5, b -5 (2 of 6 differ, none more)"));
  EXPECT_THAT(
      code_differences("a", golden, "b", result_of("out", {1, 3, 3, 9, 5, 8})),
      ElementsAre("tensor 'out_q' [0,1]: a 2, b 3 (3 of 6 differ, most at [1,0]: a 4, b 9)"));
  // The distance of the farthest two codes is none itself.
  constexpr std::int64_t kLeast = std::numeric_limits<std::int64_t>::min(),
                         kMost = std::numeric_limits<std::int64_t>::max();
  EXPECT_THAT(
      code_differences("a", result_of("out", {0, kLeast}), "b", result_of("out", {9, kMost})),
      ElementsAre(testing::HasSubstr("2 of 2 differ, most at [1,0]")));
}

TEST(CodeDifferences, EveryTensorThatDiffersIsNamed) {
  OperatorResult golden = result_of("out", {1, 2}), found = result_of("out", {1, 3});
  add_integer(golden, "weights", {2}, {5, 6});
  add_integer(found, "weights", {2}, {4, 6});
  EXPECT_THAT(code_differences("a", golden, "b", found), testing::SizeIs(2));
}

TEST(CodeDifferences, TensorsThatOnlyOneHas) {
  const OperatorResult golden = result_of("out", {1, 2});
  EXPECT_THAT(code_differences("a", golden, "b", result_of("weights", {1, 2})),
              ElementsAre("tensor 'out_q': missing in b", "tensor 'weights_q': missing in a"));
  EXPECT_THAT(code_differences("a", golden, "b", result_of("out", {1, 2, 3, 4})),
              ElementsAre(testing::HasSubstr("shape [2,1] in a, [2,2] in b")));
}

TEST(CodeDifferences, NothingComparedIsADifference) {
  EXPECT_THAT(code_differences("a", {}, "b", {}), ElementsAre("nothing to compare in a and b"));
  EXPECT_THAT(code_differences("a", result_of("out", {}), "b", result_of("out", {})),
              ElementsAre("nothing to compare in a and b"));
}

TEST(CodeDifferences, WhatPassesThroughIsNoEvidence) {
  OperatorResult given;
  add_integer(given, "s", {2}, {1, 2}, true);
  EXPECT_THAT(code_differences("a", given, "b", given),
              ElementsAre("nothing to compare in a and b"));
  OperatorResult stored;  // A golden read from a file carries no mark.
  add_integer(stored, "s", {2}, {1, 2});
  EXPECT_THAT(code_differences("golden", stored, "b", given),
              ElementsAre("nothing to compare in golden and b"));
  add_integer(given, "out", {1}, {7});
  add_integer(stored, "out", {1}, {7});
  EXPECT_EQ(compared_values(stored, given), 1u);
  EXPECT_EQ(compared_values(given, stored), 1u);
  EXPECT_THAT(code_differences("golden", stored, "b", given), IsEmpty());
  stored.integers["s"].codes[1] = 3;
  EXPECT_THAT(code_differences("golden", stored, "b", given),
              ElementsAre("tensor 's_q' [1]: golden 3, b 2 (1 of 2 differs)"));
}

TEST(ValueDifference, OnlyWhatIsFartherApartThanAllowed) {
  EXPECT_EQ(value_difference("out", {3}, "a", {1, 2, 3}, "b", {1.25, 2, 3}, 0.25), std::nullopt);
  EXPECT_EQ(
      value_difference("out", {3}, "a", {1, 2, 3}, "b", {1.25, 2.5, 4}, 0.25),
      "tensor 'out' [1]: a 2, b 2.5, expected at most 0.25 apart (2 of 3 differ, most at [2]: "
      "a 3, b 4)");
  const double none = std::numeric_limits<double>::quiet_NaN();
  EXPECT_NE(value_difference("out", {1}, "a", {1}, "b", {none}, 0.25), std::nullopt);
}

TEST(CodeDifferences, OnlyWhatDamfMakesIsCounted) {
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
