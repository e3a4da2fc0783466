// Question: does `eval --level all` find where the RTL first differs, name the
// tensor, index, values and cycle, and write the waveform around it?
#include "app/rtl/rtl_check.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "app/config/chip_file.h"
#include "app/networks/operator.h"
#include "app/operators/tensor_source.h"
#include "model/errors.h"
#include "testbench/common/eval_fixture.h"
#include "testbench/common/source_tree.h"
#include "testbench/common/test_rtl.h"

namespace quadrille::testbench {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;

class RtlCheckTest : public EvalFixture {
 protected:
  RtlCheckTest()
      : chip_(app::read_chip_file(source_path("chips/small.yaml")).with([](hw::ChipValues& chip) {
          chip.timing = hw::Timing::kBeat;
        })) {
    prepare(64, "mode=maclaurin");
  }

  void prepare(std::int64_t tokens, const std::string& mode) {
    input_ = write({{"s", {tokens}}, {"t", {tokens}}, {"V", {tokens, 32}}});
    simulation_.emplace(app::operator_task("damf", app::FileTensors(SafetensorsFile::open(input_)),
                                           app::Settings::parse({mode})),
                        chip_);
    beat_cycles_ = simulation_->run({hw::Timing::kBeat, {}, {}}).result.cycles;
  }

  /// The wrong entry stands for one 128th of all sums, and not all of its results
  /// round to another code: looks for a problem where one does.
  app::RtlCheck check_wrong(app::RtlCheckOptions options) {
    options.bodies = test_rtl_bodies("damf");
    app::RtlCheck found;
    for (const char* mode : {"mode=maclaurin", "mode=shift", "mode=collapsed"}) {
      for (const std::int64_t tokens : {512, 256, 128}) {
        prepare(tokens, mode);
        found = check(options);
        if (found.difference) return found;
      }
    }
    return found;
  }

  app::RtlCheck check(const app::RtlCheckOptions& options) {
    return app::check_rtl(*simulation_, beat_cycles_, options);
  }

  hw::ChipConfig chip_;
  std::string input_;
  std::optional<app::Simulation> simulation_;
  std::int64_t beat_cycles_ = 0;
};

/// A number of the header block of an FST file, big endian.
std::uint64_t fst_header(const std::string& bytes, std::size_t at) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < 8; ++i) value = value << 8 | static_cast<std::uint8_t>(bytes[at + i]);
  return value;
}

TEST_F(RtlCheckTest, TheRightRtlDiffersNowhereAndShowsItsWholeRun) {
  app::RtlCheckOptions options;
  options.bodies = test_rtl_bodies();
  options.waves = folder_.file("waves.fst");
  const app::RtlCheck found = check(options);
  EXPECT_EQ(found.difference, std::nullopt);
  EXPECT_THAT(found.engines, testing::ElementsAre("damf"));
  EXPECT_THAT(found.not_built, testing::IsEmpty());
  EXPECT_EQ(found.cycles, beat_cycles_);
  EXPECT_THAT(found.waves, testing::ElementsAre(options.waves));
  const std::string bytes = TemporaryFolder::read(options.waves);
  ASSERT_GT(bytes.size(), 330U);
  EXPECT_GE(fst_header(bytes, 17) / 2, static_cast<std::uint64_t>(beat_cycles_) * 9 / 10);
}

TEST_F(RtlCheckTest, AWrongConstantIsNamedWithTensorIndexValuesAndCycle) {
  app::RtlCheckOptions options;
  const app::RtlCheck found = check_wrong(options);
  ASSERT_TRUE(found.difference);
  EXPECT_THAT(*found.difference,
              ContainsRegex("in cycle [0-9]+: engine damf, command [0-9]+ .*, cycle [0-9]+ of it, "
                            "pin output_data, output beat [0-9]+, byte [0-9]+: systemc [0-9]+, "
                            "rtl [0-9]+, stored in 'out' .[0-9]+,[0-9]+."));
  EXPECT_THAT(*found.difference,
              ContainsRegex("tensor 'out_q' .[0-9]+,[0-9]+.: fixed -?[0-9]+, rtl -?[0-9]+"));
}

TEST_F(RtlCheckTest, TheWaveformHoldsTheCyclesAroundTheDifference) {
  app::RtlCheckOptions options;
  options.waves = folder_.file("waves.fst");
  const app::RtlCheck found = check_wrong(options);
  ASSERT_THAT(found.waves, testing::ElementsAre(options.waves));
  const std::string bytes = TemporaryFolder::read(options.waves);
  ASSERT_GT(bytes.size(), 330U);
  EXPECT_EQ(bytes[0], 0) << "no FST header block";
  EXPECT_EQ(fst_header(bytes, 1), 329U);
  // Cycle c is the time from 2c to 2c + 2.
  const auto cycle = static_cast<std::uint64_t>(found.cycles);
  EXPECT_EQ(fst_header(bytes, 9), 2 * (cycle - 200) + 1);
  EXPECT_EQ(fst_header(bytes, 17), 2 * (cycle + 200) + 2);
}

