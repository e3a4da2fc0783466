// The command line: options to commands, errors to exit codes.
#pragma once

namespace quadrille::app {

enum ExitCode : int {
  kGood = 0,
  kComparisonFailed = 1,
  kBadInput = 2,
  kInvariantViolated = 3,
};

/// Parses and runs; every error is one line on standard error.
int run_command_line(int argc, const char* const* argv);

}  // namespace quadrille::app
