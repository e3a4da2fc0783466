// Question: does each of the documents' experiments write what it promises, and do
// its figures agree with each other and with what can be computed beside them?
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cctype>
#include <cmath>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "app/config/chip_file.h"
#include "app/config/technology_file.h"
#include "app/experiments/heat_flow.h"
#include "app/experiments/scaleformer_scaling.h"
#include "app/files/safetensors.h"
#include "app/networks/operator.h"
#include "app/operators/tensor_source.h"
#include "app/report/report_files.h"
#include "app/simulation.h"
#include "model/errors.h"
#include "testbench/common/expect_bad_input.h"
#include "testbench/common/source_tree.h"

namespace quadrille::testbench {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

const char* const kHeatFlow =
    "name: tiny\n"
    "kind: heat-flow\n"
    "epsilon: 0.1\n"
    "end_time: 0.5\n"
    "updates: 8\n"
    "particles: 40\n"
    "epsilons: [0.25]\n"
    "integer:\n"
    "  particles: 20\n"
    "  position_fraction_bits: 12\n"
    "  logit_fraction_bits: 10\n"
    "word_lengths:\n"
    "  least_fraction_bits: 2\n"
    "  largest_fraction_bits: 10\n";

const char* const kGeometry =
    "name: tiny\n"
    "kind: sinkformer-geometry\n"
    "tokens: 24\n"
    "seed: 3\n"
    "time_step: 0.02\n"
    "map_steps: 100\n";

const char* const kScaling =
    "name: tiny\n"
    "kind: scaleformer-scaling\n"
    "width: 16\n"
    "value_width: 16\n"
    "horizon: 4\n"
    "crossover_least_log2: 2\n"
    "least_log2: 4\n"
    "largest_log2: 10\n"
    "fitted_doublings: 4\n"
    "enlarged:\n"
    "  scratchpad_kib: 8192\n"
    "  macros: 512\n"
    "  max_keys: 1024\n"
    "areas:\n"
    "  linear_lanes: [2, 4]\n"
    "  cim_macros: [16]\n";

const char* const kDamf =
    "name: tiny\n"
    "kind: damf-comparison\n"
    "tokens: 24\n"
    "head_width: 8\n"
    "causal: false\n"
    "seed: 5\n";

const char* const kLengths =
    "name: tiny\n"
    "kind: mechanism-lengths\n"
    "tokens: [8, 24, 3000]\n"
    "layers:\n"
    "  - {title: soft, workload: smoke-softmax}\n"
    "  - {title: \"shift, causal\", workload: smoke-damf, set: {damf.mode: shift, causal: true}}\n";

/// Rows of a CSV file by column name. No field of these has a comma but the last.
std::vector<std::map<std::string, std::string>> rows_of(const std::string& csv) {
  std::istringstream lines(csv);
  std::string line;
  std::getline(lines, line);
  const auto fields = [](const std::string& text, std::size_t most) {
    std::vector<std::string> result;
    std::size_t at = 0;
    while (result.size() + 1 < most && text.find(',', at) != std::string::npos) {
      const std::size_t comma = text.find(',', at);
      result.push_back(text.substr(at, comma - at));
      at = comma + 1;
    }
    result.push_back(text.substr(at));
    return result;
  };
  const std::vector<std::string> names = fields(line, 1000);
  std::vector<std::map<std::string, std::string>> rows;
  while (std::getline(lines, line)) {
    const std::vector<std::string> values = fields(line, names.size());
    EXPECT_EQ(values.size(), names.size()) << line;
    rows.emplace_back();
    for (std::size_t i = 0; i < names.size(); ++i) rows.back()[names[i]] = values[i];
  }
  return rows;
}

class Experiments : public testing::Test {
 protected:
  std::string out(const std::string& name = "out") const { return folder_.file(name); }

  ProgramRun run(const std::string& text, const std::vector<std::string>& more = {},
                 const std::string& folder = "out", const std::string& chip = "small") {
    std::vector<std::string> arguments = {
        "run", "-w", folder_.write("workload.yaml", text), "-c", chip, "-o", out(folder)};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_program(arguments);
  }

  json figures(const std::string& text, const std::vector<std::string>& more = {}) {
    const ProgramRun made = run(text, more);
    EXPECT_EQ(made.exit_code, 0) << made.err;
    EXPECT_EQ(made.err, "");
    const json summary = json::parse(file("summary.json"));
    EXPECT_EQ(summary.at("experiment_schema_version"), 1);
    // The other summaries' contract is not this one's.
    EXPECT_FALSE(summary.contains("schema_version"));
    EXPECT_THAT(text, HasSubstr("kind: " + summary.at("kind").get<std::string>()));
    EXPECT_EQ(summary.at("workload"), "tiny");
    EXPECT_EQ(summary.at("chip"), "small");
    EXPECT_EQ(summary.at("inputs").size(), 3U);
    return summary.at("figures");
  }

  std::string file(const std::string& name) const {
    return TemporaryFolder::read(out() + "/" + name);
  }

