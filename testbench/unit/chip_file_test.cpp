// Do chip files, their bases and --set say what the chip is, and do messages name
// the place that is at fault?
#include "app/config/chip_file.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "model/errors.h"
#include "testbench/common/source_tree.h"
#include "testbench/common/temporary_folder.h"

namespace quadrille::testbench {
namespace {

using app::parse_chip_file;
using app::parse_overrides;
using app::ParsedChip;
using app::read_chip_file;
using testing::HasSubstr;

const std::string kChips = source_path("chips/");

class ChipFile : public testing::Test {
 protected:
  /// The message of the InputError, with the test's folder left out.
  std::string refusal(const std::string& path, const std::vector<std::string>& set = {},
                      const std::vector<hw::RemovedChipKey>& removed = {}) {
    try {
      resolve(parse_chip_file(path, parse_overrides(set).chip, removed));
      return "accepted";
    } catch (const InputError& error) {
      std::string text = error.what();
      for (std::size_t at = 0; (at = text.find(folder_.file(""))) != std::string::npos;)
        text.erase(at, folder_.file("").size());
      return text;
    }
  }

  hw::ChipConfig chip(const std::string& path, const std::vector<std::string>& set = {}) {
    return resolve(parse_chip_file(path, parse_overrides(set).chip));
  }

