// Question: does `run` take workloads of one operator, with data and from shapes
// alone, and report how Sinkhorn converged? And layers with the two mechanisms?
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>

#include "app/files/safetensors.h"
#include "testbench/common/expect_bad_input.h"
#include "testbench/common/expect_schema.h"
#include "testbench/common/source_tree.h"

namespace quadrille::testbench {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::HasSubstr;

class OperatorRun : public testing::Test {
 protected:
  std::string out() const { return folder_.file("out"); }

  ProgramRun run(const std::string& workload, const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments = {"run", "-w", workload, "-c", "small", "-o", out()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_program(arguments);
  }

  json summary(const std::string& workload, const std::vector<std::string>& more = {}) {
    const ProgramRun made = run(workload, more);
    EXPECT_EQ(made.exit_code, 0) << made.err;
    const json total = json::parse(TemporaryFolder::read(out() + "/summary.json"));
    expect_schema(json::parse(TemporaryFolder::read(source_folder() + "/docs/summary.schema.json")),
                  total, "summary");
    return total;
  }

  void refuse(const std::string& workload, const std::vector<std::string>& parts,
              const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments = {"run", "-w", workload, "-c", "small", "-o", out()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    expect_bad_input(arguments, parts);
    EXPECT_FALSE(fs::exists(out()));
  }

  /// A workload of one operator; `rest` are further lines.
  std::string workload(const std::string& operation, const std::string& shapes,
                       const std::string& settings = "", const std::string& rest = "") {
    return folder_.write(
        "mine.yaml", "name: mine\nkind: operator\noperator: " + operation + "\nshapes: {" + shapes +
                         "}\n" + (settings.empty() ? "" : "settings: {" + settings + "}\n") + rest);
  }

  std::size_t lines(const std::string& name) const {
    const std::string text = TemporaryFolder::read(out() + "/" + name);
    return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
  }

  TemporaryFolder folder_;
  const std::string attention_ = "Q: [20, 8], K: [20, 8], V: [20, 6]";
};

TEST_F(OperatorRun, EveryOperatorRuns) {
  const std::vector<std::vector<std::string>> all = {
      {"softmax", attention_},
      {"sinkhorn", attention_},
      {"sinkhorn", "C: [9, 5]"},
      {"sinkhorn", "C: [30, 4, 4]"},
      {"linear", attention_ + ", RP: [5, 8]"},
      {"damf", "s: [20], t: [20], V: [20, 6]"},
      {"damf", "X: [20, 8], WQ: [8, 6], WK: [8, 6], WV: [8, 6]"},
      {"matmul", "X: [20, 8], W: [8, 6]"}};
  for (const auto& each : all) {
    SCOPED_TRACE(each[0] + " " + each[1]);
    const json total = summary(workload(each[0], each[1]));
    EXPECT_EQ(total.at("layers")[0].at("name"), each[0]);
    EXPECT_EQ(total.at("workload"), "mine");
    EXPECT_EQ(total.at("seed"), 1);
    EXPECT_GT(total.at("error").at("sqnr_db").get<double>(), 15.0);
    EXPECT_EQ(total.at("sinkhorn").is_null(), each[0] != "sinkhorn");
    EXPECT_EQ(fs::exists(out() + "/residuals.csv"), each[0] == "sinkhorn");
  }
}

// Nothing in a run's numbers but the values depends on having them.
TEST_F(OperatorRun, WithoutDataTheSameCyclesAndAccesses) {
  const std::vector<std::vector<std::string>> all = {
      {"softmax", attention_, ""},
      {"sinkhorn", attention_, "iterations: 6, causal: true"},
      {"sinkhorn", "C: [40, 40]", "iterations: 3"},
      {"sinkhorn", "C: [40, 4, 4]", "iterations: 8, update: damped"},
      {"sinkhorn", "C: [9, 9], V: [9, 3]", "hold: kernel, iterations: 4, epsilon: 4"},
      {"linear", attention_, "causal: true"},
      {"linear", attention_ + ", RP: [5, 8]", ""},
      {"damf", "s: [20], t: [20], V: [20, 6]", "mode: collapsed, engine: linear"},
      {"matmul", "X: [20, 8], W: [8, 6]", ""}};
  for (const auto& each : all) {
    for (const char* timing : {"tile", "beat"}) {
      SCOPED_TRACE(each[0] + " " + each[1] + " " + each[2] + " " + timing);
      const std::string file = workload(each[0], each[1], each[2]);
      const json with = summary(file, {"--timing", timing});
      const json without = summary(file, {"--timing", timing, "--no-data"});
      for (const char* key : {"cycles", "macs", "ops", "memory", "energy_pj", "engines", "stalls",
                              "area_um2", "mapping"})
        EXPECT_EQ(with.at(key), without.at(key)) << key;
      EXPECT_EQ(without.at("error").at("max_abs"), nullptr);
    }
  }
}

// A tolerance that is assumed to need as long as it does need costs the same.
TEST_F(OperatorRun, AssumedHalfStepsStandForATolerance) {
  const std::string settings = "iterations: 200, tolerance: 0.001";
  for (const std::string& shapes : {attention_, std::string("C: [1, 7, 7]")}) {
    const json with = summary(workload("sinkhorn", shapes, settings));
    const auto half_steps = with.at("sinkhorn").at("half_steps").get<int>();
    EXPECT_GT(half_steps, 1);
    EXPECT_LT(half_steps, 200);
    const std::string assumed = "assumed_half_steps: " + std::to_string(half_steps) + "\n";
    const json without = summary(workload("sinkhorn", shapes, settings, assumed), {"--no-data"});
    for (const char* key : {"cycles", "macs", "ops", "memory", "engines"})
      EXPECT_EQ(with.at(key), without.at(key)) << key;
    EXPECT_EQ(without.at("sinkhorn").at("half_steps"), half_steps);
    EXPECT_TRUE(without.at("sinkhorn").at("row_residuals").empty());
    // The assumption is not looked at where there are data.
    const std::string wrong = workload("sinkhorn", shapes, settings, "assumed_half_steps: 1\n");
    EXPECT_EQ(summary(wrong).at("cycles"), with.at("cycles"));
    fs::remove_all(out());
    refuse(workload("sinkhorn", shapes, settings), {"assumed_half_steps", "missing"},
           {"--no-data"});
    refuse(workload("sinkhorn", shapes, settings, "assumed_half_steps: 201\n"),
           {"assumed_half_steps", "200"});
    refuse(workload("sinkhorn", shapes, "iterations: 20", assumed),
           {"assumed_half_steps", "tolerance"});
  }
}

TEST_F(OperatorRun, ReportsResidualsByHalfStep) {
  const json total = summary(workload("sinkhorn", attention_, "iterations: 12"));
  const json& sinkhorn = total.at("sinkhorn");
  EXPECT_EQ(sinkhorn.at("half_steps"), 12);
  // The sums of the last state are those of a sweep that is not made.
  EXPECT_EQ(sinkhorn.at("row_residuals").size(), 11U);
  EXPECT_EQ(lines("residuals.csv"), 12U);
  const auto rows = sinkhorn.at("row_residuals").get<std::vector<double>>();
  const auto columns = sinkhorn.at("column_residuals").get<std::vector<double>>();
  for (std::size_t i = 0; i < rows.size(); ++i)
    EXPECT_EQ((i % 2 == 0 ? rows : columns)[i], 0.0) << "the side just normalised, " << i;
  EXPECT_LT(rows[9], rows[1]);
  EXPECT_LT(columns[10], columns[0]);
  EXPECT_LT(sinkhorn.at("column_residual").get<double>(), columns[0]);

  // A run with a tolerance ends below it, and measured so.
  const json stopped = summary(workload("sinkhorn", attention_, "iterations: 99, tolerance: 0.01"));
  EXPECT_LE(stopped.at("sinkhorn").at("row_residuals").back().get<double>(), 0.01);
  EXPECT_LE(stopped.at("sinkhorn").at("column_residuals").back().get<double>(), 0.01);
  // A later run without Sinkhorn does not keep the earlier one's table.
  summary(workload("matmul", "X: [2, 3], W: [3, 2]"));
  EXPECT_FALSE(fs::exists(out() + "/residuals.csv"));
}

TEST_F(OperatorRun, MatrixFormWritesWhatScalingDoesNot) {
  const auto written = [&](const std::string& settings) {
    return summary(workload("sinkhorn", "C: [16, 16]", "epsilon: 4, iterations: 10" + settings))
        .at("ops")
        .at("local_write_bytes")
        .get<long>();
  };
  // n m elements per half-step against n or m scalings.
  EXPECT_GT(written(", form: matrix"), 3 * written(""));
}

TEST_F(OperatorRun, SaturationIsSaid) {
  const std::string file =
      workload("sinkhorn", "C: [8, 8]", "epsilon: 0.01", "data: {source: random, deviation: 3}\n");
  const ProgramRun made = run(file);
  EXPECT_EQ(made.exit_code, 0) << made.err;
  const json total = json::parse(TemporaryFolder::read(out() + "/summary.json"));
  const auto saturated = total.at("values").at("sinkhorn").at("saturated").get<long>();
  EXPECT_GT(saturated, 0);
  EXPECT_THAT(made.out, HasSubstr("clamped  " + std::to_string(saturated) + " values"));
  EXPECT_THAT(run("sinkhorn-128").out, testing::Not(HasSubstr("clamped")));
}

TEST_F(OperatorRun, AMillionTokensWithoutData) {
  EXPECT_EQ(
      run_program({"run", "-w", "linear-1m", "-c", "default", "-o", out(), "--no-data"}).exit_code,
      0);
  const json total = json::parse(TemporaryFolder::read(out() + "/summary.json"));
  const std::int64_t tokens = 1 << 20, d = 64;
  // State and readout, the denominator, and the pairs inside chunks of 16.
  EXPECT_EQ(total.at("macs").at("dynamic").get<std::int64_t>(), tokens * (2 * d * d + d + 17 * d));
}

TEST_F(OperatorRun, TensorsFromAFile) {
  app::SafetensorsWriter writer;
  writer.add_f64("C", {2, 2}, {0.5, -1.0, 2.0, 0.25});
  writer.write(folder_.file("c.safetensors"));
  const std::string head = "name: mine\nkind: operator\noperator: sinkhorn\n";
  const std::string data = "data: {source: file, tensors: c.safetensors}\n";
  const std::string file = folder_.write("mine.yaml", head + data);
  const json total = summary(file);
  EXPECT_EQ(total.at("seed"), nullptr);
  EXPECT_EQ(total.at("inputs").size(), 4U);
  EXPECT_EQ(summary(file, {"--no-data"}).at("cycles"), total.at("cycles"));
  fs::remove_all(out());
  refuse(folder_.write("both.yaml", head + data + "shapes: {C: [2, 2]}\n"), {"shapes", "the file"});
  refuse(file, {"--seed"}, {"--seed", "3"});
  refuse(folder_.write("none.yaml", head + "data: {source: file, tensors: no.st}\n"), {"no.st"});
}

TEST_F(OperatorRun, RandomTensorsDependOnTheirNameAndSeedOnly) {
  const json first = summary(workload("matmul", "X: [9, 5], W: [5, 4]"));
  EXPECT_EQ(summary(workload("matmul", "W: [5, 4], X: [9, 5]")).at("error"), first.at("error"));
  EXPECT_NE(summary(workload("matmul", "X: [9, 5], W: [5, 4]"), {"--seed", "2"}).at("error"),
            first.at("error"));
}

TEST_F(OperatorRun, LayersWithBothMechanisms) {
  for (const char* name : {"smoke-sinkhorn", "smoke-linear"}) {
    for (const char* timing : {"tile", "beat"}) {
      SCOPED_TRACE(std::string(name) + " " + timing);
      const json with = summary(name, {"--timing", timing});
      const json without = summary(name, {"--timing", timing, "--no-data"});
      EXPECT_EQ(with.at("cycles"), without.at("cycles"));
      EXPECT_EQ(with.at("layers")[0].at("name"), "attention");
      EXPECT_GT(with.at("error").at("sqnr_db").get<double>(), 15.0);
    }
  }
}

TEST_F(OperatorRun, RefusesWorkloads) {
  refuse(workload("sinkhron", "C: [4, 4]"), {"mine.yaml", "operator", "sinkhorn"});
  refuse(workload("sinkhorn", "C: [4, 0]"), {"shapes.C", "1.."});
  refuse(workload("sinkhorn", "C: [4]"), {"shapes.C", "[*,*]"});
  refuse(workload("sinkhorn", "C: [100000, 100000]"), {"shapes.C", "2^31"});
  refuse(workload("sinkhorn", "D: [4, 4]"), {"shapes.C", "missing"});
  refuse(workload("sinkhorn", "C: [4, 4], D: [4]"), {"shapes.D", "unknown tensor"});
  refuse(workload("sinkhorn", "C: [4, 4]", "iteration: 4"), {"mine.yaml", "did you mean"});
  refuse(workload("sinkhorn", "C: [4, 4]", "epsilon: 0"), {"mine.yaml", "epsilon"});
  refuse(workload("sinkhorn", "C: [513, 4]"), {"sinkhorn.max_lines", "513"}, {"--no-data"});
  refuse(workload("linear", attention_, "", "assumed_half_steps: 3\n"), {"assumed_half_steps"});
  refuse(workload("linear", "Q: [4, 8], K: [4, 8], V: [5, 2]"), {"shapes.V", "[5,2]"});
  refuse(workload("linear", attention_, "", "tokens: 4\n"), {"tokens"});
  refuse(workload("linear", attention_, "", "data: {source: model}\n"), {"data.source", "file"});
  refuse(folder_.write("bare.yaml", "name: x\nkind: operator\noperator: linear\n"), {"shapes"});
}

}  // namespace
}  // namespace quadrille::testbench
