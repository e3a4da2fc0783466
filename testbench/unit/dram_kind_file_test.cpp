// Question: is a kind of DRAM read as its file says, refused when it cannot be, found
// by the chip that names it, and turned into the chip's own times?
#include "app/config/dram_kind_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "app/config/chip_file.h"
#include "hw/memory/dram_device.h"
#include "model/errors.h"
#include "testbench/common/published_page.h"
#include "testbench/common/source_tree.h"
#include "testbench/common/temporary_folder.h"

namespace quadrille::testbench {
namespace {

using testing::HasSubstr;

const std::string kShipped = source_path("technology/dram/lpddr5-6400-x16.yaml");

class DramKindFile : public testing::Test {
 protected:
  /// The shipped kind with its first `from` replaced by `to`.
  std::string changed(const std::string& from, const std::string& to) {
    std::string text = TemporaryFolder::read(kShipped);
    const std::size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return folder_.write("mine.yaml", text.replace(at, from.size(), to));
  }
  void refuse(const std::string& from, const std::string& to, const std::string& part) {
    try {
      app::read_dram_kind_file(changed(from, to));
      ADD_FAILURE() << to << " was accepted";
    } catch (const InputError& error) {
      EXPECT_THAT(error.what(), HasSubstr("mine.yaml: line "));
      EXPECT_THAT(error.what(), HasSubstr(part));
    }
  }
  /// The message about a chip, with the test's folder left out.
  std::string refusal(const std::string& path, const std::vector<std::string>& set = {}) {
    try {
      resolve(app::parse_chip_file(path, app::parse_overrides(set).chip));
      return "accepted";
    } catch (const InputError& error) {
      std::string text = error.what();
      const std::string folder = folder_.file("");
      for (std::size_t at = 0; (at = text.find(folder)) != std::string::npos;)
        text.erase(at, folder.size());
      return text;
    }
  }
  hw::ChipConfig chip(const std::string& path, const std::vector<std::string>& set = {}) {
    return resolve(app::parse_chip_file(path, app::parse_overrides(set).chip));
  }
  TemporaryFolder folder_;
};

TEST_F(DramKindFile, EveryFigureIsTheFiles) {
  const hw::DramKind kind = app::read_dram_kind_file(kShipped);
  EXPECT_EQ(kind.name, "lpddr5-6400-x16");
  EXPECT_DOUBLE_EQ(kind.data_rate_mtps, 6400);
  EXPECT_DOUBLE_EQ(kind.burst_bytes(), 64);
  EXPECT_DOUBLE_EQ(kind.refresh_interval_ns, 3904);
  EXPECT_DOUBLE_EQ(kind.standby_mw, 41);
}

TEST_F(DramKindFile, RefusesWhatIsNoDevice) {
  refuse("banks:", "bnaks:", "banks");
  refuse("value: 6400", "value: 0", "data_rate_mtps.value");
  refuse("value: 6400", "valu: 6400", "value");
  refuse("tag: found", "tag: fond", "found");
  refuse("burst_length: {value: 32", "burst_length: {value: 24",
         "expected bursts of a power of two");
  refuse("burst_length: {value: 32", "burst_length: {value: 1.5", "expected an integer");
  refuse("row_bytes: {value: 4096", "row_bytes: {value: 4100", "expected whole bursts of 64 bytes");
  refuse("refresh_ns: {value: 210", "refresh_ns: {value: 3000", "refresh_interval_ns");
}

// 400 MHz: a cycle is 2.5 ns. 64 bytes take 32 transfers of 1/6400 us = 5 ns.
TEST_F(DramKindFile, AChipTakesItsTimesFromTheKindAtItsClock) {
  const std::string path = folder_.write(
      "mine.yaml", "base: default\nclock_mhz: 400\ndram: {kind: lpddr5-6400-x16, channels: 2}\n");
  const hw::ChipConfig mine = chip(path);
  EXPECT_EQ(mine.dram.burst_bytes, 64);
  EXPECT_EQ(mine.dram.row_bytes, 4096);
  EXPECT_EQ(mine.dram.banks, 8);
  const hw::DramDevice device = dram_device(mine);
  EXPECT_EQ(device.channels, 2);
  EXPECT_EQ(device.burst, 2 * hw::kTicksPerCycle);
  EXPECT_EQ(device.read_latency, std::llround(8.5 * hw::kTicksPerCycle));
  EXPECT_EQ(device.to_read, std::llround((12 + 21.25) / 2.5 * hw::kTicksPerCycle));
  EXPECT_EQ(device.bus_cycles(101), 101);  // Two channels of two cycles a burst.
  // A cycle per burst and channel at 200 MHz, and the DMA issues one a cycle.
  EXPECT_EQ(dram_device(mine.with([](hw::ChipValues& c) { c.clock_hz = 200e6; })).burst,
            hw::kTicksPerCycle);
  EXPECT_EQ(dram_device(chip(path, {"dram.channels=1"})).bus_cycles(101), 202);
}

TEST_F(DramKindFile, ThePlainKindIsTheChipsOwnKeys) {
  const hw::DramDevice device = hw::dram_device(hw::ChipConfig());
  EXPECT_EQ(device.burst, 3 * hw::kTicksPerCycle);
  EXPECT_EQ(device.activate, 24 * hw::kTicksPerCycle);
  EXPECT_EQ(device.precharge, 0);
  EXPECT_EQ(device.refresh_interval, 0);
  EXPECT_EQ(device.to_read, 0);
}

TEST_F(DramKindFile, AKindIsSoughtBesideTheFileThatNamesItAndAmongTheShippedOnes) {
  changed("value: 6400", "value: 3200");
  const std::string path =
      folder_.write("chip.yaml", "base: default\nclock_mhz: 400\ndram: {kind: mine.yaml}\n");
  EXPECT_EQ(dram_device(chip(path)).burst, 4 * hw::kTicksPerCycle);
  EXPECT_EQ(app::dram_kind_path(app::parse_chip_file(path)), folder_.file("mine.yaml"));
  EXPECT_EQ(app::dram_kind_path(app::parse_chip_file(source_path("chips/small.yaml"))),
            std::nullopt);
  EXPECT_EQ(refusal(path, {"dram.kind=lpddr5-6400-x32"}),
            "--set dram.kind=lpddr5-6400-x32: dram.kind: expected a file beside the chip's or one "
            "of plain, ddr4-3200-x64, hbm2e-3600-x128, lpddr4-3200-x16, lpddr5-6400-x16, found "
            "'lpddr5-6400-x32', did you mean 'lpddr5-6400-x16'?");
}

// A base may be of another kind; what stands beside a kind or over it is meant for it.
TEST_F(DramKindFile, KeysOfThePlainKindAreRefusedBesideAnother) {
  const std::string over =
      folder_.write("over.yaml", "base: default\ndram: {kind: ddr4-3200-x64}\n");
  EXPECT_EQ(chip(over).dram.row_bytes, 8192);
  EXPECT_THAT(refusal(folder_.write("both.yaml",
                                    "base: default\n"
                                    "dram: {kind: ddr4-3200-x64, banks: 4}\n")),
              HasSubstr("both.yaml: line 2:36, dram.banks: expected it to be left out, since "
                        "dram.kind = ddr4-3200-x64 says it"));
  EXPECT_THAT(refusal(folder_.write("top.yaml", "base: over.yaml\ndram: {burst_cycles: 4}\n")),
              HasSubstr("top.yaml: line 2:22, dram.burst_cycles: expected it to be left out"));
  EXPECT_THAT(refusal(over, {"dram.burst_cycles=4"}),
              HasSubstr("--set dram.burst_cycles=4: dram.burst_cycles: expected it to be left"));
  EXPECT_EQ(chip(over, {"dram.kind=plain", "dram.burst_cycles=4"}).dram.burst_cycles, 4);
  EXPECT_THAT(refusal(folder_.write("odd.yaml",
                                    "base: default\n"
                                    "dram: {channels: 3}\n")),
              HasSubstr("dram.capacity_mib: expected a multiple of dram.channels x the bytes of a "
                        "DRAM row = 6144 bytes, found 1024"));
}

TEST_F(DramKindFile, TheTableOfKeysIsPublished) {
  expect_published_part("files.md", "dram kind keys", hw::dram_kind_keys_markdown());
}

}  // namespace
}  // namespace quadrille::testbench