/// chips/small.yaml with DAMF's lanes replaced.
std::string chip_with_damf_lanes(const TemporaryFolder& folder, int lanes) {
  std::string text = TemporaryFolder::read(source_path("chips/small.yaml"));
  const std::string before = "damf:\n  lanes: 4\n";
  text.replace(text.find(before), before.size(), fmt::format("damf:\n  lanes: {}\n", lanes));
  folder.write("odd.yaml", text);
  return folder.file("odd.yaml");
}

TEST_F(RtlCheckTest, AChipWithoutWaveformsIsRefusedBeforeAnythingRuns) {
  const std::string chip = chip_with_damf_lanes(folder_, 2);
  std::vector<std::string> words = arguments("damf", "all", input_);
  words.back() = chip;
  words.insert(words.end(), {"--waves", folder_.file("waves.fst")});
  const ProgramRun run = run_program(words);
  EXPECT_EQ(run.out, "");
  expect_bad_input(words, {chip + ": damf: its RTL is not built with waveforms",
                           "quadrille rtl build -c " + chip + " --engine damf --waves"});
}

TEST_F(RtlCheckTest, AMissingBodyIsRefusedWithTheCommandThatBuildsIt) {
  const std::string chip = chip_with_damf_lanes(folder_, 2);
  const std::vector<std::string> named = {
      chip + ": damf: its RTL is not built for damf.lanes 2, damf.query_rows 2",
      "quadrille rtl build -c " + chip + " --engine damf"};
  std::vector<std::string> words = arguments("damf", "rtl", input_);
  words.back() = chip;
  expect_bad_input(words, named);
  expect_bad_input(
      {"run", "-w", "smoke-damf", "-c", chip, "-o", folder_.file("run"), "--impl", "damf=rtl"},
      named);
  EXPECT_FALSE(std::filesystem::exists(folder_.file("run") + "/summary.json"));
}

// Where no RTL of this size is built the engine stays in SystemC,
// and the check says so.
TEST_F(RtlCheckTest, AnEngineThatIsNotBuiltIsNamed) {
  chip_ = chip_.with([](hw::ChipValues& chip) { chip.damf.lanes = 2; });
  prepare(64, "mode=maclaurin");
  const app::RtlCheck found = check({});
  EXPECT_THAT(found.engines, testing::IsEmpty());
  EXPECT_THAT(found.not_built, testing::ElementsAre("damf"));
}

// More rows than a packed command holds become several commands, in RTL as elsewhere.
TEST_F(RtlCheckTest, MoreRowsThanACommandHoldsStayEqual) {
  const std::string input = write({{"Q", {65600, 1}}, {"K", {2, 1}}, {"V", {2, 1}}});
  chip_ = chip_.with([](hw::ChipValues& chip) { chip.scratchpad.capacity_bytes = 16 << 20; });
  app::Simulation simulation(
      app::operator_task("softmax", app::FileTensors(SafetensorsFile::open(input)),
                         app::Settings::parse({"causal=true"})),
      chip_);
  const std::int64_t beat_cycles = simulation.run({hw::Timing::kBeat, {}, {}}).result.cycles;
  const app::RtlCheck found = app::check_rtl(simulation, beat_cycles);
  EXPECT_EQ(found.difference, std::nullopt);
  EXPECT_THAT(found.engines, testing::ElementsAre("cim", "softmax"));
}

TEST_F(RtlCheckTest, WavesThatCannotBeWrittenAreRefusedByTheirOwnName) {
  for (const std::string& file : {folder_.file("no/waves.fst"), folder_.file("folder")}) {
    std::filesystem::create_directories(folder_.file("folder"));
    std::vector<std::string> words = arguments("damf", "all", input_);
    words.insert(words.end(), {"--waves", file});
    expect_bad_input(words, {"quadrille: " + file});
  }
}

TEST_F(RtlCheckTest, WavesNeedALevelWithRtl) {
  std::vector<std::string> words = arguments("damf", "systemc", input_);
  words.insert(words.end(), {"--waves", folder_.file("waves.fst")});
  expect_bad_input(words, {"--waves", "--level rtl or all"});
}

}  // namespace
}  // namespace quadrille::testbench