  std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(out()))
      names.push_back(entry.path().filename().string());
    return names;
  }

  /// Exit code 2, one line with `parts`, and no output folder.
  void refuse(const std::string& text, const std::vector<std::string>& parts,
              const std::vector<std::string>& more = {}, const std::string& chip = "small") {
    std::vector<std::string> arguments = {
        "run", "-w", folder_.write("workload.yaml", text), "-c", chip, "-o", out("refused")};
    arguments.insert(arguments.end(), more.begin(), more.end());
    expect_bad_input(arguments, parts);
    EXPECT_FALSE(fs::exists(out("refused")));
  }

  static std::string replaced(std::string text, const std::string& from, const std::string& to) {
    const std::size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return text.replace(at, from.size(), to);
  }

  TemporaryFolder folder_;
};

TEST_F(Experiments, HeatFlowRunsTheSameTrajectoryOnTheChip) {
  const json found = figures(kHeatFlow);
  EXPECT_THAT(files(), UnorderedElementsAre("summary.json", "heat_flow.csv", "budgets.csv",
                                            "word_lengths.csv", "heat_flow.svg", "epsilons.svg",
                                            "word_lengths.svg"));
  model::HeatFlowSettings exact;
  exact.particles = 40;
  exact.epsilon = 0.1;
  exact.end_time = 0.5;
  exact.half_steps = 8;
  EXPECT_DOUBLE_EQ(found.at("float").at("w2"), model::heat_flow_float(exact).steps.back().w2);
  EXPECT_EQ(found.at("fixed").at("w2"), found.at("systemc").at("w2"));
  EXPECT_EQ(found.at("fixed").at("saturated_last_step"),
            found.at("systemc").at("saturated_last_step"));
  std::map<std::string, std::vector<std::map<std::string, std::string>>> levels;
  for (const auto& row : rows_of(file("heat_flow.csv"))) {
    if (row.at("particles") == "20") {
      levels[row.at("level")].push_back(row);
    }
  }
  ASSERT_EQ(levels["fixed"].size(), 5U);
  ASSERT_EQ(levels["systemc"].size(), 5U);
  for (std::size_t k = 0; k < 5; ++k) {
    for (const char* column : {"time", "w2", "residual", "saturated"})
      EXPECT_EQ(levels["fixed"][k].at(column), levels["systemc"][k].at(column)) << column;
    EXPECT_GT(std::stol(levels["systemc"][k].at("cycles")), 0);
    // K times one column of V.
    EXPECT_EQ(levels["systemc"][k].at("macs_dynamic"), "400");
    EXPECT_GT(std::stod(levels["systemc"][k].at("energy_dynamic_pj")), 0.0);
  }
}

TEST_F(Experiments, HeatFlowStudiesWordLengths) {
  const json found = figures(kHeatFlow);
  // eps/2 |score| = 0.05 |score| rounds to nothing on a grid of 2^-2 up to
  // |score| = 2.5; at 10 bits only a score below 0.01 does.
  for (const json& row : found.at("word_lengths")) {
    const int bits = row.at("fraction_bits");
    if (bits == 2 || bits == 10) {
      EXPECT_EQ(row.at("stalls"), bits == 2);
    }
  }
  EXPECT_EQ(found.at("word_lengths").size(), 2U * 9U);
}

// 0.5 is no multiple of 0.3: two steps end at 0.6, and so does the exact flow
// that they are compared with.
TEST_F(Experiments, HeatFlowReportsTheTimeItReached) {
  const json found = figures(replaced(kHeatFlow, "[0.25]", "[0.3]"));
  model::HeatFlowSettings settings;
  settings.particles = 40;
  settings.epsilon = 0.3;
  settings.end_time = 0.5;
  settings.half_steps = 8;
  const double distance =
      model::distance_to_heat_flow(model::heat_flow_float(settings).particles, 0.6);
  EXPECT_DOUBLE_EQ(found.at("epsilons").at(0).at("w2"), distance);
  EXPECT_GT(std::fabs(distance - model::distance_to_heat_flow(
                                     model::heat_flow_float(settings).particles, 0.5)),
            1e-3);
  std::vector<std::string> levels;
  for (const auto& row : rows_of(file("budgets.csv"))) {
    if (row.at("study") != "epsilon") continue;
    levels.push_back(row.at("level") + row.at("particles"));
    EXPECT_EQ(row.at("time_reached"), "0.6");
  }
  EXPECT_EQ(levels, (std::vector<std::string>{"float40", "float20", "fixed20"}));
  for (const json& run : found.at("epsilons")) EXPECT_DOUBLE_EQ(run.at("time_reached"), 0.6);
}

