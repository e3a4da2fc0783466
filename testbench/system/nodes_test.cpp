// Question: do the nodes, steps and layers of a report add up to its run?
#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "app/config/chip_file.h"
#include "app/config/workload_file.h"
#include "app/simulation.h"
#include "testbench/common/expect_bad_input.h"

namespace quadrille::testbench {
namespace {

using nlohmann::json;

class Nodes : public testing::Test {
 protected:
  json summary(const std::string& workload, const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments = {"run", "-w", workload, "-c", "small", "-o", out()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const ProgramRun made = run_program(arguments);
    EXPECT_EQ(made.exit_code, 0) << made.err;
    return json::parse(TemporaryFolder::read(out() + "/summary.json"));
  }
  std::string out() const { return folder_.file("out"); }

  TemporaryFolder folder_;
};

/// Numbers of `part` added to those of `sum`, object by object; names are left out.
void add(json& sum, const json& part) {
  if (sum.is_null()) sum = json::object();
  for (const auto& [key, value] : part.items()) {
    if (value.is_object()) {
      add(sum[key], value);
    } else if (value.is_number_float()) {
      sum[key] = sum.value(key, 0.0) + value.get<double>();
    } else if (value.is_number()) {
      sum[key] = sum.value(key, std::int64_t{0}) + value.get<std::int64_t>();
    }
  }
}

/// What is said of a part and of the whole alike: counts, bytes, energy that is
/// spent by switching, and the critical path.
void expect_equal(const json& sum, json whole) {
  // Rates are of the whole run, and no counts.
  for (const char* rate : {"peak_per_cycle", "achieved_per_cycle"}) whole.at("macs").erase(rate);
  for (const char* key : {"cycles", "macs", "ops", "memory"})
    EXPECT_EQ(sum.at(key), whole.at(key)) << key;
  const double picojoules = whole.at("energy_pj").at("dynamic").get<double>();
  // Each of a few dozen terms is rounded once to 53 bits.
  EXPECT_NEAR(sum.at("energy_pj").at("dynamic").get<double>(), picojoules, 1e-12 * picojoules);
  double components = 0.0;
  for (const json& part : sum.at("energy_pj").at("dynamic_by_component"))
    components += part.get<double>();
  EXPECT_NEAR(components, picojoules, 1e-12 * picojoules);
}

TEST_F(Nodes, AddUpToTheRun) {
  for (const char* workload : {"smoke-softmax", "smoke-damf", "smoke-sinkhorn", "smoke-linear"}) {
    for (const char* timing : {"tile", "beat"}) {
      SCOPED_TRACE(std::string(workload) + " " + timing);
      const json total = summary(workload, {"--timing", timing, "--no-data"});
      json nodes, layers;
      for (const json& node : total.at("nodes")) {
        json steps;
        for (const json& step : node.at("steps")) add(steps, step);
        expect_equal(steps, node);
        EXPECT_LE(node.at("span_cycles").get<std::int64_t>(),
                  total.at("cycles").get<std::int64_t>());
        add(nodes, node);
      }
      for (const json& layer : total.at("layers")) add(layers, layer);
      expect_equal(nodes, total);
      expect_equal(layers, total);
      EXPECT_GE(total.at("nodes").size(), 4U);
    }
  }
}

/// Rows of tensors.csv by name, each with its columns.
std::map<std::string, std::map<std::string, std::string>> rows_of(const std::string& csv) {
  std::istringstream lines(csv);
  std::vector<std::string> columns;
  std::map<std::string, std::map<std::string, std::string>> rows;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream cells(line);
    std::vector<std::string> row;
    for (std::string cell; std::getline(cells, cell, ',');) row.push_back(cell);
    if (columns.empty()) columns = row;
    if (columns == row) continue;
    for (std::size_t i = 1; i < columns.size(); ++i)
      rows[row.at(1) + " " + row.at(0)][columns[i]] = row.at(i);
  }
  return rows;
}

TEST_F(Nodes, TensorsCarryAllBytesOfTheRun) {
  for (const char* workload : {"smoke-softmax", "smoke-damf", "smoke-sinkhorn", "smoke-linear"}) {
    SCOPED_TRACE(workload);
    const json total = summary(workload, {"--no-data"});
    const auto rows = rows_of(TemporaryFolder::read(out() + "/tensors.csv"));
    for (const auto& [level, counts] : total.at("memory").items()) {
      for (const char* count : {"read_bytes", "write_bytes"}) {
        std::int64_t sum = 0;
        for (const auto& [name, row] : rows) sum += std::stoll(row.at(level + "_" + count));
        EXPECT_EQ(sum, counts.at(count).get<std::int64_t>()) << level << " " << count;
      }
    }
    // A trained matrix comes from the DRAM and goes to the macros, once at least.
    int weights = 0;
    for (const auto& [name, row] : rows) {
      if (row.at("role") != "weight" || row.at("cim_write_bytes") == "0") continue;
      ++weights;
      for (const char* column : {"dram_read_bytes", "sram_write_bytes", "cim_write_bytes"})
        EXPECT_GE(std::stoll(row.at(column)), std::stoll(row.at("bytes"))) << name << column;
    }
    EXPECT_GE(weights, 2);
  }
}

}  // namespace
}  // namespace quadrille::testbench
