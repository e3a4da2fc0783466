// The contract of bad input: exit code 2 and one line on standard error.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "testbench/common/program.h"

namespace quadrille::testbench {

/// Expects exit code 2, nothing on standard output, and one line on standard
/// error that holds every one of `parts`.
inline void expect_bad_input(const std::vector<std::string>& arguments,
                             const std::vector<std::string>& parts,
                             const std::string& folder = "/tmp") {
  const ProgramRun run = run_program(arguments, folder);
  EXPECT_EQ(run.exit_code, 2) << run.err;
  EXPECT_EQ(run.out, "");
  EXPECT_EQ(std::count(run.err.begin(), run.err.end(), '\n'), 1) << run.err;
  for (const std::string& part : parts) EXPECT_THAT(run.err, testing::HasSubstr(part));
}

}  // namespace quadrille::testbench
