// Question: do the stored cases hold, and does one wrong bit or one wrong
// counter make `regress` fail?
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "testbench/common/expect_bad_input.h"
#include "testbench/common/model_vs_rtl_page.h"
#include "testbench/common/processes.h"
#include "testbench/common/published_page.h"
#include "testbench/common/source_tree.h"

namespace quadrille::testbench {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

const std::string kCases = source_path("traces/cases");

TEST(Regress, EveryShippedCaseHoldsAtEveryLevel) {
  const TemporaryFolder folder;
  const std::string cycles = folder.file("cycles.csv");
  const ProgramRun run = run_program({"regress", "--cycles", cycles});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(run.err, "");
  std::size_t shipped = 0;
  for (const auto& entry : fs::directory_iterator(kCases)) shipped += entry.is_directory() ? 1 : 0;
  EXPECT_GE(shipped, 80U);
  EXPECT_THAT(run.out,
              HasSubstr(std::to_string(shipped) + " of " + std::to_string(shipped) + " cases ok"));
  // The published table of every case's cycles, and the page made from it.
  const std::string table = TemporaryFolder::read(cycles);
  expect_published("model_vs_rtl.csv", table);
  const ModelVsRtl found = model_vs_rtl(table);
  expect_published("model_vs_rtl.md", found.page);
  EXPECT_GT(found.in_rtl, 0);
  EXPECT_EQ(found.equal, found.in_rtl);
  EXPECT_LE(found.mean_error_percent, kTileErrorBoundPercent);
}

class BrokenCase : public testing::Test {
 protected:
  void SetUp() override { copy("layer-damf-7"); }

  void copy(const std::string& name) {
    case_ = folder_.file("case");
    fs::remove_all(case_);
    fs::copy(kCases + "/" + name, case_);
    fs::permissions(case_, fs::perms::owner_all, fs::perm_options::add);
  }

  ProgramRun regress(const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments = {"regress", case_};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_program(arguments);
  }

  void expect_failure(const std::vector<std::string>& parts,
                      const std::vector<std::string>& more = {}) {
    const ProgramRun run = regress(more);
    EXPECT_EQ(run.exit_code, 1) << run.err;
    for (const std::string& part : parts) EXPECT_THAT(run.err, HasSubstr(part));
  }