// The integer level tells step sizes apart as float with its particles does: the
// scores' grid and the unit's K are finer than what a step size changes.
TEST_F(Experiments, HeatFlowStudiesStepSizesAtTheIntegerLevel) {
  const json found = figures(replaced(kHeatFlow, "[0.25]", "[0.5, 0.25, 0.1]"));
  ASSERT_EQ(found.at("epsilons").size(), 9U);
  for (std::size_t i = 0; i < 9; i += 3) {
    const json& exact = found.at("epsilons").at(i + 1);
    const json& fixed = found.at("epsilons").at(i + 2);
    EXPECT_EQ(exact.at("level"), "float");
    EXPECT_EQ(fixed.at("level"), "fixed");
    EXPECT_EQ(exact.at("particles"), fixed.at("particles"));
    EXPECT_NEAR(fixed.at("w2").get<double>(), exact.at("w2").get<double>(), 0.01);
  }
  EXPECT_EQ(found.at("epsilons").at(8).at("w2"), found.at("fixed").at("w2"));
  EXPECT_THAT(file("epsilons.svg"), HasSubstr("fixed, n = 20"));
}

TEST_F(Experiments, HeatFlowsGoalStandsForItsOwnConditionsOnly) {
  EXPECT_TRUE(figures(kHeatFlow).at("converged").at("goal_met").is_null());
  model::HeatFlowSettings settings;
  settings.particles = 1000;
  settings.epsilon = 0.01;
  model::HeatFlow flow;
  flow.steps.resize(2);
  flow.steps[0].residual = 1e-6;
  flow.steps[1].time = 100 * 0.01;
  flow.steps[1].w2 = 0.012;
  EXPECT_EQ(app::heat_flow_goal_met(settings, flow), true);
  const auto changed = [&](auto change) {
    model::HeatFlowSettings other = settings;
    model::HeatFlow other_flow = flow;
    change(other, other_flow);
    return app::heat_flow_goal_met(other, other_flow);
  };
  using Settings = model::HeatFlowSettings;
  using Flow = model::HeatFlow;
  EXPECT_EQ(changed([](Settings&, Flow& f) { f.steps[1].w2 = 0.0121; }), false);
  EXPECT_EQ(changed([](Settings&, Flow& f) { f.steps[0].residual = 1.1e-6; }), false);
  EXPECT_EQ(changed([](Settings& s, Flow&) { s.particles = 999; }), std::nullopt);
  EXPECT_EQ(changed([](Settings& s, Flow&) { s.epsilon = 0.02; }), std::nullopt);
  EXPECT_EQ(changed([](Settings&, Flow& f) { f.steps[1].time = 0.99; }), std::nullopt);
}

// Totals over the runs on the chip, under the names of the other summaries.
TEST_F(Experiments, SummariesTotalTheRunsOnTheChip) {
  const std::string scaling = std::string(kScaling).substr(0, std::string(kScaling).find("areas"));
  for (const auto& [text, table] : {std::pair<std::string, std::string>{kHeatFlow, "heat_flow.csv"},
                                    {scaling, "scaling.csv"},
                                    {kDamf, "damf.csv"}}) {
    SCOPED_TRACE(table);
    figures(text);
    const json summary = json::parse(file("summary.json"));
    std::map<std::string, double> sums;
    for (const auto& row : rows_of(file(table))) {
      for (const auto& [column, value] : row) {
        // Rows of other levels have no costs.
        if (!row.at("cycles").empty() && column != "reason" && !value.empty() &&
            (std::isdigit(value[0]) != 0)) {
          sums[column] += std::stod(value);
        }
      }
    }
    EXPECT_GT(sums["cycles"], 0.0);
    EXPECT_EQ(summary.at("cycles"), sums["cycles"]);
    for (const char* which : {"static", "dynamic", "wasted"})
      EXPECT_EQ(summary.at("macs").at(which), sums[std::string("macs_") + which]);
    for (const char* level : {"dram", "sram"}) {
      for (const char* way : {"read_bytes", "write_bytes"})
        EXPECT_EQ(summary.at("memory").at(level).at(way), sums[std::string(level) + "_" + way]);
    }
    EXPECT_EQ(summary.at("memory").at("cim").at("write_bytes"), sums["cim_write_bytes"]);
    const json& energy = summary.at("energy_pj");
    for (const char* part : {"dynamic", "static"}) {
      const double sum = sums[std::string("energy_") + part + "_pj"];
      EXPECT_NEAR(energy.at(part).get<double>(), sum, 1e-9 * sum);
    }
    EXPECT_DOUBLE_EQ(energy.at("total"),
                     energy.at("dynamic").get<double>() + energy.at("static").get<double>());
    EXPECT_EQ(summary.at("clock_hz"), 500e6);
    EXPECT_GT(summary.at("area_um2"), 0.0);
  }
  figures(kGeometry);
  const json without = json::parse(file("summary.json"));
  for (const char* key : {"cycles", "clock_hz", "macs", "memory", "energy_pj", "area_um2"})
    EXPECT_FALSE(without.contains(key)) << key;
}

