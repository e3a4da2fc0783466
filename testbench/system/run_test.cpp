// Question: does `run` write the report it promises, the same bytes each time,
// and nothing at all when the input is at fault?
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <numeric>
#include <sstream>
#include <thread>

#include "app/config/chip_file.h"
#include "app/files/safetensors.h"
#include "app/report/summary_schema.h"
#include "app/report/units.h"
#include "app/rtl/built_rtl.h"
#include "hw/engines.h"
#include "model/errors.h"
#include "testbench/common/expect_bad_input.h"
#include "testbench/common/expect_schema.h"
#include "testbench/common/published_page.h"
#include "testbench/common/source_tree.h"

namespace quadrille::testbench {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

const std::string kRoot = source_folder();

class Run : public testing::Test {
 protected:
  std::string out(const std::string& name = "out") const { return folder_.file(name); }

  ProgramRun run(const std::string& workload, const std::vector<std::string>& more = {},
                 const std::string& chip = "small", const std::string& folder = "out") {
    std::vector<std::string> arguments = {"run", "-w", workload, "-c", chip, "-o", out(folder)};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_program(arguments);
  }

  json summary(const std::string& workload, const std::vector<std::string>& more = {},
               const std::string& chip = "small") {
    const ProgramRun made = run(workload, more, chip);
    EXPECT_EQ(made.exit_code, 0) << made.err;
    EXPECT_EQ(made.err, "");
    return json::parse(TemporaryFolder::read(out() + "/summary.json"));
  }

