// Other programs, run without a shell.
#pragma once

#include <string>
#include <vector>

namespace quadrille::app {

struct Job {
  std::vector<std::string> command;  ///< The program, looked for in PATH, and its arguments.
  std::string log;                   ///< File for what it says on either stream.
};

/// Runs all jobs side by side and waits for them; returns their exit statuses: 127 when
/// a program is not there, 128 + n when signal n ended it.
std::vector<int> run_jobs(const std::vector<Job>& jobs);

inline int run_job(const Job& job) { return run_jobs({job}).front(); }

}  // namespace quadrille::app
