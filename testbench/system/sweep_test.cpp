// Question: does a sweep keep what it has finished, whatever ends it, and does the same
// spec give the same table?
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "testbench/common/expect_bad_input.h"
#include "testbench/common/processes.h"
#include "testbench/common/source_tree.h"

namespace quadrille::testbench {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::StartsWith;

class Sweep : public testing::Test {
 protected:
  std::string out(const std::string& name = "out") const { return folder_.file(name); }
  std::string journal(const std::string& name = "out") const {
    return TemporaryFolder::read(out(name) + "/points.jsonl");
  }
  std::string table(const std::string& name = "out") const {
    return TemporaryFolder::read(out(name) + "/points.csv");
  }

  /// A spec of `points` quick points.
  std::string spec(int points, const std::string& more = "") {
    return folder_.write("s.yaml",
                         "name: s\nworkload: smoke-softmax\nchip: small\nrandom:\n"
                         "  points: " +
                             std::to_string(points) +
                             "\n  clock_mhz: {from: 100, to: 900}\n"
                             "  workload.tokens: {from: 8, to: 64, log: true}\n" +
                             more);
  }

  ProgramRun sweep(const std::string& file, const std::string& name = "out",
                   const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments = {"sweep", file, "-o", out(name)};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_program(arguments);
  }

  /// Starts a sweep and goes on.
  pid_t start(const std::string& file, const std::string& name) {
    return start_program({"sweep", file, "-o", out(name), "-j", "2"}, "/dev/null");
  }

  std::int64_t lines(const std::string& name = "out") const {
    const std::string text = journal(name);
    return std::count(text.begin(), text.end(), '\n');
  }

  TemporaryFolder folder_;
};

TEST_F(Sweep, TheSameSpecGivesTheSameTableHoweverManyProcesses) {
  const std::string file = spec(60);
  const ProgramRun one = sweep(file, "one", {"-j", "1"});
  EXPECT_EQ(one.exit_code, 0) << one.err;
  EXPECT_EQ(one.err, "");  // Progress is for terminals.
  EXPECT_EQ(sweep(file, "five", {"-j", "5"}).exit_code, 0);
  EXPECT_EQ(table("one"), table("five"));
  const std::string text = table("one");
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 61);
}

// A row has the totals of `run` with the same values.
TEST_F(Sweep, ARowIsTheSummaryOfARun) {
  const std::string file = folder_.write(
      "s.yaml",
      "name: s\nworkload: smoke-damf\nchip: small\ndata: true\ngrid: {clock_mhz: [250]}\n");
  ASSERT_EQ(sweep(file).exit_code, 0);
  ASSERT_EQ(run_program({"run", "-w", "smoke-damf", "-c", "small", "--set", "clock_mhz=250", "-o",
                         out("run")})
                .exit_code,
            0);
  const auto summary = nlohmann::json::parse(TemporaryFolder::read(out("run") + "/summary.json"));
  std::istringstream text(table());
  std::string names, values;
  std::getline(text, names);
  std::getline(text, values);
  std::istringstream name_cells(names), value_cells(values);
  std::map<std::string, std::string> row;
  for (std::string name, value; std::getline(name_cells, name, ',');) {
    std::getline(value_cells, value, ',');
    row[name] = value;
  }
  EXPECT_EQ(row["clock_mhz"], "250");
  EXPECT_EQ(row["status"], "ok");
  for (const char* name : {"cycles", "clock_hz", "area_um2", "macs.static",
                           "memory.dram.read_bytes", "energy_pj.total", "error.max_abs",
                           "error.sqnr_db", "engines.damf.busy_cycles", "stalls.cim.dram"}) {
    std::string pointer = std::string("/") + name;
    std::replace(pointer.begin(), pointer.end(), '.', '/');
    const auto& value = summary.at(nlohmann::json::json_pointer(pointer));
    if (std::string(name) == "stalls.cim.dram" && value.is_null()) continue;
    EXPECT_EQ(row[name], value.dump()) << name;
  }
  EXPECT_EQ(row.count("schema_version"), 0u);
}