  /// Exit code 2, one line with `parts`, and no output folder.
  void refuse(const std::string& workload, const std::string& chip,
              const std::vector<std::string>& parts, const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments = {"run", "-w", workload, "-c", chip, "-o", out()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    expect_bad_input(arguments, parts);
    EXPECT_FALSE(fs::exists(out()));
  }

  /// A copy of a shipped file with the line that begins with `key` replaced.
  std::string edited(const std::string& shipped, const std::string& key, const std::string& line) {
    std::string text = TemporaryFolder::read(kRoot + "/" + shipped);
    const std::size_t begin = text.find("\n" + key);
    EXPECT_NE(begin, std::string::npos) << key;
    const std::size_t end = text.find('\n', begin + 1);
    text.replace(begin + 1, end - begin - 1, line);
    return folder_.write("edited.yaml", text);
  }

  void refuse_chip(const std::string& key, const std::string& line,
                   const std::vector<std::string>& parts) {
    SCOPED_TRACE(line);
    std::vector<std::string> all = parts;
    all.push_back("edited.yaml");
    refuse("smoke-damf", edited("chips/small.yaml", key, line), all);
  }

  TemporaryFolder folder_;
};

void expect_measures(const json& measures) {
  for (const char* kind : {"static", "dynamic", "wasted"})
    EXPECT_TRUE(measures.at("macs").at(kind).is_number_integer());
  for (const char* level : {"dram", "sram", "cim"}) {
    EXPECT_TRUE(measures.at("memory").at(level).at("read_bytes").is_number_integer());
    EXPECT_TRUE(measures.at("memory").at(level).at("write_bytes").is_number_integer());
  }
  const json& energy = measures.at("energy_pj");
  double by_component = 0.0;
  for (const auto& component : energy.at("by_component")) by_component += component.get<double>();
  EXPECT_NEAR(by_component, energy.at("total"), 1e-6 * energy.at("total").get<double>());
  EXPECT_DOUBLE_EQ(energy.at("total"),
                   energy.at("dynamic").get<double>() + energy.at("static").get<double>());
  EXPECT_GT(measures.at("area_um2").get<double>(), 0.0);
  EXPECT_GT(energy.at("dynamic").get<double>(), 0.0);
  EXPECT_GT(energy.at("static").get<double>(), 0.0);
  EXPECT_TRUE(measures.at("error").contains("sqnr_db"));
  EXPECT_TRUE(measures.at("error").contains("max_abs"));
  EXPECT_TRUE(measures.at("clock_hz").is_number());
  for (const std::string& name : hw::engines().names()) {
    const json& engine = measures.at("engines").at(name);
    EXPECT_EQ(engine.at("busy_cycles").get<long>() + engine.at("stalled_cycles").get<long>() +
                  engine.at("idle_cycles").get<long>(),
              measures.at("cycles").get<long>())
        << name;
    long stalled = 0;
    for (const auto& cause : measures.at("stalls").at(name)) stalled += cause.get<long>();
    EXPECT_EQ(stalled, engine.at("stalled_cycles").get<long>()) << name;
  }
}

TEST_F(Run, SchemaIsMadeFromTheTableOfCounters) {
  expect_published("summary.schema.json", app::summary_schema_json());
}

TEST_F(Run, SummariesKeepTheirSchema) {
  const json schema = json::parse(TemporaryFolder::read(kRoot + "/docs/summary.schema.json"));
  expect_schema(schema, summary("smoke-damf", {"--impl", "damf=rtl"}), "");
  expect_schema(schema, summary("smoke-softmax", {"--no-data"}), "");
  expect_schema(schema, summary("licences-softmax"), "");
}

TEST_F(Run, WritesTheReportItPromises) {
  for (const char* workload : {"smoke-softmax", "smoke-damf"}) {
    SCOPED_TRACE(workload);
    const json total = summary(workload);
    EXPECT_EQ(total.at("schema_version"), 2);
    EXPECT_EQ(total.at("workload"), workload);
    EXPECT_GT(total.at("cycles").get<long>(), 0);
    EXPECT_GT(total.at("error").at("sqnr_db").get<double>(), 20.0);
    expect_measures(total);
    ASSERT_EQ(total.at("layers").size(), 1U);
    EXPECT_EQ(total.at("layers")[0].at("cycles"), total.at("cycles"));
    for (const auto& input : total.at("inputs"))
      EXPECT_THAT(input.at("fnv1a_64").get<std::string>(), testing::SizeIs(16));
    std::vector<std::string> files;
    for (const auto& entry : fs::directory_iterator(out()))
      files.push_back(entry.path().filename().string());
    EXPECT_THAT(
        files, UnorderedElementsAre("summary.json", "layers.csv", "nodes.csv", "engines.csv",
                                    "steps.csv", "tensors.csv", "commands.csv", "critical_path.csv",
                                    "counters.csv", "outputs.safetensors"));
  }
}

TEST_F(Run, ConsoleShowsTheSameTotals) {
  const ProgramRun made = run("smoke-damf");
  const json total = json::parse(TemporaryFolder::read(out() + "/summary.json"));
  EXPECT_THAT(made.out,
              HasSubstr(app::grouped_digits(total.at("cycles").get<long>()) + " cycles at "));
  EXPECT_THAT(made.out, HasSubstr(app::grouped_digits(total.at("macs").at("static").get<long>()) +
                                  " static"));
  for (const char* unit : {" MHz", " nJ", " mm²", "B/s", "OPS", "TOPS/W"})
    EXPECT_THAT(made.out, HasSubstr(unit));
  EXPECT_THAT(made.out, HasSubstr("bound by " + total.at("bound_by").get<std::string>()));
}

// A bound depends on workload and chip alone, so no run is faster, and the shares of the
// console are those of the summary.
/// Whole numbers of a column of a CSV file without quotes.
std::vector<std::int64_t> column_of(const std::string& csv, const std::string& name) {
  std::istringstream lines(csv);
  std::string line;
  std::getline(lines, line);
  const auto fields = [](const std::string& text) {
    std::vector<std::string> all;
    std::istringstream parts(text);
    for (std::string field; std::getline(parts, field, ',');) all.push_back(field);
    return all;
  };
  const std::vector<std::string> names = fields(line);
  const auto at = std::find(names.begin(), names.end(), name) - names.begin();
  std::vector<std::int64_t> values;
  while (std::getline(lines, line))
    values.push_back(std::stoll(fields(line).at(static_cast<std::size_t>(at))));
  return values;
}

TEST_F(Run, CyclesOfStepsAndOfTheCriticalPathSumToTheRuns) {
  const json total = summary("smoke-softmax", {"--no-data"});
  for (const char* file : {"steps.csv", "critical_path.csv", "layers.csv"}) {
    const auto cycles = column_of(TemporaryFolder::read(out() + "/" + file), "cycles");
    EXPECT_EQ(std::accumulate(cycles.begin(), cycles.end(), std::int64_t{0}),
              total.at("cycles").get<std::int64_t>())
        << file;
  }
}

TEST_F(Run, WithoutAFolderReportsOfSeveralWorkloadsLieSideBySide) {
  for (int round = 0; round < 2; ++round) {
    for (const char* workload : {"smoke-softmax", "smoke-damf"}) {
      const ProgramRun made =
          run_program({"run", "-w", workload, "-c", "small", "--no-data"}, folder_.file(""));
      ASSERT_EQ(made.exit_code, 0) << made.err;
      EXPECT_THAT(made.out, HasSubstr(std::string("report in out/") + workload));
      EXPECT_FALSE(
          TemporaryFolder::read(folder_.file("out/" + std::string(workload) + "/summary.json"))
              .empty());
    }
  }
}

TEST_F(Run, NoShippedWorkloadBeatsItsBounds) {
  for (const char* workload : {"smoke-softmax", "smoke-damf", "smoke-sinkhorn", "smoke-linear",
                               "licences-softmax", "hyper-connections"}) {
    const json total = summary(workload, {"--no-data"});
    SCOPED_TRACE(workload);
    const long cycles = total.at("cycles").get<long>();
    long largest = 0;
    for (const auto& bound : total.at("bounds")) {
      EXPECT_LE(bound.get<long>(), cycles);
      largest = std::max(largest, bound.get<long>());
    }
    EXPECT_EQ(total.at("bounds").at(total.at("bound_by").get<std::string>() + "_cycles"), largest);
    EXPECT_DOUBLE_EQ(total.at("cycles_over_bound").get<double>(),
                     static_cast<double>(cycles) / static_cast<double>(largest));
    const json& macs = total.at("macs");
    EXPECT_DOUBLE_EQ(
        macs.at("achieved_per_cycle").get<double>(),
        static_cast<double>(macs.at("static").get<long>() + macs.at("dynamic").get<long>()) /
            static_cast<double>(cycles));
  }
}

TEST_F(Run, SameInputsSameBytes) {
  for (const char* name : {"a", "b"})
    EXPECT_EQ(run("smoke-softmax", {}, "small", name).exit_code, 0);
  for (const auto& entry : fs::directory_iterator(out("a"))) {
    const std::string name = entry.path().filename().string();
    EXPECT_EQ(TemporaryFolder::read(entry.path().string()),
              TemporaryFolder::read(out("b") + "/" + name))
        << name;
  }
}

TEST_F(Run, TheSeedChangesTheDataAndNothingElse) {
  const json first = summary("smoke-damf");
  const json second = summary("smoke-damf", {"--seed", "2"});
  EXPECT_EQ(second.at("seed"), 2);
  EXPECT_NE(first.at("error"), second.at("error"));
  EXPECT_EQ(first.at("cycles"), second.at("cycles"));
  EXPECT_EQ(first.at("memory"), second.at("memory"));
}

TEST_F(Run, WithoutDataTheSameCyclesAndAccesses) {
  for (const char* workload : {"smoke-softmax", "smoke-damf", "licences-softmax"}) {
    for (const char* timing : {"tile", "beat"}) {
      SCOPED_TRACE(std::string(workload) + " " + timing);
      const json with = summary(workload, {"--timing", timing});
      const json without = summary(workload, {"--timing", timing, "--no-data"});
      for (const char* key :
           {"cycles", "macs", "ops", "memory", "energy_pj", "engines", "stalls", "area_um2"}) {
        EXPECT_EQ(with.at(key), without.at(key)) << key;
      }
      EXPECT_EQ(without.at("error").at("max_abs"), nullptr);
      EXPECT_EQ(without.at("error").at("sqnr_db"), nullptr);
      for (const auto& engine : without.at("values")) {
        EXPECT_EQ(engine.at("saturated"), nullptr);
        if (engine.contains("uniform_rows")) {
          EXPECT_EQ(engine.at("uniform_rows"), nullptr);
        }
      }
    }
  }
}

// A strip of weights takes more than half of the free macros there: the next one may
// only be written once it has been used. The run compares every value with `fixed`.
TEST_F(Run, OneSlotOfMacrosIsNotOverwrittenBeforeItsUse) {
  EXPECT_GT(summary("bert-small-mhsa-softmax").at("cycles"), 0);
}

// The same run from a file with the values in it, from a base with the differences
// and from --set; without -c it is the default chip.
TEST_F(Run, ABaseAndSetMakeTheChipThatAFileMakes) {
  const std::string whole = edited("chips/small.yaml", "  macros:", "  macros: 16");
  const std::string based = folder_.write("based.yaml", "base: small\ncim:\n  macros: 16\n");
  const auto key = [](const json& made, const char* name) { return made.at(name).dump(); };
  const json expected = summary("smoke-damf", {"--no-data"}, whole);
  const json from_base = summary("smoke-damf", {"--no-data"}, based);
  const json from_set = summary("smoke-damf", {"--no-data", "--set", "cim.macros=16"});
  for (const char* name : {"cycles", "energy_pj", "area_um2", "memory"}) {
    EXPECT_EQ(key(from_base, name), key(expected, name)) << name;
    EXPECT_EQ(key(from_set, name), key(expected, name)) << name;
  }
  EXPECT_NE(key(summary("smoke-damf", {"--no-data"}), "area_um2"), key(expected, "area_um2"));
  std::vector<std::string> roles;
  for (const json& input : from_base.at("inputs")) roles.push_back(input.at("role"));
  EXPECT_THAT(roles, testing::ElementsAre("workload", "chip", "chip base", "technology"));

  const json longer = summary("smoke-damf", {"--no-data", "--set", "workload.tokens=40"});
  const std::string workload = edited("workloads/smoke-damf.yaml", "tokens:", "tokens: 40");
  EXPECT_EQ(key(longer, "cycles"), key(summary(workload, {"--no-data"}), "cycles"));
  EXPECT_NE(key(longer, "cycles"), key(summary("smoke-damf", {"--no-data"}), "cycles"));
  EXPECT_EQ(longer.at("settings"), json({"workload.tokens=40"}));

  const ProgramRun bare = run_program({"run", "-w", "smoke-damf", "--no-data", "-o", out("bare")});
  EXPECT_EQ(bare.exit_code, 0) << bare.err;
  EXPECT_EQ(json::parse(TemporaryFolder::read(out("bare") + "/summary.json")).at("chip"),
            "default");
}

TEST_F(Run, EnginesInRtlTakeTheCyclesOfBeat) {
  const hw::ChipConfig chip = app::read_chip_file(kRoot + "/chips/small.yaml");
  for (const auto& [workload, engine] :
       {std::pair{"smoke-damf", "damf"}, std::pair{"smoke-softmax", "softmax"}}) {
    SCOPED_TRACE(workload);
    std::vector<std::string> words;
    json names = json::array();
    for (const std::string name : {"cim", engine}) {
      ASSERT_NO_THROW(app::require_rtl(name, chip));
      words.insert(words.end(), {"--impl", name + "=rtl"});
      names.push_back(name);
    }
    const json beat = summary(workload, {"--timing", "beat"});
    const json rtl = summary(workload, words);
    EXPECT_EQ(rtl.at("rtl"), names);
    EXPECT_EQ(rtl.at("timing"), "beat");
    for (const char* key : {"cycles", "macs", "memory", "error", "engines", "stalls"})
      EXPECT_EQ(rtl.at(key), beat.at(key)) << key;
  }
}

TEST_F(Run, TrainedLayersReportTheirLoss) {
  for (const char* workload : {"licences-softmax", "licences-damf"}) {
    SCOPED_TRACE(workload);
    const json total = summary(workload, {}, "default");
    const json& loss = total.at("loss");
    EXPECT_EQ(loss.at("predictions"), 127);
    EXPECT_NEAR(loss.at("chip").get<double>(), loss.at("float").get<double>(), 0.01);
    EXPECT_NE(loss.at("chip"), loss.at("float"));
    EXPECT_EQ(total.at("inputs").size(), 5U);
    EXPECT_EQ(total.at("seed"), nullptr);
  }
}

// Nobody's files are lost: a folder that no run wrote, or in which somebody keeps a file,
// is refused before anything runs.
TEST_F(Run, RefusesAFolderThatItDidNotWrite) {
  const auto refused = [&](const char* name) {
    expect_bad_input({"run", "-w", "smoke-damf", "-c", "small", "-o", out()}, {out(), name});
  };
  fs::create_directory(out());
  EXPECT_EQ(run("smoke-damf").exit_code, 0) << "an empty folder";
  folder_.write("out/notes.txt", "mine");
  refused("'notes.txt'");
  fs::remove(out() + "/notes.txt");
  folder_.write("out/summary.json", "{\"mine\": 1}");
  refused("no summary.json of a run");
  expect_bad_input({"run", "-w", "smoke-damf", "-o", ""}, {"-o", "expected the name of a folder"});
  EXPECT_EQ(TemporaryFolder::read(out() + "/summary.json"), "{\"mine\": 1}");
}

// A limit on the size of files is told like a full disk; the signal of the system would end
// the program in the middle.
TEST_F(Run, AFileLargerThanAllowedIsRefused) {
  const std::string said = folder_.file("said");
  const std::string command = "(ulimit -f 4; '" + program_path() +
                              "' run -w smoke-damf -c small -o '" + out() + "' 2>'" + said +
                              "' >/dev/null)";
  const int status = std::system(command.c_str());
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 2);
  const std::string text = TemporaryFolder::read(said);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1) << text;
  EXPECT_THAT(text, HasSubstr("cannot be written: File too large"));
  EXPECT_THAT(folder_.entries(), testing::ElementsAre("said"));
}