  TemporaryFolder folder_;
  std::string case_;
};

TEST_F(BrokenCase, TheCopyItselfHolds) { EXPECT_EQ(regress().exit_code, 0); }

TEST_F(BrokenCase, OneFlippedBitOfTheGoldenOutput) {
  std::string bytes = TemporaryFolder::read(case_ + "/golden.safetensors");
  bytes[bytes.size() - 4] = static_cast<char>(bytes[bytes.size() - 4] ^ 1);
  folder_.write("case/golden.safetensors", bytes);
  for (const char* level : {"fixed", "systemc", "all"})
    expect_failure({"tensor 'out_q' [6,23]", "golden"}, {"--level", level});
}

TEST_F(BrokenCase, OneFlippedBitOrOneWrongCycleAgainstTheRtl) {
  copy("damf-shift-33");
  EXPECT_EQ(regress({"--level", "rtl"}).exit_code, 0);
  const std::string path = case_ + "/counters.json";
  auto counters = nlohmann::json::parse(TemporaryFolder::read(path));
  counters["beat"]["cycles"] = counters["beat"]["cycles"].get<long>() + 1;
  folder_.write("case/counters.json", counters.dump());
  expect_failure({"counter 'cycles'", "rtl"}, {"--level", "rtl"});
  copy("damf-shift-33");
  std::string bytes = TemporaryFolder::read(case_ + "/golden.safetensors");
  bytes[bytes.size() - 4] = static_cast<char>(bytes[bytes.size() - 4] ^ 1);
  folder_.write("case/golden.safetensors", bytes);
  expect_failure({"tensor '", "rtl"}, {"--level", "rtl"});
}

TEST_F(BrokenCase, OneWrongCounterOfEither) {
  const std::string path = case_ + "/counters.json";
  const auto good = nlohmann::json::parse(TemporaryFolder::read(path));
  for (const char* timing : {"tile", "beat"}) {
    for (const char* counter : {"cycles", "macs.dynamic", "engines.damf.busy_cycles",
                                "memory.sram.read_bytes", "engines.cim.stalls.dram"}) {
      auto broken = good;
      broken[timing][counter] = broken[timing].value(counter, 0L) + 1;
      folder_.write("case/counters.json", broken.dump());
      expect_failure({std::string("counter '") + counter + "'", timing}, {"--level", "systemc"});
    }
  }
}

TEST_F(BrokenCase, ACounterThatIsNotThereOrNotExpected) {
  const std::string path = case_ + "/counters.json";
  auto counters = nlohmann::json::parse(TemporaryFolder::read(path));
  const auto good = counters;
  counters["tile"]["invented"] = 1;
  folder_.write("case/counters.json", counters.dump());
  expect_failure({"'invented'"});
  counters = good;
  counters["tile"].erase("macs.static");
  folder_.write("case/counters.json", counters.dump());
  expect_failure({"'macs.static'"});
}

TEST_F(BrokenCase, ComparedWithNothingHasFailed) {
  copy("damf-shift-33");
  fs::remove(case_ + "/golden.safetensors");
  for (const char* level : {"fixed", "systemc", "rtl"})
    expect_failure({"missing"}, {"--level", level});
  copy("damf-shift-33");
  fs::remove(case_ + "/counters.json");
  expect_failure({"no golden counters"}, {"--level", "systemc"});
  expect_failure({"no golden counters"}, {"--level", "rtl"});
}

TEST_F(BrokenCase, AChangedInputChangesTheOutput) {
  std::string bytes = TemporaryFolder::read(case_ + "/input.safetensors");
  bytes[bytes.size() - 2] = static_cast<char>(bytes[bytes.size() - 2] ^ 0x40);
  folder_.write("case/input.safetensors", bytes);
  expect_failure({"tensor 'out_q'"});
}

TEST_F(BrokenCase, BlessMakesTheShippedGoldens) {
  for (const char* name : {"layer-damf-7", "softmax-7-causal", "damf-shift-33", "matmul-4x2"}) {
    copy(name);
    const std::string golden = TemporaryFolder::read(case_ + "/golden.safetensors");
    const std::string counters = TemporaryFolder::read(case_ + "/counters.json");
    fs::remove(case_ + "/golden.safetensors");
    fs::remove(case_ + "/counters.json");
    const ProgramRun run = regress({"--bless"});
    EXPECT_EQ(run.exit_code, 1) << "a blessing run never passes";
    EXPECT_THAT(run.out, HasSubstr("1 of 1 cases blessed"));
    EXPECT_THAT(run.err, HasSubstr("nothing compared"));
    EXPECT_EQ(TemporaryFolder::read(case_ + "/golden.safetensors"), golden) << name;
    EXPECT_EQ(TemporaryFolder::read(case_ + "/counters.json"), counters) << name;
  }
}

TEST_F(BrokenCase, OneThatCannotBeReadDoesNotStopTheOthers) {
  const std::string xml = folder_.file("results.xml");
  const ProgramRun run = run_program({"regress", "softmax-1", folder_.file("nowhere"),
                                      "softmax-1-causal", "--level", "fixed", "--junit", xml});
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_THAT(run.out, HasSubstr("2 of 3 cases ok"));
  EXPECT_THAT(run.err, HasSubstr("nowhere"));
  const std::string text = TemporaryFolder::read(xml);
  EXPECT_THAT(text, HasSubstr("tests=\"3\" failures=\"0\" errors=\"1\" skipped=\"0\""));
  EXPECT_THAT(text, HasSubstr("name=\"softmax-1\"></testcase>"));
  EXPECT_THAT(text, HasSubstr("nowhere\"><error message=\"regress: "));
}

// A CI service reads the file, not the one line, also when no case could be read.
TEST_F(BrokenCase, TheXmlIsWrittenWhenTheOnlyCaseIsRefused) {
  const std::string xml = folder_.file("results.xml");
  for (const char* given : {"nowhere", "nothing-*"}) {
    fs::remove(xml);
    expect_bad_input({"regress", given, "--junit", xml}, {"regress: '", given});
    EXPECT_THAT(TemporaryFolder::read(xml), HasSubstr("tests=\"1\" failures=\"0\" errors=\"1\""));
  }
  expect_bad_input({"regress", case_, "--junit", folder_.file("no/such.xml")},
                   {"such.xml", "expected a writable directory"});
}

TEST_F(BrokenCase, TheSameOrderAndFilesHoweverManyProcesses) {
  std::vector<std::string> said;
  for (const char* processes : {"1", "5"}) {
    const std::string xml = folder_.file("results.xml");
    const ProgramRun run =
        run_program({"regress", "softmax-*", "damf-*", "nowhere", "linear-*", "matmul-1x1",
                     "--level", "systemc", "-j", processes, "--junit", xml});
    EXPECT_EQ(run.exit_code, 2);
    said.push_back(run.out + run.err + TemporaryFolder::read(xml));
  }
  EXPECT_EQ(said[0], said[1]);
  EXPECT_THAT(said[0], HasSubstr("matmul-1x1"));
}

// The case takes minutes, so the process that is killed was at work on it.
TEST_F(BrokenCase, ACrashIsTheFailureOfItsCase) {
  copy("sinkhorn-33");
  folder_.write("case/case.yaml",
                "kind: operator\nchip: small\noperator: sinkhorn\n"
                "settings: {iterations: 1000000}\n");
  const std::string xml = folder_.file("results.xml"), said = folder_.file("said");
  const pid_t id = start_program(
      {"regress", "softmax-1", case_, "--level", "systemc", "-j", "1", "--junit", xml}, said);
  ASSERT_TRUE(eventually(
      [&] { return TemporaryFolder::read(said).find("softmax-1") != std::string::npos; }));
  // By now the second case has begun.
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  for (const pid_t worker : children_of(id)) ::kill(worker, SIGKILL);
  int status = 0;
  ASSERT_EQ(::waitpid(id, &status, 0), id);
  EXPECT_EQ(WEXITSTATUS(status), 1);
  const std::string text = TemporaryFolder::read(said);
  EXPECT_THAT(text, HasSubstr("CRASHED"));
  EXPECT_THAT(text, HasSubstr(case_ + ": its process ended: signal 9"));
  EXPECT_THAT(text, HasSubstr("1 of 2 cases ok"));
  EXPECT_THAT(TemporaryFolder::read(xml), HasSubstr("tests=\"2\" failures=\"0\" errors=\"1\""));
}

TEST(Regress, PatternsNameCases) {
  const ProgramRun run = run_program({"regress", "softmax-1*", "--level", "fixed"});
  EXPECT_EQ(run.exit_code, 0);
  EXPECT_THAT(run.out, HasSubstr("softmax-128-causal"));
  EXPECT_THAT(run.out, testing::Not(HasSubstr("damf")));
  expect_bad_input({"regress", "nothing-*"}, {"'nothing-*'", "a pattern that a shipped case fits"});
}

// Everything that differs is counted, not only the first.
TEST_F(BrokenCase, AllDifferencesAreCounted) {
  folder_.write("case/counters.json",
                "{\"schema_version\": 1, \"tile\": {\"a\": 1}, \"beat\": {\"a\": 1}}");
  const ProgramRun run = regress({"--level", "systemc"});
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_THAT(run.err, testing::ContainsRegex("[0-9]+ differences in all"));
}

TEST(Regress, ABlessingNamesItsCases) {
  expect_bad_input({"regress", "--bless"}, {"--bless", "names of cases, or --all"});
}

// A check that was asked for and not made is no success.
TEST(Regress, RtlThatIsNotBuiltIsNamedAndFails) {
  const TemporaryFolder empty;
  const std::string before =
      std::getenv("QUADRILLE_RTL_CACHE") == nullptr ? "" : std::getenv("QUADRILLE_RTL_CACHE");
  ::setenv("QUADRILLE_RTL_CACHE", empty.file("cache").c_str(), 1);
  const auto junit = [&] { return TemporaryFolder::read(empty.file("results.xml")); };
  const auto regress = [&](std::vector<std::string> words) {
    words.insert(words.begin(), {"regress", "softmax-1", "--junit", empty.file("results.xml")});
    return run_program(words);
  };
  const ProgramRun run = regress({});
  const std::string missing = junit();
  const ProgramRun allowed = regress({"--allow-missing-rtl"});
  const std::string skipped = junit();
  const ProgramRun nothing = regress({"--level", "rtl", "--allow-missing-rtl"});
  if (before.empty()) {
    ::unsetenv("QUADRILLE_RTL_CACHE");
  } else {
    ::setenv("QUADRILLE_RTL_CACHE", before.c_str(), 1);
  }
  EXPECT_EQ(run.exit_code, 1);
  for (const char* engine : {"cim", "softmax"})
    EXPECT_THAT(run.err, testing::ContainsRegex(
                             std::string("not built: quadrille rtl build .*--engine ") + engine));
  EXPECT_EQ(allowed.exit_code, 0);
  // The XML says the same as the exit status.
  EXPECT_THAT(missing, HasSubstr("tests=\"3\" failures=\"0\" errors=\"2\" skipped=\"0\""));
  EXPECT_THAT(skipped, HasSubstr("tests=\"3\" failures=\"0\" errors=\"0\" skipped=\"2\""));
  EXPECT_THAT(skipped, HasSubstr("<skipped message=\"not compared, because its RTL is not built"));
  EXPECT_EQ(nothing.exit_code, 1) << "a comparison of nothing fails";
  EXPECT_THAT(nothing.err, HasSubstr("nothing was compared"));
}

TEST_F(BrokenCase, TheChipsPathIsMeantFromTheCase) {
  fs::copy_file(source_path("chips/small.yaml"), case_ + "/mine.yaml");
  std::string text = TemporaryFolder::read(case_ + "/case.yaml");
  const std::size_t at = text.find("chip: small");
  ASSERT_NE(at, std::string::npos);
  folder_.write("case/case.yaml", text.replace(at, 11, "chip: mine.yaml"));
  EXPECT_EQ(regress({"--level", "systemc"}).exit_code, 0);
}

// --- Bounds -----------------------------------------------------------------------

class BoundedCase : public BrokenCase {
 protected:
  void SetUp() override { copy("softmax-7"); }