// A folder holds one report: what another kind or other settings left goes.
TEST_F(Experiments, AReportLeavesNoFilesOfAnother) {
  const std::string layer =
      "name: tiny\nkind: operator\noperator: matmul\nshapes: {X: [2, 3], W: [3, 2]}\n";
  const std::string no_areas = std::string(kScaling).substr(0, std::string(kScaling).find("areas"));
  std::vector<std::string> all;
  for (const std::string& text :
       {std::string(kHeatFlow), std::string(kGeometry), std::string(kScaling), no_areas,
        std::string(kDamf), layer, std::string(kDamf)}) {
    fs::remove_all(out("fresh"));
    ASSERT_EQ(run(text, {}, "fresh").exit_code, 0);
    ASSERT_EQ(run(text).exit_code, 0);
    std::vector<std::string> wanted;
    for (const auto& entry : fs::directory_iterator(out("fresh")))
      wanted.push_back(entry.path().filename().string());
    EXPECT_THAT(files(), testing::UnorderedElementsAreArray(wanted));
  }
  // A run that fails leaves the other report as it was.
  const std::vector<std::string> before = files();
  EXPECT_EQ(run(kHeatFlow, {"--no-data"}).exit_code, 2);
  EXPECT_THAT(files(), testing::UnorderedElementsAreArray(before));
}

TEST_F(Experiments, AReportHasListedFilesOnly) {
  app::OutputFolder output(out(), app::report_file_names());
  EXPECT_THROW(app::commit_report(output, {{"new.csv", ""}, {"summary.json", ""}}), InvariantError);
}

TEST_F(Experiments, HeatFlowNeedsNoBudgets) {
  const json found = figures(std::string(kHeatFlow) + "budgets: false\n");
  EXPECT_FALSE(found.contains("converged"));
  EXPECT_THAT(file("budgets.csv"), testing::Not(HasSubstr("cold")));
}

TEST_F(Experiments, ADifferenceIsReportedNotHidden) {
  app::HeatFlowPlan plan;
  app::HeatFlowResults results;
  const model::IntegerHeatFlowSettings settings = [] {
    model::IntegerHeatFlowSettings made;
    made.particles = 8;
    made.epsilon = made.end_time = 0.5;
    return made;
  }();
  plan.integer = settings;
  model::HeatFlowSettings exact;
  exact.particles = 8;
  exact.epsilon = exact.end_time = 0.5;
  results.exact = results.exact_small = model::heat_flow_float(exact);
  results.fixed = model::heat_flow_integer(settings, model::fixed_heat_flow_unit(settings));
  results.systemc = results.fixed;
  results.costs.resize(results.fixed.steps.size());
  EXPECT_FALSE(app::heat_flow_report(plan, results, "").difference);
  const app::ExperimentReport report = app::heat_flow_report(plan, results, "step 1, f[0]");
  EXPECT_EQ(report.difference, "step 1, f[0]");
  EXPECT_THAT(report.text, testing::Not(HasSubstr("equals fixed")));
}

TEST_F(Experiments, GeometryHoldsTheTableWhereItIsATheorem) {
  const json found = figures(kGeometry);
  EXPECT_THAT(files(), UnorderedElementsAre("summary.json", "geometry.csv", "positions.csv",
                                            "geometry_identity.svg", "geometry_hyperplanes.svg",
                                            "geometry_paranormal.svg", "geometry_negative.svg"));
  EXPECT_EQ(found.at("rows").size(), 4U);
  for (const auto& [name, row] : found.at("rows").items())
    EXPECT_TRUE(row.at("rescaled_softmax_claim_holds")) << name;
  EXPECT_EQ(found.at("rows").at("identity").at("fixed_epsilon_map").at("consensus"), "everywhere");
  EXPECT_EQ(rows_of(file("positions.csv")).size(), 24U * (2 + 3 + 3 + 2));
  // All 64 bits of a seed count.
  const json few_bits = figures(kGeometry, {"--seed", "5"}).at("rows");
  EXPECT_NE(few_bits, found.at("rows"));
  EXPECT_NE(figures(kGeometry, {"--seed", "4294967301"}).at("rows"), few_bits);
  EXPECT_NE(figures(replaced(kGeometry, "seed: 3", "seed: 4294967301")).at("rows"), few_bits);
}

TEST_F(Experiments, GeometrySaysTheSameInTableConsoleAndSummary) {
  const ProgramRun made = run(kGeometry);
  ASSERT_EQ(made.exit_code, 0) << made.err;
  const json rows = json::parse(file("summary.json")).at("figures").at("rows");
  int compared = 0;
  for (const auto& csv : rows_of(file("geometry.csv"))) {
    const std::string& system = csv.at("system");
    const json& row = rows.at(csv.at("row"));
    const bool holds = row.at(system + "_claim_holds");
    EXPECT_EQ(csv.at("claim_holds"), holds ? "true" : "false");
    EXPECT_EQ(row.at(system).at("consensus"), csv.at("consensus"));
    if (system != "fixed_epsilon_map") continue;
    ++compared;
    EXPECT_FALSE(holds && csv.at("consensus") != "none") << "agreement is no geometry";
    const std::size_t at = made.out.find("\n  " + csv.at("row") + " ");
    ASSERT_NE(at, std::string::npos);
    const std::string line = made.out.substr(at + 1, made.out.find('\n', at + 1) - at - 1);
    EXPECT_THAT(line.substr(line.rfind('|')), HasSubstr(holds ? " yes  " : " no  "));
    EXPECT_THAT(
        line,
        HasSubstr(csv.at("consensus") == "none" ? "spreads" : "consensus " + csv.at("consensus")));
  }
  EXPECT_EQ(compared, 4);
}

