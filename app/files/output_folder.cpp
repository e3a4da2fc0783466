#include "app/files/output_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
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

/// Whether the file is a report's summary.json: the key stands near its beginning.
bool is_report(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::string head(4096, '\0');
  in.read(head.data(), static_cast<std::streamsize>(head.size()));
  return head.find("schema_version\"") != std::string::npos;
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
  hidden_ = partial_prefix(place.filename().string());
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

void OutputFolder::write_files() const {
  for (const auto& [name, content] : files_) {
    std::ofstream out(fs::path(staging_) / name, std::ios::binary);
    out.write(content.data(), static_cast<std::streamsize>(content.size()));
    out.close();
    if (!out) fail("'" + name + "' cannot be written: " + std::strerror(errno));
  }
}

int put_in_place(const std::string& made, const std::string& path, bool exchange) {
  if (exchange && ::renameat2(AT_FDCWD, made.c_str(), AT_FDCWD, path.c_str(), RENAME_EXCHANGE) == 0)
    return 0;
  // Where nothing is, or an empty folder, a rename is enough.
  if (::rename(made.c_str(), path.c_str()) == 0) return 0;
  if (errno != ENOTEMPTY && errno != EEXIST) return errno;
  const std::string earlier = earlier_name(made);
  if (::rename(path.c_str(), earlier.c_str()) != 0) return errno;
  if (::rename(made.c_str(), path.c_str()) != 0) {
    const int why = errno;
    ::rename(earlier.c_str(), path.c_str());
    return why;
  }
  std::error_code error;
  fs::remove_all(earlier, error);
  return 0;
}

void OutputFolder::make_staging() {
  if (!staging_.empty()) return;
  std::error_code error;
  fs::create_directories(parent_, error);
  if (error) fail(error.message());
  remove_left_behind(parent_);
  std::string made = fmt::format("{}/{}XXXXXX", parent_, hidden_);
  if (::mkdtemp(made.data()) == nullptr) fail(std::strerror(errno));
  staging_ = made;
  lock_ = open_locked(staging_);
}

std::string OutputFolder::path_of(const std::string& name) {
  make_staging();
  if (!guard_) guard_ = std::make_unique<RemovedAtDeath>(staging_);
  return (fs::path(staging_) / name).string();
}

OutputFolder::~OutputFolder() {
  std::error_code error;
  if (!staging_.empty()) fs::remove_all(staging_, error);
  if (lock_ >= 0) ::close(lock_);
}

void OutputFolder::commit() {
  const SignalsWait wait;
  make_staging();
  require_own_or_empty();
  write_files();
  std::error_code error;
  fs::permissions(staging_, fs::perms(0755), error);
  if (const int why = put_in_place(staging_, path_)) fail(std::strerror(why));
  fs::remove_all(staging_, error);
  staging_.clear();
}

}  // namespace quadrille::app
