#include "app/files/output_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "app/files/suggest.h"
#include "model/errors.h"

namespace quadrille::app {
namespace fs = std::filesystem;
namespace {

/// Signals that end a program wait as long as this lives.
class SignalsWait {
 public:
  SignalsWait() {
    sigset_t ending;
    sigemptyset(&ending);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&ending, signal);
    pthread_sigmask(SIG_BLOCK, &ending, &before_);
  }
  ~SignalsWait() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsWait(const SignalsWait&) = delete;
  SignalsWait& operator=(const SignalsWait&) = delete;

 private:
  sigset_t before_{};
};

/// Whether the file is a report's summary.json: the key stands near its beginning.
bool is_report(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::string head(4096, '\0');
  in.read(head.data(), static_cast<std::streamsize>(head.size()));
  return head.find("schema_version\"") != std::string::npos;
}

bool process_lives(const std::string& digits) {
  const long process = std::strtol(digits.c_str(), nullptr, 10);
  return process > 0 && (::kill(static_cast<pid_t>(process), 0) == 0 || errno != ESRCH);
}

}  // namespace

void OutputFolder::fail(const std::string& why) const {
  throw InputError(printable(given_, 400), "output folder",
                   "expected a folder that can be written: " + why);
}

OutputFolder::OutputFolder(const std::string& path, std::vector<std::string> own_names)
    : given_(path), own_names_(std::move(own_names)) {
  if (path.empty()) throw InputError("-o", "''", "expected the name of a folder");
  std::error_code error;
  fs::path place = fs::absolute(path, error).lexically_normal();
  if (place.filename().empty()) place = place.parent_path();
  if (fs::is_symlink(place, error)) place = fs::weakly_canonical(place, error);
  path_ = place.string();
  parent_ = place.parent_path().string();
  hidden_ = "." + place.filename().string() + ".partial-";
  if (fs::exists(place, error) && !fs::is_directory(place, error)) fail("it is a file");
  require_own_or_empty();
  require_writable();
}

void OutputFolder::require_own_or_empty() const {
  std::error_code error;
  bool summary = false;
  std::string any;
  for (fs::directory_iterator entry(path_, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (std::find(own_names_.begin(), own_names_.end(), name) == own_names_.end())
      fail(fmt::format("it holds '{}', which no run wrote; name a new folder",
                       printable(name, 100)));
    summary = summary || (name == "summary.json" && is_report(entry->path()));
    any = name;
  }
  if (!any.empty() && !summary)
    fail(fmt::format("it holds '{}' and no summary.json of a run; name a new folder", any));
}

/// Tries it where the folder will be made: in the nearest folder that is there.
void OutputFolder::require_writable() const {
  std::error_code error;
  fs::path there = parent_;
  while (!fs::exists(there, error) && there != there.parent_path()) there = there.parent_path();
  std::string probe = (there / (hidden_ + "XXXXXX")).string();
  if (::mkdtemp(probe.data()) == nullptr) fail(std::strerror(errno));
  ::rmdir(probe.c_str());
}

void OutputFolder::add(const std::string& name, std::string content) {
  files_.emplace_back(name, std::move(content));
}

void OutputFolder::remove_left_behind() const {
  std::error_code error;
  for (fs::directory_iterator entry(parent_, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (name.rfind(hidden_, 0) != 0) continue;
    const std::string rest = name.substr(hidden_.size());
    if (!process_lives(rest.substr(0, rest.find('-')))) fs::remove_all(entry->path(), error);
  }
}

void OutputFolder::write_files() const {
  for (const auto& [name, content] : files_) {
    std::ofstream out(fs::path(staging_) / name, std::ios::binary);
    out.write(content.data(), static_cast<std::streamsize>(content.size()));
    out.close();
    if (!out) fail("'" + name + "' cannot be written (is the disk full?)");
  }
}

void OutputFolder::put_in_place() const {
  // An earlier report and this one change places, and the earlier one goes.
  if (::renameat2(AT_FDCWD, staging_.c_str(), AT_FDCWD, path_.c_str(), RENAME_EXCHANGE) == 0)
    return;
  if (errno == ENOENT && ::rename(staging_.c_str(), path_.c_str()) == 0) return;
  // A file system that exchanges nothing takes an empty folder's place by a rename.
  std::error_code error;
  fs::remove_all(path_, error);
  if (::rename(staging_.c_str(), path_.c_str()) != 0) fail(std::strerror(errno));
}

void OutputFolder::make_staging() {
  if (!staging_.empty()) return;
  std::error_code error;
  fs::create_directories(parent_, error);
  if (error) fail(error.message());
  remove_left_behind();
  std::string made = fmt::format("{}/{}{}-XXXXXX", parent_, hidden_, ::getpid());
  if (::mkdtemp(made.data()) == nullptr) fail(std::strerror(errno));
  staging_ = made;
}

std::string OutputFolder::path_of(const std::string& name) {
  make_staging();
  return (fs::path(staging_) / name).string();
}

OutputFolder::~OutputFolder() {
  std::error_code error;
  if (!staging_.empty()) fs::remove_all(staging_, error);
}

void OutputFolder::commit() {
  const SignalsWait wait;
  make_staging();
  require_own_or_empty();
  write_files();
  std::error_code error;
  fs::permissions(staging_, fs::perms(0755), error);
  put_in_place();
}

}  // namespace quadrille::app