  void state(const std::string& keys) {
    folder_.write("case/case.yaml", TemporaryFolder::read(case_ + "/case.yaml") + keys + "\n");
  }

  long golden_cycles(const char* timing) const {
    const auto counters = nlohmann::json::parse(TemporaryFolder::read(case_ + "/counters.json"));
    return counters[timing]["cycles"].get<long>();
  }

  void change_counter(const std::string& name) {
    const std::string path = case_ + "/counters.json";
    auto counters = nlohmann::json::parse(TemporaryFolder::read(path));
    for (const char* timing : {"tile", "beat"})
      counters[timing][name] = counters[timing][name].get<long>() + 1;
    folder_.write("case/counters.json", counters.dump());
  }

  /// Adds `codes` to the last code of the golden's last tensor, `weights`.
  void change_golden(int codes) {
    std::string bytes = TemporaryFolder::read(case_ + "/golden.safetensors");
    char& last = bytes[bytes.size() - 4];
    last = static_cast<char>(last + codes);
    folder_.write("case/golden.safetensors", bytes);
  }
};

TEST_F(BoundedCase, CyclesAtMostTakeThePlaceOfTheCountersOfTime) {
  const long cycles = std::max(golden_cycles("tile"), golden_cycles("beat"));
  state("cycles: {at_most: " + std::to_string(cycles) + "}");
  change_counter("cycles");
  change_counter("engines.softmax.stalled_cycles");
  change_counter("engines.softmax.stalls.dram");
  const ProgramRun run = regress();
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr(", 3 bounds"));
  change_counter("memory.dram.read_bytes");
  expect_failure({"counter 'memory.dram.read_bytes'"});
  copy("softmax-7");
  state("cycles: {at_most: " + std::to_string(cycles - 1) + "}");
  expect_failure({"cycles: " + std::to_string(cycles) + " in ",
                  "expected at most " + std::to_string(cycles - 1)});
  const std::string counters = TemporaryFolder::read(case_ + "/counters.json");
  expect_failure({"cycles: "}, {"--bless"});
  EXPECT_EQ(TemporaryFolder::read(case_ + "/counters.json"), counters);
}