// Two runs at once: the folder holds one of the two reports, never files of both.
TEST_F(Run, TwoRunsIntoOneFolderNeverMix) {
  for (int round = 0; round < 3; ++round) {
    std::thread other([&] { run("smoke-softmax"); });
    run("smoke-damf");
    other.join();
    const json total = json::parse(TemporaryFolder::read(out() + "/summary.json"));
    const bool damf = total.at("workload") == "smoke-damf";
    EXPECT_EQ(
        TemporaryFolder::read(out() + "/engines.csv").find("softmax,0,0") != std::string::npos ||
            !damf,
        true);
    const std::string commands = TemporaryFolder::read(out() + "/commands.csv");
    EXPECT_EQ(commands.find("score_inner") != std::string::npos, damf);
  }
}

TEST_F(Run, OutputsAreTheChipsTheFloatsAndTheCodes) {
  ASSERT_EQ(run("smoke-softmax").exit_code, 0);
  const auto file = app::SafetensorsFile::open(out() + "/outputs.safetensors");
  const std::vector<double> chip = file.read_f64("out");
  const std::vector<double> real = file.read_f64("out.float");
  const std::vector<std::int64_t> codes = file.read_i64("out.q");
  const double scale = std::stod(file.metadata().at("out.q.scale"));
  ASSERT_EQ(chip.size(), real.size());
  double signal = 0.0, noise = 0.0;
  for (std::size_t i = 0; i < chip.size(); ++i) {
    EXPECT_EQ(chip[i], static_cast<double>(codes[i]) * scale);
    signal += real[i] * real[i];
    noise += (chip[i] - real[i]) * (chip[i] - real[i]);
  }
  const json total = json::parse(TemporaryFolder::read(out() + "/summary.json"));
  EXPECT_NEAR(total.at("error").at("sqnr_db").get<double>(), 10.0 * std::log10(signal / noise),
              1e-9);
}