TEST_F(Experiments, ScalingMeasuresFitsAndRecordsRefusals) {
  const json found = figures(kScaling);
  EXPECT_THAT(files(),
              UnorderedElementsAre("summary.json", "scaling.csv", "cycles.svg", "energy.svg",
                                   "traffic.svg", "crossover.csv", "crossover.svg"));
  std::map<std::string, std::map<int, double>> cycles;
  int refused = 0;
  for (const auto& row : rows_of(file("scaling.csv"))) {
    if (row.at("ran") == "true") {
      cycles[row.at("variant")][std::stoi(row.at("tokens"))] = std::stod(row.at("cycles"));
      // K and V are written once where there is room for all of them; causal parts of the
      // queries may have a V of their own, of the keys that they see.
      const int once = std::stoi(row.at("tokens")) * (16 + 16);
      if (row.at("variant") == "softmax_enlarged") {
        EXPECT_EQ(std::stoi(row.at("cim_write_bytes")), once);
      } else if (row.at("variant") == "softmax_enlarged_causal") {
        EXPECT_GE(std::stoi(row.at("cim_write_bytes")), once);
      }
    } else {
      ++refused;
      EXPECT_THAT(row.at("reason"),
                  HasSubstr("small: softmax.max_keys: node softmax: expected at least"));
    }
  }
  EXPECT_GT(refused, 0);
  ASSERT_EQ(cycles.size(), 8U);
  for (const auto& [variant, at] : cycles) {
    if (variant == "softmax" || variant == "softmax_causal") {
      EXPECT_TRUE(found.at("variants").at(variant).at("cycles_slope").is_null());
      continue;
    }
    ASSERT_EQ(at.size(), 9U);
    // Five points with equal steps: the slope is a weighted mean of differences.
    const double slope =
        (2.0 * std::log2(at.at(1024) / at.at(64)) + std::log2(at.at(512) / at.at(128))) / 10.0;
    EXPECT_NEAR(found.at("variants").at(variant).at("cycles_slope"), slope, 1e-9) << variant;
  }
  // Masked by the same mask, linear wins from the first length where it is faster.
  for (const auto& [name, slow, fast] :
       {std::tuple{"crossover", "softmax", "linear"},
        std::tuple{"causal_crossover", "softmax_causal", "linear_causal"}}) {
    int first = 0;
    for (const auto& [tokens, value] : cycles[slow]) {
      if (first == 0 && cycles[fast][tokens] <= value) {
        first = tokens;
      }
    }
    const json crossover = found.at(name).at("tokens");
    if (first == 0) {
      EXPECT_TRUE(crossover.is_null());
      continue;
    }
    EXPECT_LE(crossover.get<double>(), first);
    EXPECT_GE(crossover.get<double>(),
              found.at(name).at("faster_from_the_start") ? first : first / 2);
  }
  EXPECT_EQ(rows_of(file("crossover.csv")).size(), 2U);
}

// A row of A' V is one 32-bit sum: 255 x 128 x 65793 < 2^31, and one key more is not.
TEST_F(Experiments, KeysThatNoSumHoldsAreRefused) {
  static_assert(255LL * 128 * 65793 < (1LL << 31) && 255LL * 128 * 65794 >= (1LL << 31));
  const hw::ChipConfig chip = hw::ChipConfig().with([](hw::ChipValues& values) {
    values.scratchpad.capacity_bytes = 64 << 20;
    values.cim.macros = 5120;
    values.softmax.max_keys = 1 << 17;
  });
  const auto lowered = [&](std::int64_t keys) {
    const app::ShapedTensors shapes("test", {{"Q", {1, 64}}, {"K", {keys, 64}}, {"V", {keys, 64}}});
    app::OperatorOptions options;
    options.result_only = true;
    app::Simulation(app::operator_task("softmax", shapes, {"test", {}}, options), chip)
        .require_room();
  };
  EXPECT_NO_THROW(lowered(65793));
  EXPECT_THROW(lowered(65794), InputError);
}