TEST_F(Sweep, KilledItResumesAndLosesNothing) {
  const std::string file = spec(1500);
  ASSERT_EQ(sweep(file, "whole").exit_code, 0);
  // Twice, so that a journal that was taken up is taken up again.
  for (const std::int64_t kill_at : {100, 600}) {
    const pid_t id = start(file, "out");
    ASSERT_TRUE(eventually([&] { return lines() > kill_at; }));
    ::kill(id, SIGKILL);
    int status = 0;
    ASSERT_EQ(::waitpid(id, &status, 0), id);
    ASSERT_TRUE(WIFSIGNALED(status)) << "it had ended before";
    EXPECT_FALSE(fs::exists(out() + "/points.csv"));
  }
  const std::string before = journal();
  // The last line as a kernel that was cut off in the middle would leave it.
  ASSERT_TRUE(std::ofstream(out() + "/points.jsonl", std::ios::app) << "{\"point\":7,\"tot");
  const ProgramRun resumed = sweep(file);
  EXPECT_EQ(resumed.exit_code, 0) << resumed.err;
  EXPECT_THAT(resumed.out, HasSubstr("found on disk"));
  EXPECT_THAT(journal(), StartsWith(before));
  EXPECT_EQ(lines(), 1501);
  EXPECT_EQ(table(), table("whole"));
}

// Each of these points takes minutes, so a process that is gone at once was ended.
TEST_F(Sweep, ItsProcessesEndWithIt) {
  const std::string file = folder_.write("s.yaml",
                                         "name: s\nworkload: bert-base-mhsa-softmax\n"
                                         "grid: {timing: [beat, beat], workload.tokens: [4096]}\n");
  const pid_t id = start(file, "out");
  std::vector<pid_t> workers;
  EXPECT_TRUE(eventually([&] { return (workers = children_of(id)).size() == 2; }));
  ::kill(id, SIGKILL);
  ASSERT_EQ(::waitpid(id, nullptr, 0), id);
  std::this_thread::sleep_for(std::chrono::seconds(1));
  for (const pid_t worker : workers) {
    EXPECT_FALSE(alive(worker));
    ::kill(worker, SIGKILL);
  }
}

TEST_F(Sweep, AWorkerThatIsKilledCostsNothing) {
  const std::string file = spec(1500);
  ASSERT_EQ(sweep(file, "whole").exit_code, 0);
  const pid_t id = start(file, "out");
  ASSERT_TRUE(eventually([&] { return lines() > 50; }));
  for (const pid_t worker : children_of(id)) ::kill(worker, SIGKILL);
  int status = 0;
  ASSERT_EQ(::waitpid(id, &status, 0), id);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(table(), table("whole"));
}

TEST_F(Sweep, OneFolderHasOneSweepAtATime) {
  const std::string file = spec(1500);
  const pid_t id = start(file, "out");
  ASSERT_TRUE(eventually([&] { return lines() > 1; }));
  expect_bad_input({"sweep", file, "-o", out()}, {"points.jsonl", "another sweep", "-o"});
  ::kill(id, SIGKILL);
  ASSERT_EQ(::waitpid(id, nullptr, 0), id);
}

TEST_F(Sweep, AFailingPointIsARow) {
  const std::string file = folder_.write("s.yaml",
                                         "name: s\nworkload: smoke-softmax\nchip: small\n"
                                         "grid: {softmax.lanes: [4, 0, 2]}\n"
                                         "objectives: [cycles]\n");
  const ProgramRun run = sweep(file);
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("1 failed; the first, point 1: s.yaml: softmax.lanes=0"));
  std::istringstream lines(table());
  std::vector<std::string> rows;
  for (std::string row; std::getline(lines, row);) rows.push_back(row);
  ASSERT_EQ(rows.size(), 4u);
  EXPECT_THAT(rows[1], StartsWith("0,smoke-softmax,small,4,ok,true,true,,"));
  EXPECT_THAT(rows[2], StartsWith("1,smoke-softmax,small,0,failed,false,false,\"s.yaml: "
                                  "softmax.lanes=0: softmax.lanes: expected an integer in "));
  EXPECT_THAT(rows[3], StartsWith("2,smoke-softmax,small,2,ok,true,false,,"));
}