TEST_F(Run, ReplacesAnEarlierReportWhole) {
  EXPECT_EQ(run("smoke-softmax").exit_code, 0);
  folder_.write("out/residuals.csv", "old");
  EXPECT_EQ(run("smoke-damf").exit_code, 0);
  EXPECT_FALSE(fs::exists(out() + "/residuals.csv"));
  // A run that fails leaves the earlier report as it was.
  const std::string before = TemporaryFolder::read(out() + "/summary.json");
  expect_bad_input(
      {"run", "-w", edited("workloads/smoke-damf.yaml", "model_width", "model_width: 300"), "-c",
       "small", "-o", out()},
      {"max_model_width"});
  EXPECT_EQ(TemporaryFolder::read(out() + "/summary.json"), before);
  for (const auto& entry : fs::directory_iterator(out()))
    EXPECT_NE(entry.path().filename().string()[0], '.') << entry.path();
}

TEST_F(Run, FoldersThatCannotBeWritten) {
  const std::string file = folder_.write("file", "");
  expect_bad_input({"run", "-w", "smoke-damf", "-c", "small", "-o", file}, {file, "output folder"});
  expect_bad_input({"run", "-w", "smoke-damf", "-c", "small", "-o", file + "/below"},
                   {file + "/below", "output folder"});
  expect_bad_input({"run", "-w", "smoke-damf", "-c", "small", "-o", "/proc/none/out"},
                   {"/proc/none/out"});
}

