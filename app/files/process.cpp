#include "app/files/process.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

extern char** environ;

namespace quadrille::app {
namespace {

constexpr int kNotThere = 127;

/// The process of a job, or -1 when it could not be started.
pid_t start(const Job& job) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, job.log.c_str(),
                                   O_WRONLY | O_CREAT | O_TRUNC, 0666);
  posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
  std::vector<char*> arguments;
  for (const std::string& word : job.command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  pid_t process = -1;
  const int error =
      posix_spawnp(&process, arguments.front(), &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  return error == 0 ? process : -1;
}

int wait_for(pid_t process) {
  if (process < 0) return kNotThere;
  int status = 0;
  while (waitpid(process, &status, 0) < 0) {
    if (errno != EINTR) return kNotThere;
  }
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace

std::vector<int> run_jobs(const std::vector<Job>& jobs) {
  std::vector<pid_t> processes;
  processes.reserve(jobs.size());
  for (const Job& job : jobs) processes.push_back(start(job));
  std::vector<int> statuses;
  statuses.reserve(jobs.size());
  for (const pid_t process : processes) statuses.push_back(wait_for(process));
  return statuses;
}

}  // namespace quadrille::app