TEST_F(Sweep, ASweepWithoutAGoodPointIsNotGood) {
  const std::string file = folder_.write("s.yaml",
                                         "name: s\nworkload: smoke-softmax\nchip: small\n"
                                         "grid: {scratchpad.banks: [1], dram.capacity_mib: [1], "
                                         "workload.tokens: [100000]}\n");
  const ProgramRun run = sweep(file);
  EXPECT_EQ(run.exit_code, 2) << run.out;
  EXPECT_THAT(run.err, HasSubstr("message"));
  EXPECT_THAT(table(), HasSubstr(",failed,"));
}

TEST_F(Sweep, PointsOfOtherFilesAreRefused) {
  const std::string chip = folder_.write("c.yaml", "base: small\nclock_mhz: 300\n");
  const std::string text =
      "name: s\nworkload: smoke-softmax\nchip: c.yaml\ngrid: {softmax.lanes: [4, 8]}\n";
  const std::string file = folder_.write("s.yaml", text);
  ASSERT_EQ(sweep(file).exit_code, 0);
  const std::string points = journal();
  const std::string finished = table();
  folder_.write("s.yaml", text + "constraints: ['cycles <= 5']\n");
  const std::vector<std::string> again = {"sweep", file, "-o", out()};
  expect_bad_input(again, {"points.jsonl", "another sweep (it changed since)", "-o", "remove"});
  folder_.write("s.yaml", text);
  folder_.write("c.yaml", "base: small\nclock_mhz: 301\n");
  expect_bad_input(again, {"points.jsonl", "another chip c.yaml", "-o"});
  EXPECT_EQ(journal(), points);
  EXPECT_EQ(table(), finished);
  folder_.write("c.yaml", "base: small\nclock_mhz: 300\n");
  const ProgramRun same = sweep(file);
  EXPECT_EQ(same.exit_code, 0) << same.err;
  EXPECT_EQ(table(), finished);
}

TEST_F(Sweep, MistakesEndItBeforeTheFirstPoint) {
  const auto refuse = [&](const std::string& text, const std::vector<std::string>& parts) {
    SCOPED_TRACE(text);
    const std::string file = folder_.write("bad.yaml", text);
    expect_bad_input({"sweep", file, "-o", out("bad")}, parts);
    EXPECT_FALSE(fs::exists(out("bad") + "/points.csv"));
    // The mended spec is another sweep: it must find the folder free.
    EXPECT_FALSE(fs::exists(out("bad") + "/points.jsonl"));
  };
  const std::string head = "name: s\nworkload: smoke-softmax\nchip: small\n";
  refuse(head + "grid: {workload.tokns: [8, 16]}\n", {"workload.tokns=8", "'tokens'?"});
  refuse(head + "grid: {softmax.lanes: [none]}\n", {"softmax.lanes=none", "an integer"});
  refuse(head + "objectives: [cycels]\n", {"bad.yaml: objectives", "'cycles'?"});
  refuse("name: s\nworkload: heat-flow\n", {"heat-flow.yaml", "one run"});
  refuse("name: s\nworkload: smoke-sotfmax\n", {"bad.yaml: line 2", "'smoke-softmax'?"});
  const std::string file = folder_.write("s.yaml", head);
  expect_bad_input({"sweep", file, "-o", ""}, {"--output"});
  expect_bad_input({"sweep", file, "-o", "/dev/null/x"}, {"output folder"});
  folder_.write("points.csv", "mine\n");
  expect_bad_input({"sweep", file, "-o", folder_.file("")}, {"points.csv", "-o"});
  EXPECT_EQ(TemporaryFolder::read(folder_.file("points.csv")), "mine\n");
  expect_bad_input({"sweep", "-o", out()}, {"SPEC"});
}

TEST_F(Sweep, ShippedSpecsAreRead) {
  int specs = 0;
  for (const auto& entry : fs::directory_iterator(source_path("sweeps"))) {
    SCOPED_TRACE(entry.path().string());
    ++specs;
    // With few of its points.
    std::string text = TemporaryFolder::read(entry.path().string());
    const std::size_t points = text.find("points: 1000");
    if (points != std::string::npos) text.replace(points, 12, "points: 3");
    const ProgramRun run = sweep(folder_.write("shipped.yaml", text), entry.path().stem().string());
    EXPECT_EQ(run.exit_code, 0) << run.err;
  }
  EXPECT_GE(specs, 1);
}

}  // namespace
}  // namespace quadrille::testbench
