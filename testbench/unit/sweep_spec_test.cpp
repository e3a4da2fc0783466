// Question: which points does a sweep's spec name, and what does it refuse?
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "app/sweep/spec.h"
#include "model/errors.h"
#include "testbench/common/temporary_folder.h"

namespace quadrille::testbench {
namespace {

using app::SweepPoint;
using app::SweepSpec;
using testing::ElementsAre;
using testing::HasSubstr;

class SweepSpecs : public testing::Test {
 protected:
  SweepSpec read(const std::string& rest, const std::string& workload = "smoke-softmax") {
    return app::read_sweep_spec(
        folder_.write("s.yaml", "name: s\nworkload: " + workload + "\nchip: small\n" + rest));
  }

  std::string refusal(const std::string& rest) {
    try {
      read(rest);
    } catch (const InputError& error) {
      return error.what();
    }
    return "no refusal";
  }

  std::vector<std::string> drawn(const std::string& range, int points = 200) {
    const SweepSpec spec =
        read("random: {points: " + std::to_string(points) + ", workload.tokens: " + range + "}\n");
    return spec.random.front().values;
  }

  TemporaryFolder folder_;
};

TEST_F(SweepSpecs, RowsAreGridTimesRandomWithTheLastKeyFastest) {
  const SweepSpec spec = read(
      "grid: {softmax.lanes: [8, 16], clock_mhz: [200, 400, 800]}\n"
      "random: {points: 2, workload.tokens: {from: 1, to: 1000000}}\n",
      "[smoke-softmax, smoke-damf]");
  ASSERT_EQ(spec.points(), 2 * 2 * 3 * 2);
  EXPECT_THAT(spec.keys(), ElementsAre("softmax.lanes", "clock_mhz", "workload.tokens"));
  const std::vector<std::string>& tokens = spec.random.front().values;
  EXPECT_NE(tokens[0], tokens[1]);
  std::int64_t index = 0;
  for (std::size_t workload = 0; workload < 2; ++workload) {
    for (const char* lanes : {"8", "16"}) {
      for (const char* clock : {"200", "400", "800"}) {
        for (const std::string& token : tokens) {
          const SweepPoint point = spec.point(index++);
          EXPECT_EQ(point.workload, workload);
          EXPECT_THAT(point.values, ElementsAre(lanes, clock, token));
        }
      }
    }
  }
}

TEST_F(SweepSpecs, AnEmptySpecIsOnePoint) {
  const SweepSpec spec = read("");
  EXPECT_EQ(spec.points(), 1);
  EXPECT_TRUE(spec.point(0).values.empty());
  EXPECT_FALSE(spec.data);
}

TEST_F(SweepSpecs, GridsTakeListsAndRanges) {
  const SweepSpec spec = read(
      "grid:\n"
      "  cim.rows: {values: [8, 16]}\n"
      "  cim.columns: {from: 16, to: 128, factor: 2}\n"
      "  clock_mhz: {from: 0.1, to: 0.3, step: 0.1}\n"
      "  cim.macros: {from: 1, to: 6, step: 2}\n"
      "  timing: [tile, beat]\n"
      "  workload.shapes.Q: [[2, 4], '[8, 16]']\n");
  EXPECT_THAT(spec.grid[0].values, ElementsAre("8", "16"));
  EXPECT_THAT(spec.grid[1].values, ElementsAre("16", "32", "64", "128"));
  EXPECT_THAT(spec.grid[2].values, ElementsAre("0.1", "0.2", "0.3"));
  EXPECT_THAT(spec.grid[3].values, ElementsAre("1", "3", "5"));
  EXPECT_THAT(spec.grid[4].values, ElementsAre("tile", "beat"));
  EXPECT_THAT(spec.grid[5].values, ElementsAre("[2, 4]", "[8, 16]"));
}

TEST_F(SweepSpecs, DrawsStayInTheirRangeAndReachItsEnds) {
  std::set<std::string> seen;
  for (const std::string& value : drawn("{from: 3, to: 6}")) seen.insert(value);
  EXPECT_THAT(seen, ElementsAre("3", "4", "5", "6"));
  seen.clear();
  for (const std::string& value : drawn("{from: 1, to: 8, log: true}")) seen.insert(value);
  EXPECT_EQ(seen.size(), 8u);
  seen.clear();
  for (const std::string& value : drawn("{from: 5, to: 33, multiple_of: 8}")) seen.insert(value);
  EXPECT_THAT(seen, ElementsAre("16", "24", "32", "8"));
  seen.clear();
  for (const std::string& value : drawn("{from: 5, to: 33, power_of_two: true}"))
    seen.insert(value);
  EXPECT_THAT(seen, ElementsAre("16", "32", "8"));
  for (const std::string& value : drawn("{from: 0.5, to: 1}")) {
    EXPECT_GE(std::stod(value), 0.5);
    EXPECT_LE(std::stod(value), 1.0);
  }
  EXPECT_THAT(drawn("{from: 7, to: 7}", 2), ElementsAre("7", "7"));
}

// Uniform in the logarithm: each of ten octaves gets a tenth of 10,000 draws, within five
// standard deviations (30 each) of the binomial.
TEST_F(SweepSpecs, LogDrawsAreUniformInTheLogarithm) {
  std::vector<int> octaves(10, 0);
  for (const std::string& value : drawn("{from: 1.0, to: 1024.0, log: true}", 10000)) {
    const int octave = static_cast<int>(std::log2(std::stod(value)));
    ++octaves[static_cast<std::size_t>(std::min(9, octave))];
  }
  for (const int count : octaves) EXPECT_NEAR(count, 1000, 150);
}

// Key and seed alone make the values: neither other keys nor more points change them.
TEST_F(SweepSpecs, DrawsDependOnSeedAndKeyOnly) {
  const auto values = [&](const std::string& rest) {
    return read("random: {" + rest + "}\n").random.front().values;
  };
  const std::string key = "cim.macros: {from: 1, to: 1000000}";
  const std::vector<std::string> few = values("points: 5, " + key);
  const std::vector<std::string> many = values("points: 50, " + key);
  EXPECT_EQ(few, std::vector<std::string>(many.begin(), many.begin() + 5));
  EXPECT_EQ(few, values("points: 5, " + key + ", clock_mhz: [1, 2, 3]"));
  EXPECT_EQ(few, values("points: 5, seed: 1, " + key));
  EXPECT_NE(few, values("points: 5, seed: 2, " + key));
  // Every machine draws these: the engine's sequence is the standard's, the rest exact.
  EXPECT_THAT(few, ElementsAre("317213", "3244", "851500", "122807", "647055"));
}

TEST_F(SweepSpecs, KeysThatTakePowersOfTwoAreDrawnAmongThose) {
  const SweepSpec spec = read("random: {points: 50, scratchpad.word_bytes: {from: 16, to: 256}}\n");
  for (const std::string& value : spec.random.front().values)
    EXPECT_THAT(value, testing::AnyOf("16", "32", "64", "128", "256"));
}

TEST_F(SweepSpecs, MistakesAreRefusedWithTheirPlace) {
  const std::pair<const char*, std::vector<const char*>> cases[] = {
      {"grid: {softmax.lanse: [8]}\n", {"line 4", "grid.softmax.lanse", "'softmax.lanes'?"}},
      {"grid: {tokens: [8]}\n", {"grid.tokens", "workload.tokens"}},
      {"grid: {softmax: {lanes: [8]}}\n", {"grid.softmax", "in one word", "softmax.lanes"}},
      {"grid: {softmax.lanes: 8}\n", {"expected a list of values"}},
      {"grid: {softmax.lanes: []}\n", {"at least one value"}},
      {"grid: {softmax.lanes: {from: 1, to: 4}}\n", {"step or factor"}},
      {"grid: {softmax.lanes: {from: 4, to: 1, step: 1}}\n", {"at least from"}},
      {"grid: {softmax.lanes: {from: 1, to: 4, stp: 1}}\n", {"unknown key 'stp'", "'step'"}},
      {"random: {softmax.lanes: [8]}\n", {"random", "points"}},
      {"random: {points: 3}\n", {"a key to draw"}},
      {"random: {points: 3, clock_mhz: {from: 0, to: 8, log: true}}\n", {"more than 0"}},
      {"random: {points: 3, clock_mhz: {from: 3, to: 5, multiple_of: 7}}\n", {"a multiple of 7"}},
      {"random: {points: 3, clock_mhz: {from: 5, to: 7, power_of_two: true}}\n",
       {"a power of two"}},
      {"grid: {clock_mhz: [1]}\nrandom: {points: 3, clock_mhz: [1]}\n", {"the key once"}},
      {"constraints: ['area_um2 2e7']\n", {"constraints[0]", "'area_um2 <= 2e7'"}},
      {"objctives: [cycles]\n", {"line 4", "unknown key 'objctives'", "'objectives'"}},
      {"grid: {clock_mhz: {from: 1, to: 2000, step: 1}, cim.rows: {from: 1, to: 2000, step: 1}}\n",
       {"at most 1000000 points"}},
  };
  for (const auto& [rest, parts] : cases) {
    SCOPED_TRACE(rest);
    const std::string message = refusal(rest);
    EXPECT_THAT(message, HasSubstr("s.yaml"));
    for (const char* part : parts) EXPECT_THAT(message, HasSubstr(part));
  }
  EXPECT_THROW(read("", "smoke-softmx"), InputError);
}

}  // namespace
}  // namespace quadrille::testbench
