// Question: does `quadrille rtl` give the right library or a clear error, whatever
// happened to its cache?
#include "app/rtl/rtl_build.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <thread>

#include "app/config/chip_file.h"
#include "hw/engines.h"
#include "model/errors.h"
#include "testbench/common/expect_bad_input.h"
#include "testbench/common/program.h"
#include "testbench/common/source_tree.h"
#include "testbench/common/temporary_folder.h"

namespace quadrille::testbench {
namespace {
namespace fs = std::filesystem;

class RtlBuildTest : public testing::Test {
 protected:
  /// The smallest softmax engine: seconds to build.
  app::CachedRtl rtl(int lanes = 1) const {
    const hw::ChipConfig chip =
        app::read_chip_file(source_path("chips/small.yaml")).with([&](hw::ChipValues& values) {
          values.softmax = {lanes, 16};
        });
    return app::RtlCache(folder_.file("cache"))
        .at(hw::engines().find("softmax")->rtl_design(chip), false);
  }

  std::vector<std::string> hidden_folders() const {
    std::vector<std::string> names;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder_.file("cache"))) {
      if (entry.is_directory()) names.push_back(entry.path().filename().string());
    }
    return names;
  }

  TemporaryFolder folder_;
};

TEST_F(RtlBuildTest, TwoBuildsAtOnceMakeOneLibrary) {
  const app::CachedRtl wanted = rtl();
  app::RtlBuild first{}, second{};
  std::thread other([&] { first = app::build_rtl(wanted, "chip"); });
  second = app::build_rtl(wanted, "chip");
  other.join();
  EXPECT_NE(first, second);
  EXPECT_EQ(app::build_rtl(wanted, "chip"), app::RtlBuild::kThere);
  EXPECT_NE(wanted.open(), nullptr);
  EXPECT_THAT(hidden_folders(), testing::IsEmpty());
}

TEST_F(RtlBuildTest, WhatAKilledBuildLeftIsRemovedAndNeverLoaded) {
  const app::CachedRtl wanted = rtl();
  const std::string left = folder_.file("cache") + "/.build-" + wanted.key + "-99999999";
  fs::create_directories(left);
  EXPECT_FALSE(wanted.built());
  EXPECT_EQ(app::build_rtl(wanted, "chip"), app::RtlBuild::kBuilt);
  EXPECT_FALSE(fs::exists(left));
}

TEST_F(RtlBuildTest, OtherToolsBuildAgain) {
  const app::CachedRtl wanted = rtl();
  app::build_rtl(wanted, "chip");
  folder_.write("cache/" + wanted.key + ".so.tools", "Verilator 1.0, c++ 1");
  EXPECT_EQ(app::build_rtl(wanted, "chip"), app::RtlBuild::kBuilt);
  EXPECT_EQ(app::rtl_tools_of(wanted), app::rtl_tools());
}

TEST_F(RtlBuildTest, ADamagedOrForeignLibraryIsRefusedByName) {
  const app::CachedRtl wanted = rtl();
  app::build_rtl(wanted, "chip");
  const app::CachedRtl other = rtl(2);
  fs::copy_file(wanted.file, other.file);
  const auto expect_refused = [](const app::CachedRtl& library, const char* why) {
    try {
      library.open();
      FAIL() << "loaded";
    } catch (const InputError& error) {
      EXPECT_THAT(error.what(),
                  testing::AllOf(testing::HasSubstr(library.file), testing::HasSubstr(why)));
    }
  };
  expect_refused(other, "was built for");
  fs::remove(other.file);
  folder_.write("cache/" + other.key + ".so", "no library");
  expect_refused(other, "cannot be loaded");
}

TEST_F(RtlBuildTest, OtherSourcesAreAnotherLibrary) {
  const app::CachedRtl wanted = rtl();
  app::RtlSources changed = wanted.sources;
  changed.generated.begin()->second += "\n";
  EXPECT_NE(app::RtlCache(folder_.file("cache")).at(wanted.design, changed, false).key, wanted.key);
}

TEST_F(RtlBuildTest, ASizeThatTheRtlDoesNotExistAtIsRefusedByItsKey) {
  expect_bad_input({"rtl", "build", "-c", "small", "--engine", "linear", "--set", "linear.lanes=2"},
                   {"small.yaml: linear.lanes: the RTL of linear needs 4 to 64"});
  expect_bad_input({"rtl", "lint", "--engine", "softmx"}, {"--engine", "did you mean 'softmax'"});
}

// Verilator's complaint is told as the chip's key that the parameter comes from.
TEST_F(RtlBuildTest, AComplaintNamesTheKey) {
  const app::CachedRtl good = rtl();
  app::RtlSources sources = good.sources;
  sources.generated["broken.sv"] = "module broken; logic Lanes Lanes; endmodule\n";
  const app::CachedRtl broken =
      app::RtlCache(folder_.file("cache")).at(good.design, sources, false);
  try {
    app::build_rtl(broken, "my.yaml");
    FAIL() << "built";
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), testing::AllOf(testing::StartsWith("my.yaml: softmax.lanes 1: "),
                                             testing::HasSubstr("broken.sv")));
  }
  EXPECT_FALSE(broken.built());
}

TEST_F(RtlBuildTest, TheShippedSizesHaveNoFinding) {
  for (const char* chip : {"small", "default"}) {
    const ProgramRun run = run_program({"rtl", "lint", "-c", chip});
    EXPECT_EQ(run.exit_code, 0) << run.err;
  }
}

}  // namespace
}  // namespace quadrille::testbench