TEST_F(Run, NothingIsLeftOfAFailedRun) {
  const std::string chip = edited("chips/small.yaml", "damf:", "damf:\n  max_tokens: 4\n#");
  // The duplicate key is refused before anything is made, parents included.
  expect_bad_input({"run", "-w", "smoke-damf", "-c", chip, "-o", out("deep/er")}, {"edited.yaml"});
  EXPECT_FALSE(fs::exists(out("deep")));
  // This one fails in the mapper, after the folder was made.
  expect_bad_input({"run", "-w", edited("workloads/smoke-damf.yaml", "tokens", "tokens: 4096"),
                    "-c", "small", "-o", out("deep/er"), "--no-data"},
                   {"max_tokens"});
  EXPECT_FALSE(fs::exists(out("deep")));
}

TEST_F(Run, RefusesChipFiles) {
  refuse("smoke-damf", folder_.file("absent.yaml"), {"absent.yaml"});
  refuse("smoke-damf", folder_.write("empty.yaml", ""), {"empty.yaml"});
  refuse("smoke-damf", folder_.write("list.yaml", "- a\n"), {"list.yaml"});
  refuse("smoke-damf", folder_.write("broken.yaml", "name: [\n"), {"broken.yaml"});
  refuse_chip("  macros", "  macross: 32", {"macross", "macros"});
  refuse_chip("clock_mhz", "clock_ghz: 1", {"clock_ghz", "clock_mhz"});
  refuse_chip("clock_mhz", "clock_mhz: 500 MHz", {"clock_mhz", "number"});
  refuse_chip("clock_mhz", "clock_mhz: -1", {"clock_mhz"});
  refuse_chip("  rows", "  rows: 0", {"cim.rows"});
  refuse_chip("  rows", "  rows: many", {"cim.rows", "integer"});
  refuse_chip("  columns", "  columns: 24", {"cim.columns"});
  refuse_chip("  word_bytes", "  word_bytes: 24", {"word_bytes"});
  refuse_chip("  banks", "  banks: 0", {"banks"});
  refuse_chip("  capacity_kib", "  capacity_kib: 1", {"scratchpad"});
  refuse_chip("  burst_bytes", "  burst_bytes: 3", {"dram.burst_bytes"});
  refuse_chip("  query_rows", "  query_rows: 0", {"damf.query_rows"});
  refuse_chip("  sram_factor", "  sram_factor: 9", {"sram_factor"});
  refuse_chip("technology", "technology: cmos82", {"cmos82", "did you mean 'cmos28'?"});
  refuse_chip("timing", "timing: beet", {"timing", "beat"});
}

