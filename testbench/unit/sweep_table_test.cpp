// Question: which points of a sweep are allowed, which are on the Pareto front, and how
// do they stand in the table?
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "app/sweep/table.h"
#include "model/errors.h"
#include "testbench/common/portable_random.h"

namespace quadrille::testbench {
namespace {

using app::Constraint;
using app::SweepResult;
using app::SweepSpec;
using app::SweepTable;
using testing::ElementsAre;
using testing::HasSubstr;

TEST(SweepConstraints, EveryRelationHoldsWhereItShould) {
  const auto holds = [](const std::string& text, double value) {
    const app::ParsedConstraint parsed = app::parse_constraint(text);
    EXPECT_EQ(parsed.expectation, "");
    EXPECT_EQ(parsed.constraint.total, "area_um2");
    return parsed.constraint.holds(value);
  };
  const std::pair<const char*, std::vector<bool>> cases[] = {
      {"area_um2 <= 2", {true, true, false}},     {"area_um2>=2e0", {false, true, true}},
      {" area_um2 < 2.0 ", {true, false, false}}, {"area_um2 >2", {false, false, true}},
      {"area_um2 == 2", {false, true, false}},    {"area_um2 != 2", {true, false, true}}};
  for (const auto& [text, expected] : cases) {
    SCOPED_TRACE(text);
    EXPECT_EQ((std::vector<bool>{holds(text, 1), holds(text, 2), holds(text, 3)}), expected);
  }
}

TEST(SweepConstraints, OtherTextIsNone) {
  for (const char* text : {"", "area_um2", "area_um2 =< 2", "area_um2 <= ", "<= 2", "area <= 2x",
                           "area_um2 <= nan", "a <= 1 <= 2", "area_um2 ! 2"})
    EXPECT_THAT(app::parse_constraint(text).expectation, HasSubstr("area_um2 <= 2e7")) << text;
}

// The definition itself, over every pair.
std::vector<bool> plain_front(const std::vector<std::vector<double>>& costs) {
  std::vector<bool> front;
  for (const auto& mine : costs) {
    bool beaten = false;
    for (const auto& other : costs) {
      bool everywhere = true;
      for (std::size_t i = 0; i < mine.size(); ++i) everywhere = everywhere && other[i] <= mine[i];
      beaten = beaten || (everywhere && other != mine);
    }
    front.push_back(!beaten);
  }
  return front;
}

TEST(SweepFront, IsTheDefinitionOnRandomPointsWithTies) {
  std::mt19937_64 random(5);
  for (int round = 0; round < 200; ++round) {
    const int objectives = pick(random, 1, 4);
    std::vector<std::vector<double>> costs(static_cast<std::size_t>(pick(random, 0, 40)));
    for (auto& cost : costs) {
      for (int i = 0; i < objectives; ++i) cost.push_back(pick(random, -3, 3));
    }
    EXPECT_EQ(app::pareto_front(costs), plain_front(costs));
  }
}

SweepSpec spec_of(const std::vector<std::string>& lanes) {
  SweepSpec spec;
  spec.path = "s.yaml";
  spec.workloads = {{"w", "w.yaml"}};
  spec.chips = {{"a,b", "a.yaml"}};
  spec.grid = {{"softmax.lanes", lanes}};
  return spec;
}

TEST(SweepTables, JudgeConstraintsBeforeTheFront) {
  SweepSpec spec = spec_of({"1", "2", "3", "4"});
  spec.constraints = {app::parse_constraint("area_um2 <= 10").constraint};
  spec.objectives = {app::parse_objective("cycles"), app::parse_objective("-tops")};
  const SweepTable table = app::judge(
      spec, {app::parse_result(R"({"point":0,"totals":{"cycles":1,"tops":9,"area_um2":11}})"),
             app::parse_result(R"({"point":1,"totals":{"cycles":5,"tops":2,"area_um2":10}})"),
             app::parse_result(R"({"point":2,"failed":"input","message":"no \"room\", none"})"),
             app::parse_result(R"({"point":3,"totals":{"cycles":5,"tops":3,"area_um2":1.5}})")});
  EXPECT_THAT(table.feasible, ElementsAre(false, true, false, true));
  EXPECT_THAT(table.pareto, ElementsAre(false, false, false, true));
  EXPECT_EQ(table.failures(), 1);
  EXPECT_EQ(
      app::points_csv(spec, table),
      "point,workload,chip,softmax.lanes,status,feasible,pareto,message,cycles,tops,area_um2\n"
      "0,w,\"a,b\",1,ok,false,false,,1,9,11\n"
      "1,w,\"a,b\",2,ok,true,false,,5,2,10\n"
      "2,w,\"a,b\",3,failed,false,false,\"no \"\"room\"\", none\",,,\n"
      "3,w,\"a,b\",4,ok,true,true,,5,3,1.5\n");
}

TEST(SweepTables, PointsMayHaveTotalsOfTheirOwn) {
  const SweepSpec spec = spec_of({"1", "2"});
  const SweepTable table =
      app::judge(spec, {app::parse_result(R"({"point":0,"totals":{"a":1,"b":0.1}})"),
                        app::parse_result(R"({"point":1,"totals":{"c":3,"a":2}})")});
  EXPECT_THAT(app::points_csv(spec, table), HasSubstr("message,a,b,c\n0,w,\"a,b\",1,ok,true,false,"
                                                      ",1,0.1,\n"));
  EXPECT_THAT(table.pareto, ElementsAre(false, false));
}

TEST(SweepTables, NamesOfNoTotalAreRefused) {
  SweepSpec spec = spec_of({"1"});
  const SweepResult result =
      app::parse_result(R"({"point":0,"totals":{"cycles":1,"energy_pj.total":2}})");
  const auto refusal = [&] {
    try {
      app::require_totals(spec, result);
    } catch (const InputError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  spec.objectives = {app::parse_objective("-cycles")};
  EXPECT_EQ(refusal(), "");
  spec.objectives = {app::parse_objective("energy_pj.totl")};
  EXPECT_THAT(refusal(), testing::AllOf(HasSubstr("s.yaml: objectives"),
                                        HasSubstr("did you mean 'energy_pj.total'?")));
  spec.objectives = {app::parse_objective("error.max_abs")};
  EXPECT_THAT(refusal(), HasSubstr("data: true"));
  spec.objectives = {};
  spec.constraints = {app::parse_constraint("aera <= 1").constraint};
  EXPECT_THAT(refusal(), HasSubstr("s.yaml: constraints"));
}

}  // namespace
}  // namespace quadrille::testbench