TEST_F(Experiments, CrossoverInterpolatesInLogarithms) {
  const auto curve = [](const std::vector<std::int64_t>& cycles) {
    app::ScalingCurve made;
    for (std::size_t i = 0; i < cycles.size(); ++i) {
      app::ScalingPoint point;
      point.tokens = std::int64_t{8} << i;
      if (cycles[i] > 0) {
        point.cost.emplace();
        point.cost->cycles = cycles[i];
      }
      made.points.push_back(point);
    }
    return made;
  };
  // Quadratic 4^i over linear 2^i * 8: equal at i = 3, and half way at i = 2.5.
  EXPECT_DOUBLE_EQ(*app::crossover_of(curve({1, 4, 16, 64}), curve({8, 16, 32, 64})).tokens, 64.0);
  EXPECT_DOUBLE_EQ(*app::crossover_of(curve({1, 4, 16, 64}), curve({4, 8, 32, 32})).tokens,
                   8.0 * std::exp2(2.5));
  EXPECT_TRUE(app::crossover_of(curve({9, 99}), curve({8, 16})).from_the_start);
  // There is no crossover, and it says why: the chip refuses a path, or the
  // lengths end.
  const app::Crossover refused = app::crossover_of(curve({1, 4, 0, 0}), curve({8, 16, 32, 64}));
  EXPECT_FALSE(refused.tokens);
  EXPECT_EQ(refused.refused_from, 32);
  EXPECT_FALSE(refused.not_up_to);
  const app::Crossover later = app::crossover_of(curve({1, 4, 16}), curve({8, 16, 32}));
  EXPECT_FALSE(later.tokens);
  EXPECT_FALSE(later.refused_from);
  EXPECT_EQ(later.not_up_to, 32);
  // Slopes between neighbours only.
  const app::ScalingCurve steep = curve({1, 4, 0, 64, 128});
  EXPECT_FALSE(app::local_slope(steep, 0));
  EXPECT_DOUBLE_EQ(*app::local_slope(steep, 1), 2.0);
  EXPECT_FALSE(app::local_slope(steep, 2));
  EXPECT_FALSE(app::local_slope(steep, 3));
  EXPECT_DOUBLE_EQ(*app::local_slope(steep, 4), 1.0);
}

TEST_F(Experiments, TheCrossoversGoalHasAConditionOnThePeakMacs) {
  app::ScalingPlan plan;
  app::ExperimentSetup setup;
  setup.technology = app::read_technology_file(source_path("technology/cmos28.yaml"));
  app::ScalingResults results;
  for (const char* name : {"softmax", "softmax_causal", "linear", "linear_causal"}) {
    app::ScalingCurve curve;
    curve.variant.name = curve.variant.title = name;
    curve.variant.linear = name[0] == 'l';
    curve.points.resize(1);
    curve.points[0].tokens = 64;
    curve.points[0].cost.emplace();
    curve.points[0].cost->cycles = curve.variant.linear ? 1 : 2;
    results.curves.push_back(curve);
  }
  for (const bool fair : {true, false}) {
    // 2 x 2 x (2 + 1 + 1) = 16 against 2 x 8 x 16 / 8 = 32; or 20 against 16.
    setup.chip = setup.chip.with([&](hw::ChipValues& chip) {
      chip.cim.rows = 8;
      chip.cim.columns = 16;
      chip.cim.input_bits = 8;
      chip.cim.macros = fair ? 2 : 1;
      chip.linear = {2, 128, fair ? 1 : 2, 0};
    });
    app::AreaPoint area;
    area.linear_um2 = area.cim_um2 = 1.0;
    area.peak = app::peak_macs(setup.chip);
    EXPECT_EQ(area.peak.linear, fair ? 16.0 : 20.0);
    EXPECT_EQ(area.peak.cim, fair ? 32.0 : 16.0);
    area.crossover.tokens = 64.0;
    area.causal_crossover.refused_from = 128;
    results.areas = {area};
    const app::ExperimentReport report = app::scaling_report(plan, results, setup);
    EXPECT_EQ(report.figures.at("crossover").at("goal_met"), fair);
    EXPECT_EQ(report.figures.at("crossover").at("linear_peak_macs_at_most_cim"), fair);
    EXPECT_THAT(report.text, HasSubstr(fair ? "goal met" : "goal not met"));
    EXPECT_THAT(report.text, HasSubstr("refused from 128"));
    for (const auto& [name, content] : report.files) {
      if (name == "crossover.svg") {
        EXPECT_EQ(content.find("more peak MACs") == std::string::npos, fair);
      }
      if (name == "crossover.csv") {
        EXPECT_THAT(content, HasSubstr(fair ? ",16,32,true,64.00," : ",20,16,false,64.00,"));
      }
    }
  }
}

TEST_F(Experiments, FittedLineIsTheLeastSquaresLine) {
  const app::Line line = app::fitted_line({0, 1, 2, 3}, {1, 3, 5, 7});
  EXPECT_DOUBLE_EQ(line.slope, 2.0);
  EXPECT_DOUBLE_EQ(line.intercept, 1.0);
  // Worked out by hand: mean 1 and 4/3, slope ((-1)(-4/3) + 1 (8/3)) / 2 = 2.
  const app::Line other = app::fitted_line({0, 1, 2}, {0, 0, 4});
  EXPECT_DOUBLE_EQ(other.slope, 2.0);
  EXPECT_NEAR(other.intercept, -2.0 / 3.0, 1e-15);
}