TEST_F(Run, RefusesWorkloadFiles) {
  const auto refuse_workload = [&](const std::string& key, const std::string& line,
                                   const std::vector<std::string>& parts) {
    SCOPED_TRACE(line);
    std::vector<std::string> all = parts;
    all.push_back("edited.yaml");
    refuse(edited("workloads/smoke-damf.yaml", key, line), "small", all);
  };
  refuse_workload("heads", "haeds: 2", {"haeds", "heads"});
  refuse_workload("causal", "causal_allign: end", {"causal_allign", "causal_align"});
  refuse_workload("causal", "causal_align: middle", {"causal_align", "start"});
  refuse_workload("causal", "key_tokens: 3", {"key_tokens", "DAMF"});
  refuse_workload("causal", "key_heads: 1", {"key_heads", "DAMF"});
  refuse_workload("causal", "key_heads: 1000", {"key_heads"});
  refuse_workload("causal", "sinkhorn: {iterations: 3}", {"sinkhorn"});
  refuse_workload("tokens", "tokens: 0", {"tokens"});
  refuse_workload("tokens", "tokens: 1.5", {"tokens", "integer"});
  refuse_workload("mechanism", "mechanism: sinkhon", {"mechanism"});
  refuse_workload("kind", "kind: attention-lair", {"kind", "attention-layer"});
  refuse_workload("  mode", "  mode: shfit", {"damf.mode", "shift"});
  refuse_workload("  guard_bits", "  guard_bits: 17", {"guard_bits"});
  refuse_workload("  source", "  source: modle", {"data.source", "model"});
  refuse_workload("  seed", "  sede: 1", {"sede", "seed"});
  refuse_workload("model_width", "model_width: 1000000", {"2^31 elements"});
}