TEST_F(BoundedCase, SqnrAtLeastTakesThePlaceOfTheGoldenOutputs) {
  state("sqnr_db: {at_least: 10}");
  fs::remove(case_ + "/golden.safetensors");
  const ProgramRun run = regress();
  EXPECT_EQ(run.exit_code, 0) << run.err;
  copy("softmax-7");
  state("sqnr_db: {at_least: 300}");
  expect_failure({"sqnr_db of 'out': ", " in fixed, expected at least 300"}, {"--level", "fixed"});
  expect_failure({" in rtl, expected at least 300"}, {"--level", "rtl"});
  expect_failure({"sqnr_db"}, {"--bless"});
}

TEST_F(BoundedCase, ToleranceIsOfTheOutputsValues) {
  // Blessed, so that the golden keeps the scale of what has a tolerance.
  state("tolerance: {weights: {max_abs: 0}}");
  EXPECT_THAT(regress({"--bless"}).out, HasSubstr("1 of 1 cases blessed"));
  EXPECT_THAT(TemporaryFolder::read(case_ + "/golden.safetensors"), HasSubstr("weights_q.scale"));
  EXPECT_EQ(regress().exit_code, 0);
  change_golden(2);
  expect_failure({"tensor 'weights' [6,6]: golden ", "expected at most 0 apart (1 of 49 differs)"});
  // One code of the weights is 2^-16: of 2.5 codes two are allowed, three are not.
  copy("softmax-7");
  state("tolerance: {weights: {max_abs: 0.00003815}}");
  change_golden(2);
  EXPECT_EQ(regress().exit_code, 0) << regress().err;
  change_golden(1);
  expect_failure({"tensor 'weights' [6,6]: "});
  fs::remove(case_ + "/golden.safetensors");
  expect_failure({"no golden of shape [7,7]", "tensor 'out_q': missing in golden"});
}