TEST_F(Experiments, DamfCountsWhatEachWayMustDo) {
  for (const bool causal : {false, true}) {
    const json found = figures(causal ? replaced(kDamf, "causal: false", "causal: true") : kDamf);
    EXPECT_THAT(files(), UnorderedElementsAre("summary.json", "damf.csv", "damf_cycles.svg",
                                              "damf_energy.svg"));
    const json& ways = found.at("ways");
    ASSERT_EQ(ways.size(), 4U);
    const long pairs = causal ? 24 * 25 / 2 : 24 * 24;
    EXPECT_EQ(ways.at("maclaurin").at("macs").at("dynamic"), pairs * (1 + 8));
    EXPECT_EQ(ways.at("shift").at("macs").at("dynamic"), pairs);
    // t V and the two-term readout; on the linear engine a chunk's own pairs besides.
    EXPECT_EQ(ways.at("collapsed").at("macs").at("dynamic"), 3 * 24 * 8);
    EXPECT_GE(ways.at("collapsed_linear").at("macs").at("dynamic"), 3 * 24 * 8);
    // The collapsed forms are formula (13) in the same integers.
    for (const char* way : {"collapsed", "collapsed_linear"})
      EXPECT_EQ(ways.at(way).at("error"), ways.at("maclaurin").at("error"));
    EXPECT_LT(ways.at("shift").at("error").at("sqnr_db"),
              ways.at("maclaurin").at("error").at("sqnr_db"));
    // Codes of 8 bits: about 6 dB each, less what a sum of them loses.
    EXPECT_GT(ways.at("maclaurin").at("error").at("sqnr_db").get<double>(), 25.0);
  }
  EXPECT_NE(figures(kDamf, {"--seed", "6"}).at("ways").at("shift").at("error"),
            figures(kDamf).at("ways").at("shift").at("error"));
}

TEST_F(Experiments, SameInputsSameBytes) {
  for (const char* text : {kHeatFlow, kGeometry, kScaling, kDamf}) {
    for (const char* name : {"a", "b"}) EXPECT_EQ(run(text, {}, name).exit_code, 0);
    for (const auto& entry : fs::directory_iterator(out("a"))) {
      const std::string name = entry.path().filename().string();
      EXPECT_EQ(TemporaryFolder::read(entry.path().string()),
                TemporaryFolder::read(out("b") + "/" + name))
          << name;
    }
  }
}

// Beat timing: the same values, and cycles that tile timing is a little below of.
TEST_F(Experiments, BeatTimingHasTheSameValues) {
  const json tile = figures(kDamf);
  const json beat = figures(kDamf, {"--timing", "beat"});
  for (const auto& [name, way] : tile.at("ways").items()) {
    EXPECT_EQ(way.at("error"), beat.at("ways").at(name).at("error"));
    EXPECT_EQ(way.at("macs"), beat.at("ways").at(name).at("macs"));
  }
  EXPECT_EQ(figures(kHeatFlow).at("systemc").at("w2"),
            figures(kHeatFlow, {"--timing", "beat"}).at("systemc").at("w2"));
}

TEST_F(Experiments, RefusesWorkloadsAtFault) {
  for (const char* text : {kHeatFlow, kGeometry, kScaling, kDamf}) {
    refuse(std::string(text) + "colour: blue\n",
           {"workload.yaml", "unknown key 'colour', expected"});
    refuse(text, {"--no-data"}, {"--no-data"});
    refuse(text, {"--impl"}, {"--impl", "damf=rtl"});
  }
  refuse(replaced(kHeatFlow, "updates: 8", "updates: 0"), {"updates", "expected"});
  refuse(replaced(kHeatFlow, "epsilon: 0.1", "epsilon: cold"), {"epsilon", "expected a number"});
  // These allow not even one step.
  for (const char* epsilon : {"[1.0]", "[0.51]", "[0.1, 1.0]"}) {
    refuse(replaced(kHeatFlow, "[0.25]", epsilon),
           {"workload.yaml: line 7:", "epsilons[", "expected at most end_time = 0.5", "found"});
  }
  refuse(replaced(kHeatFlow, "epsilon: 0.1", "epsilon: 0.6"), {"end_time", "expected"});
  refuse(replaced(kScaling, "macros: 512", "macros: 0"), {"enlarged.macros", "1..65536"});
  refuse(replaced(kScaling, "crossover_least_log2: 2", "crossover_least_log2: 5"),
         {"crossover_least_log2", "0..4"});
  refuse(replaced(kHeatFlow, "position_fraction_bits: 12", "position_fraction_bits: 17"),
         {"integer.position_fraction_bits", "1..16"});
  refuse(replaced(kHeatFlow, "least_fraction_bits: 2", "least_fraction_bits: 11"),
         {"word_lengths.largest_fraction_bits", "11..16"});
  refuse(replaced(kGeometry, "tokens: 24", "tokens: 4"), {"tokens", "8..200"});
  refuse(replaced(kScaling, "largest_log2: 10", "largest_log2: 2"), {"largest_log2", "5..20"});
  refuse(replaced(kScaling, "linear_lanes: [2, 4]", "linear_lanes: [3]"),
         {"areas.linear_lanes 3", "linear.lanes"});
  refuse(replaced(kDamf, "tokens: 24", "tokens: 0"), {"tokens", "1..65536"});
  for (const char* text : {kHeatFlow, kScaling})
    refuse(text, {"--seed", "draws no numbers"}, {"--seed", "3"});
}