TEST_F(Run, TensorsFromAFile) {
  app::SafetensorsWriter writer;
  const auto ramp = [](std::size_t count) {
    std::vector<double> values;
    for (std::size_t i = 0; i < count; ++i)
      values.push_back(static_cast<double>((i * 7) % 13) / 13.0 - 0.4);
    return values;
  };
  writer.add_f64("X", {5, 8}, ramp(40));
  for (const char* name : {"WQ", "WK", "WV", "WO"}) writer.add_f64(name, {8, 8}, ramp(64));
  writer.write(folder_.file("tensors.safetensors"));
  const std::string text =
      "name: mine\nkind: attention-layer\nmechanism: softmax\ntokens: 5\nmodel_width: 8\n"
      "heads: 2\nhead_width: 4\ndata:\n  source: file\n  tensors: tensors.safetensors\n";
  const json total = summary(folder_.write("mine.yaml", text));
  EXPECT_EQ(total.at("inputs").size(), 4U);
  EXPECT_GT(total.at("error").at("sqnr_db").get<double>(), 15.0);

  fs::remove_all(out());
  std::string other = text;
  other.replace(other.find("tokens: 5"), 9, "tokens: 6");
  refuse(folder_.write("other.yaml", other), "small", {"tensors.safetensors", "'X'"});
  refuse(folder_.write("mine.yaml", text), "small", {"--seed"}, {"--seed", "3"});
  refuse(folder_.write("missing.yaml", text.substr(0, text.rfind("tensors:")) + "tensors: no.st\n"),
         "small", {"no.st"});
}

TEST_F(Run, ModelsThatDoNotFit) {
  const auto refuse_model = [&](const std::string& key, const std::string& line,
                                const std::vector<std::string>& parts) {
    SCOPED_TRACE(line);
    std::string text = TemporaryFolder::read(edited("workloads/licences-damf.yaml", key, line));
    for (std::size_t at; (at = text.find("../checkpoints")) != std::string::npos;)
      text.replace(at, 14, kRoot + "/checkpoints");
    refuse(folder_.write("model.yaml", text), "default", parts);
  };
  refuse_model("  layer", "  layer: 4", {"model.yaml", "data.layer", "0..3"});
  refuse_model("heads", "heads: 4", {"heads"});
  refuse_model("tokens", "tokens: 129", {"context"});
  refuse_model("  offset_bytes", "  offset_bytes: 1000000", {"heldout.txt", "offset"});
  refuse_model("  text", "  text: absent.txt", {"absent.txt"});
  refuse_model("  amax", "  amax: row", {"damf.amax", "'abs'"});
  refuse_model("model_width", "model_width: 64", {"heads times head_width", "model_width 64"});
}

}  // namespace
}  // namespace quadrille::testbench
