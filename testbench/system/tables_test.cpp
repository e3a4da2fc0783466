// Question: does one command print the DAMF document's Table II to every digit
// beside what the chip counted, the differences summing exactly?
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "testbench/common/expect_bad_input.h"

namespace quadrille::testbench {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;

TEST(Tables, PrintTheDocumentsDigits) {
  const ProgramRun run = run_program({"tables"});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(run.err, "");
  EXPECT_THAT(run.out, ContainsRegex("BERT-base +\\| +9\\.00 +12\\.78 M +314\\.77 M +4\\.06%"));
  EXPECT_THAT(run.out, ContainsRegex("BERTsmall +\\| +4\\.00 +8\\.52 M +142\\.74 M +5\\.97%"));
  EXPECT_THAT(run.out,
              ContainsRegex("BERT-base with DAMF +\\| +4\\.51 +0\\.03 M +153\\.39 M +0\\.02%"));
  EXPECT_THAT(run.out, HasSubstr("516096 / 190464 = 2.7097"));
  EXPECT_THAT(run.out, ContainsRegex("MulTCIM.* 4\\.06%.* 58\\.16%"));
  // The complete counts by closed form: 4 L d^2 + 2 L^2 d, and 24 vectors.
  EXPECT_THAT(run.out, ContainsRegex("9\\.00 +25\\.17 M +327\\.16 M"));
  EXPECT_THAT(run.out, ContainsRegex("4\\.57 +0\\.20 M +153\\.55 M"));
}

// Every "Q, paper" line, its signed rows and its "Q, simulated" line must add up.
TEST(Tables, RowsSumExactly) {
  const ProgramRun run = run_program({"tables"});
  std::istringstream lines(run.out);
  long sum = 0;
  int bridges = 0, rows = 0;
  bool open = false;
  for (std::string line; std::getline(lines, line);) {
    const std::size_t space = line.find_last_of(' ');
    if (space == std::string::npos || line.rfind("    ", 0) != 0) continue;
    const std::string number = line.substr(space + 1);
    if (line.find(", paper ") != std::string::npos) {
      sum = std::stol(number);
      open = true;
    } else if (open && line.find(", simulated ") != std::string::npos) {
      EXPECT_EQ(sum, std::stol(number)) << line;
      ++bridges;
      open = false;
    } else if (open && (number[0] == '+' || number[0] == '-')) {
      sum += std::stol(number);
      ++rows;
    }
  }
  EXPECT_EQ(bridges, 12);
  EXPECT_GE(rows, 20);
}

TEST(Tables, TakeAnotherChip) {
  expect_bad_input({"tables", "-c", "defualt"}, {"did you mean 'default'?"});
}

}  // namespace
}  // namespace quadrille::testbench