// A point is the layer's own run; what the chip refuses is a row with its reason.
TEST_F(Experiments, LengthsAreTheRunsOfTheLayersThemselves) {
  const json found = figures(kLengths);
  const json& layers = found.at("layers");
  ASSERT_EQ(layers.size(), 2U);
  EXPECT_EQ(layers[1].at("title"), "shift, causal");
  const std::string out = folder_.file("alone");
  const ProgramRun run = run_program({"run", "-w", "smoke-softmax", "-c", "small", "--no-data",
                                      "--set", "workload.tokens=24", "-o", out});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  const json alone = json::parse(TemporaryFolder::read(out + "/summary.json"));
  const json& point = layers[0].at("points")[1];
  EXPECT_EQ(point.at("tokens"), 24);
  EXPECT_EQ(point.at("cycles"), alone.at("cycles"));
  EXPECT_EQ(point.at("memory").at("dram"), alone.at("memory").at("dram"));
  EXPECT_THAT(layers[0].at("points")[2].at("refused").get<std::string>(),
              testing::HasSubstr("softmax.max_keys"));
}

// The experiment's figures are those of single runs: a layer's own error is what `run` reports,
// and exact softmax is another layer's level `float` on the same numbers.
TEST_F(Experiments, AccuracyIsThatOfSingleRunsAndOfExactSoftmax) {
  const json found =
      figures(replaced(kLengths, "layers:\n", "accuracy: {tokens: 16, seeds: 3}\nlayers:\n"));
  const auto run = [&](const std::string& workload, const std::vector<std::string>& more) {
    const std::string out = folder_.file(workload);
    std::vector<std::string> words = {
        "run", "-w", workload, "-c", "small", "--seed", "2", "--set", "workload.tokens=16"};
    words.insert(words.end(), more.begin(), more.end());
    words.insert(words.end(), {"-o", out});
    const ProgramRun made = run_program(words);
    EXPECT_EQ(made.exit_code, 0) << made.err;
    return out;
  };
  const std::string soft = run("smoke-softmax", {"--set", "workload.causal=true"});
  const std::string damf =
      run("smoke-damf", {"--set", "workload.damf.mode=shift", "--set", "workload.causal=true"});
  const json summary = json::parse(TemporaryFolder::read(damf + "/summary.json"));
  const json& second = found.at("layers")[1].at("accuracy")[1];
  EXPECT_EQ(second.at("seed"), 2);
  EXPECT_EQ(second.at("sqnr_db"), summary.at("error").at("sqnr_db"));
  EXPECT_EQ(second.at("formula"), summary.at("error").at("formula"));
  const auto exact =
      app::SafetensorsFile::open(soft + "/outputs.safetensors").read_f64("out.float");
  const auto chip = app::SafetensorsFile::open(damf + "/outputs.safetensors").read_f64("out");
  double signal = 0.0, noise = 0.0;
  for (std::size_t i = 0; i < exact.size(); ++i) {
    signal += exact[i] * exact[i];
    noise += (chip[i] - exact[i]) * (chip[i] - exact[i]);
  }
  EXPECT_NEAR(second.at("exact_softmax_sqnr_db").get<double>(), 10 * std::log10(signal / noise),
              1e-9);
  // Of softmax itself the two are one.
  for (const json& each : found.at("layers")[0].at("accuracy"))
    EXPECT_EQ(each.at("sqnr_db"), each.at("exact_softmax_sqnr_db"));
}

TEST_F(Experiments, LengthsRefuseALayerThatIsNotThere) {
  refuse(replaced(kLengths, "smoke-damf", "smoke-dam"), {"layers[1].workload", "'smoke-damf'"});
  refuse(replaced(kLengths, "damf.mode", "damf.mod"), {"layers[1].set.damf.mod"});
}

TEST_F(Experiments, RefusesWhatDoesNotFitTheChip) {
  refuse(replaced(kHeatFlow, "  particles: 20", "  particles: 3000"),
         {"small.yaml: sinkhorn.max_lines: node step: expected at least 3000"});
  refuse(replaced(kDamf, "tokens: 24", "tokens: 60000"), {"small.yaml: damf.max_tokens"});
}

TEST_F(Experiments, AnUnknownKindNamesTheKindsThatExist) {
  refuse(replaced(kDamf, "damf-comparison", "damf-comparisons"),
         {"kind: ", "attention-layer", "operator", "heat-flow", "'damf-comparison', found"});
}

}  // namespace
}  // namespace quadrille::testbench
