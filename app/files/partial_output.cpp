#include "app/files/partial_output.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>
#include <utility>

namespace quadrille::app {
namespace fs = std::filesystem;
namespace {

constexpr const char* kPartial = ".partial-";
constexpr const char* kEarlier = ".earlier-";

/// The parts of a hidden name.
struct Hidden {
  std::string name;
  pid_t process = 0;
};

/// Nothing for a name that is not of ours: ".NAME<mark>DIGITS-LETTERS".
std::optional<Hidden> hidden(const std::string& text, const char* mark) {
  const std::size_t at = text.rfind(mark);
  if (text.empty() || text[0] != '.' || at == std::string::npos || at < 2) return std::nullopt;
  const std::string rest = text.substr(at + std::strlen(mark));
  const std::size_t digits = rest.find_first_not_of("0123456789");
  if (digits == 0 || digits > 9 || digits == std::string::npos || rest[digits] != '-')
    return std::nullopt;
  const std::string last = rest.substr(digits + 1);
  const bool ours = !last.empty() && std::all_of(last.begin(), last.end(), [](unsigned char c) {
    return std::isalnum(c) != 0;
  });
  if (!ours) return std::nullopt;
  return Hidden{text.substr(1, at - 1), static_cast<pid_t>(std::stol(rest.substr(0, digits)))};
}

bool lives(pid_t process) { return process > 0 && (::kill(process, 0) == 0 || errno != ESRCH); }

bool is_own(const fs::path& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0 && status.st_uid == ::geteuid() &&
         (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode));
}

/// What happens to one entry of the folder.
void clear(const fs::path& entry) {
  const std::string text = entry.filename().string();
  const auto partial = hidden(text, kPartial);
  const auto earlier = hidden(text, kEarlier);
  const auto& found = partial ? partial : earlier;
  if (!found || lives(found->process) || !is_own(entry)) return;
  // The id says nothing of a process in another container that shares the folder.
  const int lock = open_locked(entry.string());
  if (lock < 0) return;
  std::error_code error;
  const fs::path place = entry.parent_path() / found->name;
  if (earlier && !fs::exists(place, error)) {
    fs::rename(entry, place, error);
  } else {
    fs::remove_all(entry, error);
  }
  ::close(lock);
}

/// What the waiting process does: the pipe ends without a word when the other has died.
[[noreturn]] void wait_and_remove(int pipe, const std::string& folder) {
  // Neither the terminal's signals nor open files of the other are this one's.
  ::setsid();
  for (const int ending : {SIGINT, SIGTERM, SIGHUP}) ::signal(ending, SIG_IGN);
  ::dup2(pipe, 0);
  ::close_range(1, ~0U, 0);
  char word = 0;
  ssize_t count = -1;
  do {
    count = ::read(0, &word, 1);
  } while (count < 0 && errno == EINTR);
  std::error_code error;
  if (count == 0) fs::remove_all(folder, error);
  ::_exit(0);
}

}  // namespace

std::string partial_prefix(const std::string& name) {
  return fmt::format(".{}{}{}-", name, kPartial, ::getpid());
}

std::string earlier_name(const std::string& partial) {
  std::string name = partial;
  return name.replace(name.rfind(kPartial), std::strlen(kPartial), kEarlier);
}

void remove_left_behind(const std::string& folder) {
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error))
    clear(entry->path());
}

int open_locked(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0 || ::flock(descriptor, LOCK_EX | LOCK_NB) == 0) return descriptor;
  ::close(descriptor);
  return -1;
}

SignalsWait::SignalsWait() {
  sigset_t ending;
  sigemptyset(&ending);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&ending, signal);
  pthread_sigmask(SIG_BLOCK, &ending, &before_);
}

SignalsWait::~SignalsWait() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

RemovedAtDeath::RemovedAtDeath(const std::string& folder) {
  int ends[2];
  // Without a pipe or a process the next run removes what this one leaves.
  if (::pipe2(ends, O_CLOEXEC) != 0) return;
  waiting_ = ::fork();
  if (waiting_ == 0) {
    ::close(ends[1]);
    wait_and_remove(ends[0], folder);
  }
  ::close(ends[0]);
  pipe_ = ends[1];
}

RemovedAtDeath::~RemovedAtDeath() {
  if (pipe_ < 0) return;
  const char word = 'k';
  while (::write(pipe_, &word, 1) < 0 && errno == EINTR) {
  }
  ::close(pipe_);
  if (waiting_ > 0) ::waitpid(waiting_, nullptr, 0);
}

}  // namespace quadrille::app