TEST_F(BoundedCase, WithoutDataOnlyTimingAndCounters) {
  fs::remove(case_ + "/golden.safetensors");
  fs::remove(case_ + "/counters.json");
  fs::remove(case_ + "/input.safetensors");
  state("data: false\nshapes: {Q: [7, 16], K: [7, 16], V: [7, 16]}");
  expect_failure({"no golden counters"});
  EXPECT_THAT(regress({"--bless"}).out, HasSubstr("1 of 1 cases blessed"));
  EXPECT_FALSE(fs::exists(case_ + "/golden.safetensors"));
  const ProgramRun run = regress();
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr(" 0 values, "));
  // The same cycles as with data: nothing here hangs on values.
  const long cycles = golden_cycles("tile");
  change_counter("cycles");
  expect_failure({"counter 'cycles'", "systemc (tile)", "systemc (beat)"}, {"--level", "systemc"});
  expect_failure({"counter 'cycles'", "rtl"}, {"--level", "rtl"});
  expect_failure({"nothing to compare"}, {"--level", "fixed"});
  copy("softmax-7");
  EXPECT_EQ(golden_cycles("tile"), cycles);
  copy("layer-softmax-7");
  state("data: false");
  EXPECT_THAT(regress({"--bless", "--level", "systemc"}).out, HasSubstr("1 of 1 cases blessed"));
  EXPECT_EQ(regress().exit_code, 0);
}

TEST_F(BoundedCase, MistakesInBoundsAreNamed) {
  const auto refused = [&](const std::string& keys, const std::vector<std::string>& parts) {
    SCOPED_TRACE(keys);
    copy("softmax-7");
    state(keys);
    expect_bad_input({"regress", case_}, parts);
  };
  refused("cycels: {at_most: 5}", {"case.yaml: line ", "'cycels'", "did you mean 'cycles'?"});
  refused("cycles: {atmost: 5}", {"cycles", "at_most"});
  refused("cycles: {at_most: 5, at_mst: 6}", {"'at_mst', did you mean 'at_most'?"});
  refused("cycles: {at_most: 0}", {"cycles.at_most: expected an integer in 1.."});
  refused("sqnr_db: {at_least: high}", {"sqnr_db.at_least: expected a number"});
  refused("tolerance: {wieghts: {max_abs: 1}}", {"tolerance.wieghts", "did you mean 'weights'?"});
  refused("tolerance: {out: {max_abs: -1}}", {"tolerance.out.max_abs"});
  refused("data: false", {"'shapes'"});
  refused("data: false\nshapes: {Q: [7, 16]}\nsqnr_db: {at_least: 3}", {"sqnr_db", "without data"});
  refused("shapes: {Q: [7, 16]}", {"shapes", "input.safetensors has them"});
}

TEST_F(BrokenCase, CasesThatCannotBeRead) {
  expect_bad_input({"regress", "layr-damf-7"}, {"did you mean 'layer-damf-7'?"});
  copy("damf-shift-33");
  folder_.write("case/counters.json", "{");
  expect_bad_input({"regress", case_, "--level", "rtl"}, {"counters.json"});
  copy("layer-damf-7");
  folder_.write("case/golden.safetensors", "short");
  expect_bad_input({"regress", case_}, {"golden.safetensors"});
  copy("layer-damf-7");
  fs::remove(case_ + "/input.safetensors");
  expect_bad_input({"regress", case_}, {"input.safetensors"});
  folder_.write("case/case.yaml", "kind: operater\nchip: small\n");
  expect_bad_input({"regress", case_}, {"case.yaml", "operator"});
}

}  // namespace
}  // namespace quadrille::testbench
