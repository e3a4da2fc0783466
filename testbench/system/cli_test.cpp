// Question: does the command line keep its contract of options and exit codes?
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <sstream>

#include "testbench/common/expect_bad_input.h"

namespace quadrille::testbench {
namespace {

using testing::HasSubstr;

TEST(CommandLine, HelpAndVersionAreGood) {
  const ProgramRun version = run_program({"--version"});
  EXPECT_EQ(version.exit_code, 0);
  EXPECT_THAT(version.out, testing::MatchesRegex("[0-9]+\\.[0-9]+\\.[0-9]+\n"));
  EXPECT_EQ(version.err, "");
  for (const std::vector<std::string>& arguments :
       std::vector<std::vector<std::string>>{{"--help"}, {"run", "--help"}, {"eval", "--help"}}) {
    const ProgramRun help = run_program(arguments);
    EXPECT_EQ(help.exit_code, 0);
    EXPECT_THAT(help.out, HasSubstr("Usage: quadrille"));
    EXPECT_EQ(help.err, "");
  }
}

/// The lines of a list: each name with what stands beside it.
std::map<std::string, std::string> listed(const std::string& out) {
  std::map<std::string, std::string> lines;
  std::istringstream text(out);
  for (std::string line; std::getline(text, line);) {
    if (line.rfind("  ", 0) != 0) continue;
    const std::size_t end = line.find(' ', 2);
    const std::size_t words = end == std::string::npos ? end : line.find_first_not_of(' ', end);
    lines[line.substr(2, end - 2)] = words == std::string::npos ? "" : line.substr(words);
  }
  return lines;
}

TEST(CommandLine, ListNamesWhatIsShippedWithALineOnEach) {
  const ProgramRun list = run_program({"list"});
  EXPECT_EQ(list.exit_code, 0);
  std::map<std::string, std::string> all = listed(list.out);
  for (const char* name :
       {"default", "small", "smoke-softmax", "smoke-damf", "bert-base-mhsa-softmax",
        "bert-small-mhsa-softmax", "bert-base-mhsa-damf", "softmax", "damf", "matmul"})
    EXPECT_EQ(all.count(name), 1u) << name;
  for (const auto& [name, line] : all) EXPECT_NE(line, "") << name;
  // A sentence that goes over two lines of its comment, and one before another sentence.
  EXPECT_EQ(all["linear-1m"],
            "Causal linear attention over a million tokens: constant on-chip memory, time in "
            "proportion to the length");
  EXPECT_EQ(all["softmax-1-causal"], "operator softmax on chip small, causal true");
  EXPECT_EQ(all["layer-damf-33"], "attention layer, mechanism damf, 33 tokens, on chip small");
}

TEST(CommandLine, ListTakesAKind) {
  const ProgramRun chips = run_program({"list", "chips"});
  EXPECT_EQ(chips.exit_code, 0);
  EXPECT_EQ(listed(chips.out).count("small"), 1u);
  EXPECT_EQ(listed(chips.out).count("smoke-damf"), 0u);
  for (const char* kind :
       {"workloads", "operators", "cases", "sweeps", "technologies", "dram-kinds"})
    EXPECT_FALSE(listed(run_program({"list", kind}).out).empty()) << kind;
  const ProgramRun networks = run_program({"list", "networks"});
  EXPECT_EQ(networks.exit_code, 0);
  EXPECT_THAT(networks.out, testing::StartsWith("networks:"));
  expect_bad_input({"list", "workload"}, {"list: 'workload'", "did you mean 'workloads'?"});
}

TEST(CommandLine, WrongUseIsOneLineAndExitCode2) {
  expect_bad_input({}, {"subcommand"});
  expect_bad_input({"evl"}, {"'evl'", "did you mean 'eval'?"});
  expect_bad_input({"run", "-c", "small"}, {"--workload"});
  expect_bad_input({"run", "-w", "smoke-damf", "-c", "small", "--no-dta"},
                   {"--no-dta", "did you mean '--no-data'?"});
  expect_bad_input({"run", "-w", "smoke-dafm", "-c", "small"}, {"did you mean 'smoke-damf'?"});
  expect_bad_input({"run", "-w", "smoke-damf", "-c", "smal"}, {"did you mean 'small'?"});
  expect_bad_input({"run", "-w", "smoke-damf", "-c", "small", "--timing", "tle"}, {"--timing"});
  expect_bad_input({"run", "-w", "smoke-damf", "-c", "small", "--seed", "abc"}, {"--seed"});
  expect_bad_input({"run", "-w", "smoke-damf", "-c", "small", "--impl", "dafm=rtl"},
                   {"did you mean 'damf'?"});
  expect_bad_input({"run", "-w", "smoke-damf", "-c", "small", "--impl", "damf=rlt"},
                   {"did you mean 'rtl'?"});
  expect_bad_input({"run", "-w", "smoke-damf", "-c", "small", "--impl", "vector=rtl"},
                   {"'vector=rtl'", "in SystemC only", "softmax"});
  expect_bad_input({"regress", "damf-shift-33", "--level", "rtl", "--cycles", "a.csv"},
                   {"--cycles", "--level all"});
  expect_bad_input({"run", "-w", "smoke-damf", "-c", "small", "--trace", "vcd"},
                   {"--trace", "perfetto"});
  expect_bad_input({"run", "-w", "smoke-damf", "-c", "small", "--trace", "fst"},
                   {"--trace", "--impl all=rtl"});
  expect_bad_input({"run", "-w", "smoke-damf", "-c", "small", "--waves-cycles", "0:10"},
                   {"--waves-cycles", "--trace"});
  expect_bad_input({"eval", "softmax", "--level", "fxed", "-i", "a", "-o", "b"}, {"--level"});
}

TEST(CommandLine, SetIsCheckedLikeTheFile) {
  const auto refuse = [](const std::string& set, const std::vector<std::string>& parts) {
    SCOPED_TRACE(set);
    expect_bad_input({"run", "-w", "smoke-damf", "-c", "small", "--set", set}, parts);
  };
  refuse("cim.rows=none", {"quadrille: --set cim.rows=none: cim.rows: expected an integer"});
  refuse("cim.rwos=1", {"--set cim.rwos=1: cim: unknown key 'rwos', did you mean 'rows'?"});
  refuse("cim.columns=12", {"--set cim.columns=12: cim.columns: expected ", "found 12"});
  refuse("workload.tokens=none",
         {"--set workload.tokens=none: tokens: expected an integer in 1.."});
  refuse("workload.tokns=3",
         {"--set workload.tokns=3: unknown key 'tokns', did you mean 'tokens'?"});
  refuse("workload.damf.mode=shft", {"--set workload.damf.mode=shft: damf.mode: ", "'shift'?"});
  refuse("tokens=3", {"--set: tokens: expected a key of the chip", "workload.tokens"});
  refuse("cim.rows", {"--set: 'cim.rows': expected KEY=VALUE"});
  expect_bad_input(
      {"eval", "damf", "--level", "fixed", "-i", "a", "-o", "b", "--set", "cim.rows=x"},
      {"--set cim.rows=x: cim.rows: expected an integer"});
}

TEST(CommandLine, OneLineEvenForNamesWithLineBreaks) {
  expect_bad_input({"run", "-w", "no\nsuch\nfile", "-c", "small"}, {"no such file"});
  expect_bad_input({"e\nval"}, {"unknown command"});
}

}  // namespace
}  // namespace quadrille::testbench
