// Question: does output appear whole or not at all, whatever ends the process, and is what
// killed processes have left removed, and nothing else?
#include "app/files/partial_output.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <functional>

#include "app/files/atomic_file.h"
#include "app/files/output_folder.h"
#include "testbench/common/processes.h"
#include "testbench/common/temporary_folder.h"

namespace quadrille::testbench {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::IsEmpty;

const std::vector<std::string> kNames = {"summary.json", "wave.fst"};
constexpr const char* kSummary = "{\"schema_version\": 2}";

/// How a process that does `work` ended, as waitpid() has it.
int status_of(const std::function<void()>& work) {
  const pid_t id = ::fork();
  if (id == 0) {
    for (const int ending : {SIGINT, SIGTERM, SIGHUP}) ::signal(ending, SIG_DFL);
    work();
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(id, &status, 0);
  return status;
}

/// The id of a process that has ended.
std::string dead_process() {
  const pid_t id = ::fork();
  if (id == 0) ::_exit(0);
  ::waitpid(id, nullptr, 0);
  return std::to_string(id);
}

void write_report(const std::string& path, const std::string& more = "") {
  app::OutputFolder folder(path, kNames);
  folder.add("summary.json", kSummary + more);
  folder.commit();
}

class PartialOutput : public testing::Test {
 protected:
  std::string read(const std::string& name) const {
    return TemporaryFolder::read(folder_.file(name));
  }

  TemporaryFolder folder_;
};

TEST_F(PartialOutput, AFileIsWholeWhenASignalComesWhileItIsWritten) {
  for (const int ending : {SIGINT, SIGTERM, SIGHUP}) {
    const std::string path = folder_.file("out");
    fs::remove(path);
    const int status = status_of([&] {
      app::AtomicFile file(path);
      file.write("one ");
      ::raise(ending);
      file.write("two");
      file.commit();
    });
    ASSERT_TRUE(WIFSIGNALED(status));
    EXPECT_EQ(WTERMSIG(status), ending);
    EXPECT_EQ(read("out"), "one two");
    EXPECT_THAT(folder_.entries(), ElementsAre("out"));
  }
}

TEST_F(PartialOutput, AFileThatIsNotCommittedLeavesNothing) {
  const auto write_and_raise = [&](int ending) {
    return status_of([&] {
      app::AtomicFile file(folder_.file("out"));
      file.write("one");
      ::raise(ending);
    });
  };
  EXPECT_TRUE(WIFSIGNALED(write_and_raise(SIGTERM)));
  EXPECT_THAT(folder_.entries(), IsEmpty());
  // What SIGKILL leaves the next writer removes, whatever it writes itself.
  EXPECT_TRUE(WIFSIGNALED(write_and_raise(SIGKILL)));
  EXPECT_EQ(folder_.entries().size(), 1u);
  app::write_file(folder_.file("other"), "text");
  EXPECT_THAT(folder_.entries(), ElementsAre("other"));
}

// A folder that is filled while the chip runs goes with the process, even with SIGKILL.
TEST_F(PartialOutput, AFolderInTheMakingGoesWithItsProcess) {
  for (const int ending : {SIGINT, SIGTERM, SIGHUP, SIGKILL}) {
    const int status = status_of([&] {
      app::OutputFolder output(folder_.file("out"), kNames);
      const std::string wave = output.path_of("wave.fst");
      if (!TemporaryFolder::read(wave).empty()) ::_exit(3);
      folder_.write(fs::path(wave).lexically_relative(folder_.file("")).string(), "wave");
      ::raise(ending);
    });
    ASSERT_TRUE(WIFSIGNALED(status));
    EXPECT_TRUE(eventually([&] { return folder_.entries().empty(); }));
  }
}

TEST_F(PartialOutput, AFolderThatIsCommittedStays) {
  app::OutputFolder output(folder_.file("out"), kNames);
  folder_.write(fs::path(output.path_of("wave.fst")).lexically_relative(folder_.file("")).string(),
                "wave");
  output.add("summary.json", kSummary);
  output.commit();
  EXPECT_THAT(folder_.entries(), ElementsAre("out"));
  EXPECT_EQ(read("out/wave.fst"), "wave");
}

TEST_F(PartialOutput, WhatTheDeadHaveLeftGoesWhateverItsName) {
  const std::string dead = dead_process();
  const auto make = [&](const std::string& name) {
    fs::create_directory(folder_.file(name));
    folder_.write(name + "/summary.json", kSummary);
  };
  make(".out.partial-" + dead + "-abcdef");
  make(".other.partial-" + dead + "-abcdef");
  folder_.write(".result.st.partial-" + dead + "-0", "half");
  // A run that was killed between setting its earlier report aside and putting the new one there.
  make(".lost.earlier-" + dead + "-abcdef");
  make("kept");
  make(".kept.earlier-" + dead + "-abcdef");
  // These are somebody's.
  const std::vector<std::string> others = {
      ".notes.partial-report", ".out.partial-12-", ".partial-12-abcdef",
      ".out.partial-" + std::to_string(::getpid()) + "-abcdef", "x.partial-" + dead + "-abcdef"};
  for (const std::string& name : others) folder_.write(name, "mine");
  // One that is locked is in use, by a process that this one cannot see.
  const std::string locked = ".far.partial-" + dead + "-abcdef";
  make(locked);
  const int lock = app::open_locked(folder_.file(locked));
  write_report(folder_.file("new"));
  std::vector<std::string> expected = others;
  expected.insert(expected.end(), {"new", "kept", "lost", locked});
  EXPECT_THAT(folder_.entries(), testing::UnorderedElementsAreArray(expected));
  ::close(lock);
}

// On a file system that exchanges nothing.
TEST_F(PartialOutput, AnEarlierReportGoesOnlyWhenTheNewOneIsThere) {
  const std::string made = folder_.file(".out.partial-1-abcdef");
  fs::create_directory(made);
  folder_.write(".out.partial-1-abcdef/summary.json", "new");
  fs::create_directory(folder_.file("out"));
  folder_.write("out/summary.json", "old");
  EXPECT_EQ(app::put_in_place(made, folder_.file("out"), false), 0);
  EXPECT_EQ(read("out/summary.json"), "new");
  EXPECT_THAT(folder_.entries(), ElementsAre("out"));
  // With nothing to put there the earlier one is where it was.
  EXPECT_NE(app::put_in_place(made, folder_.file("out"), false), 0);
  EXPECT_EQ(read("out/summary.json"), "new");
  EXPECT_THAT(folder_.entries(), ElementsAre("out"));
}

TEST_F(PartialOutput, AReportTakesTheEarlierOnesPlace) {
  write_report(folder_.file("out"));
  write_report(folder_.file("out"), " ");
  EXPECT_EQ(read("out/summary.json"), std::string(kSummary) + " ");
  EXPECT_THAT(folder_.entries(), ElementsAre("out"));
}

}  // namespace
}  // namespace quadrille::testbench
