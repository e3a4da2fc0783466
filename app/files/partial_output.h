// Output on its way: what is written under a hidden name before it takes its place, and
// what becomes of it when the process ends in between.
#pragma once

#include <signal.h>
#include <sys/types.h>

#include <string>

namespace quadrille::app {

/// ".NAME.partial-PID-", what the hidden names of this process begin with. A file or folder
/// of such a name belongs to the process of that id for as long as it holds its flock.
std::string partial_prefix(const std::string& name);

/// The hidden name of a folder that was in the place of NAME and is to go: of
/// ".NAME.partial-PID-REST" ".NAME.earlier-PID-REST".
std::string earlier_name(const std::string& partial);

/// Removes from `folder` what processes that have ended left under such names, of
/// whatever NAME, if it belongs to this user. An earlier folder whose place is empty goes
/// back to it. Whatever fails is left for the next one.
void remove_left_behind(const std::string& folder);

/// Opens a file or folder and locks it; -1 where it is not there or another process has it.
int open_locked(const std::string& path);

/// Signals that end a program (INT, TERM, HUP) wait as long as this lives.
class SignalsWait {
 public:
  SignalsWait();
  ~SignalsWait();
  SignalsWait(const SignalsWait&) = delete;
  SignalsWait& operator=(const SignalsWait&) = delete;

 private:
  sigset_t before_{};
};

/// Removes a folder when this process ends before the object does, however it ends: a
/// process of its own waits for that.
class RemovedAtDeath {
 public:
  explicit RemovedAtDeath(const std::string& folder);
  ~RemovedAtDeath();
  RemovedAtDeath(const RemovedAtDeath&) = delete;
  RemovedAtDeath& operator=(const RemovedAtDeath&) = delete;

 private:
  pid_t waiting_ = -1;
  int pipe_ = -1;
};

}  // namespace quadrille::app
