// Runs the built program as a user would, and keeps what it said.
#pragma once

#include <sys/wait.h>

#include <cstdlib>
#include <stdexcept>
#include <string>
#include <vector>

#include "testbench/common/source_tree.h"
#include "testbench/common/temporary_folder.h"

namespace quadrille::testbench {

struct ProgramRun {
  int exit_code = -1;  ///< 128 + n if signal n ended it.
  std::string out;
  std::string err;
};

/// Every argument is quoted for the shell; `folder` is the working directory.
inline ProgramRun run_program(const std::vector<std::string>& arguments,
                              const std::string& folder = "/tmp") {
  const TemporaryFolder files;
  std::string command = "cd '" + folder + "' && '" + program_path() + "'";
  for (const std::string& argument : arguments) {
    command += " '";
    for (const char c : argument) command += c == '\'' ? std::string("'\\''") : std::string(1, c);
    command += "'";
  }
  command += " >'" + files.file("out") + "' 2>'" + files.file("err") + "' </dev/null";
  const int status = std::system(command.c_str());
  ProgramRun run;
  run.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  run.out = TemporaryFolder::read(files.file("out"));
  run.err = TemporaryFolder::read(files.file("err"));
  return run;
}

}  // namespace quadrille::testbench