  TemporaryFolder folder_;
};

/// A chip file of every key but one, with the default values.
std::string all_keys_but(const std::string& left_out) {
  const hw::ChipValues defaults;
  std::string text;
  std::string section;
  for (const hw::ChipKey& key : hw::chip_keys()) {
    if (key.name == left_out) continue;
    if (key.section() != section) text += key.section() + ":\n";
    section = key.section();
    text += fmt::format("{}{}: {}\n", section.empty() ? "" : "  ", key.leaf(), key.text(defaults));
  }
  return text;
}

void expect_same(const hw::ChipConfig& a, const hw::ChipConfig& b) {
  for (const hw::ChipKey& key : hw::chip_keys()) {
    if (key.name == "name") continue;
    EXPECT_EQ(key.text(a.values()), key.text(b.values())) << key.name;
  }
}

TEST_F(ChipFile, ShippedOnesNameEveryKeyAndTheDefaultsAreTheDefaultChip) {
  for (const char* name : {"default.yaml", "small.yaml"}) {
    const ParsedChip parsed = parse_chip_file(kChips + name);
    const bool kind = app::dram_kind_path(parsed).has_value();
    for (const hw::ChipKey& key : hw::chip_keys())
      EXPECT_EQ(parsed.keys.count(key.name), kind && key.plain_dram ? 0U : 1U)
          << name << ": " << key.name;
  }
  expect_same(read_chip_file(kChips + "default.yaml"), hw::ChipConfig());
}

// What a file lacks has the default, so that files written before a key was added
// keep their meaning.
TEST_F(ChipFile, AKeyThatIsNotThereHasItsDefault) {
  expect_same(read_chip_file(folder_.write("short.yaml", "name: short\nclock_mhz: 500\n")),
              hw::ChipConfig());
  for (const hw::ChipKey& key : hw::chip_keys()) {
    SCOPED_TRACE(key.name);
    const std::string path = folder_.write("older.yaml", all_keys_but(key.name));
    if (key.required) {
      EXPECT_THAT(refusal(path), HasSubstr("older.yaml: line 1:1: expected the key '" + key.name));
    } else {
      expect_same(read_chip_file(path), hw::ChipConfig());
    }
  }
}

TEST_F(ChipFile, UnknownKeysAndWrongValuesNameTheirPlaceAndTheNearestKey) {
  const auto with = [&](const std::string& more) {
    return refusal(folder_.write("mine.yaml", "name: mine\nclock_mhz: 500\n" + more));
  };
  EXPECT_EQ(with("cim:\n  rwos: 3\n"),
            "mine.yaml: line 4:3, cim: unknown key 'rwos', did you mean 'rows'?");
  EXPECT_EQ(with("scratchpad:\n  capacity_mib: 3\n"),
            "mine.yaml: line 4:3, scratchpad: unknown key 'capacity_mib', expected "
            "'capacity_kib' (the unit is kib)");
  EXPECT_EQ(with("softmx:\n  lanes: 3\n"),
            "mine.yaml: line 3:1: unknown key 'softmx', did you mean 'softmax'?");
  EXPECT_EQ(with("cim:\n  rows: 0\n"),
            "mine.yaml: line 4:9, cim.rows: expected an integer in 1..65536, found '0'");
  EXPECT_EQ(with("timing: bat\n"),
            "mine.yaml: line 3:9, timing: expected one of 'tile', 'beat', found 'bat', did you "
            "mean 'beat'?");
  EXPECT_EQ(with("softmax:\n  lanes: 24\n"),
            "mine.yaml: line 4:10, softmax.lanes: expected a power of two in 1..64, found 24");
  EXPECT_EQ(with("scratchpad:\n  banks: 63\n"),
            "mine.yaml: scratchpad.capacity_kib: expected a multiple of scratchpad.banks x "
            "scratchpad.word_bytes = 8064 bytes, found 4096, the default");
  EXPECT_EQ(with("cim: 5\n"), "mine.yaml: line 3:6, cim: expected a map, found '5'");
}

TEST_F(ChipFile, ABaseIsAShippedChipOrAFileBesideAndMayHaveABase) {
  const std::string wide =
      folder_.write("wide.yaml", "base: default\nname: broad\ncim:\n  rows: 128\n");
  EXPECT_EQ(chip(wide).cim.rows, 128);
  EXPECT_EQ(chip(wide).name, "broad");
  expect_same(chip(wide), hw::ChipConfig().with([](hw::ChipValues& c) { c.cim.rows = 128; }));
  std::filesystem::create_directories(folder_.file("deep"));
  const std::string wider =
      folder_.write("deep/wider.yaml", "cim: {macros: 8}\nbase: ../wide.yaml\n");
  expect_same(chip(wider), hw::ChipConfig().with([](hw::ChipValues& c) {
    c.cim.rows = 128;
    c.cim.macros = 8;
  }));
  EXPECT_EQ(chip(wider).name, "wider") << "the base's name would be untrue";
  const ParsedChip parsed = parse_chip_file(wider);
  EXPECT_EQ(parsed.files.size(), 3U);
  EXPECT_EQ(parsed.files.back(), kChips + "default.yaml");
  EXPECT_EQ(parsed.keys.at("cim.rows").origin.source, wide);
  EXPECT_EQ(parsed.keys.at("cim.rows").origin.place, "line 4:9");
  EXPECT_EQ(parsed.keys.at("cim.macros").origin.source, wider);
  EXPECT_EQ(parsed.keys.at("softmax.lanes").origin.source, kChips + "default.yaml");
}

TEST_F(ChipFile, FaultsOfABaseNameTheFileInWhichTheyStand) {
  folder_.write("odd.yaml", "base: default\nsoftmax:\n  lanse: 3\n");
  EXPECT_EQ(refusal(folder_.write("mine.yaml", "base: odd.yaml\ncim:\n  rows: 64\n")),
            "odd.yaml: line 3:3, softmax: unknown key 'lanse', did you mean 'lanes'?");
  folder_.write("odd.yaml", "base: default\ncim:\n  columns: 96\n  rows: 8\n");
  EXPECT_EQ(refusal(folder_.write("mine.yaml", "base: odd.yaml\ncim:\n  macros: 64\n")),
            "odd.yaml: line 3:12, cim.columns: expected a multiple of what one write cycle fills, "
            "cim.write_bytes_per_cycle = 64, found 96");
  EXPECT_THAT(refusal(folder_.write("mine.yaml", "base: defualt\n")),
              HasSubstr("mine.yaml: line 1:7, base: expected a file beside this one or a shipped "
                        "chip (default, small"));
  EXPECT_THAT(refusal(folder_.file("mine.yaml")), HasSubstr("did you mean 'default'?"));
  folder_.write("a.yaml", "base: b.yaml\n");
  folder_.write("b.yaml", "base: ./a.yaml\n");
  EXPECT_EQ(refusal(folder_.file("a.yaml")),
            "b.yaml: line 1:7, base: expected another file, found a circle: a.yaml -> b.yaml -> "
            "a.yaml");
  EXPECT_THAT(refusal(folder_.write("mine.yaml", "base: mine.yaml\n")), HasSubstr("a circle"));
}

// A path is relative to the file that has it.
TEST_F(ChipFile, ATechnologyTableIsSoughtBesideTheFileThatNamesIt) {
  std::filesystem::create_directories(folder_.file("bases"));
  const std::string table = folder_.write("bases/mine28.yaml", "name: mine28\n");
  folder_.write("bases/base.yaml", "base: default\ntechnology: mine28.yaml\n");
  const std::string top = folder_.write("top.yaml", "base: bases/base.yaml\n");
  EXPECT_TRUE(std::filesystem::equivalent(technology_path(parse_chip_file(top)), table));
  EXPECT_EQ(technology_path(parse_chip_file(kChips + "small.yaml")),
            source_path("technology/cmos28.yaml"));
}

TEST_F(ChipFile, SetPutsAValueInPlaceOfTheFilesAndIsCheckedLikeIt) {
  const std::string small = kChips + "small.yaml";
  const hw::ChipConfig other =
      chip(small, {"cim.macros=8", "clock_mhz=250.5", "sinkhorn.skewed=false", "name=other"});
  EXPECT_EQ(other.cim.macros, 8);
  EXPECT_EQ(other.clock_hz, 250.5e6);
  EXPECT_FALSE(other.sinkhorn.skewed);
  EXPECT_EQ(other.name, "other");
  EXPECT_EQ(other.cim.rows, 64);
  EXPECT_EQ(refusal(small, {"cim.macros=zero"}),
            "--set cim.macros=zero: cim.macros: expected an integer in 1..65536, found 'zero'");
  EXPECT_EQ(refusal(small, {"cim.macrso=1"}),
            "--set cim.macrso=1: cim: unknown key 'macrso', did you mean 'macros'?");
  EXPECT_EQ(refusal(small, {"cim=1"}), "--set cim=1: cim: expected a map, found '1'");
  EXPECT_EQ(refusal(small, {"cim.macros=1", "cim.macros=2"}),
            "--set: cim.macros: set twice, expected once");
  EXPECT_EQ(refusal(small, {"cim.columns=24"}),
            "--set cim.columns=24: cim.columns: expected a multiple of what one write cycle "
            "fills, cim.write_bytes_per_cycle = 16, found 24");
  EXPECT_THAT(refusal(small, {"scratchpad.word_bytes=8"}), HasSubstr("16..256, found '8'"));
  EXPECT_THAT(refusal(small, {"softmax.lanes=8"}),
              HasSubstr("--set softmax.lanes=8: softmax.lanes: expected beats that divide "
                        "scratchpad.word_bytes = 16, found 8 (32 bytes a beat)"));
  EXPECT_EQ(refusal(small, {"cmi.rows=1"}),
            "--set: cmi.rows: expected a key of the chip (cim.rows) or of the workload "
            "(workload.tokens), did you mean 'cim.rows'?");
  EXPECT_EQ(refusal(small, {"rows"}), "--set: 'rows': expected KEY=VALUE");
  // A fault of the file stays the file's, and says which option it disagrees with.
  EXPECT_THAT(refusal(small, {"cim.write_bytes_per_cycle=3"}),
              HasSubstr("small.yaml: line 10:12, cim.columns: expected a multiple of what one "
                        "write cycle fills, cim.write_bytes_per_cycle = 3 (--set "
                        "cim.write_bytes_per_cycle=3), found 16"));
}

TEST_F(ChipFile, AKeyThatIsGoneIsRefusedWithWhatToWriteInstead) {
  const std::vector<hw::RemovedChipKey> removed = {
      {"cim.arrays", "write cim.macros, the arrays of a core"},
      {"volume", "write scratchpad.capacity_kib"}};
  const auto with = [&](const std::string& more) {
    return refusal(folder_.write("old.yaml", "base: default\n" + more), {}, removed);
  };
  EXPECT_EQ(with("cim:\n  rows: 64\n  arrays: 3\n"),
            "old.yaml: line 4:11, cim.arrays: no key any more; write cim.macros, the arrays of a "
            "core");
  EXPECT_EQ(with("volume: 3\n"),
            "old.yaml: line 2:9, volume: no key any more; write scratchpad.capacity_kib");
  EXPECT_EQ(with("cim:\n  rows: 64\n"), "accepted");
  EXPECT_THAT(with("cim:\n  arrys: 64\n"), HasSubstr("unknown key 'arrys', expected one of macros"))
      << "a key that is gone is not suggested";
}

}  // namespace
}  // namespace quadrille::testbench
