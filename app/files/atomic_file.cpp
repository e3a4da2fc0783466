#include "app/files/atomic_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <utility>

#include "app/files/suggest.h"
#include "model/errors.h"

namespace quadrille::app {
namespace fs = std::filesystem;
namespace {

std::string reason(int error) { return std::generic_category().message(error); }

}  // namespace

AtomicFile::AtomicFile(std::string path) : path_(std::move(path)) {
  struct stat existing {};
  if (::stat(path_.c_str(), &existing) == 0 && !S_ISREG(existing.st_mode)) {
    throw InputError(printable(path_, 400), "output file",
                     S_ISDIR(existing.st_mode) ? "expected the name of a file, found a directory"
                                               : "expected a regular file, found a device or pipe");
  }
  const fs::path place(path_);
  const std::string folder = place.has_parent_path() ? place.parent_path().string() : ".";
  remove_left_behind(folder);
  // The process id and a counter keep writers of the same file apart.
  static std::atomic<unsigned> counter{0};
  const std::string name = fmt::format("{}/{}{}", folder, partial_prefix(place.filename().string()),
                                       counter.fetch_add(1));
  descriptor_ = ::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (descriptor_ < 0) fail("expected a writable directory", errno);
  ::flock(descriptor_, LOCK_EX | LOCK_NB);
  temporary_ = name;
}

AtomicFile::~AtomicFile() { discard(); }

void AtomicFile::write(const void* data, std::size_t bytes) {
  if (descriptor_ < 0) throw InvariantError("AtomicFile: write after commit to " + path_);
  const char* rest = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t written = ::write(descriptor_, rest, bytes);
    if (written < 0) {
      if (errno == EINTR) continue;
      fail("expected room for the whole file", errno);
    }
    rest += written;
    bytes -= static_cast<std::size_t>(written);
  }
}

void AtomicFile::commit() {
  if (descriptor_ < 0) throw InvariantError("AtomicFile: second commit of " + path_);
  const int closed = ::close(std::exchange(descriptor_, -1));
  if (closed != 0) fail("expected room for the whole file", errno);
  if (std::rename(temporary_.c_str(), path_.c_str()) != 0) {
    fail("expected a name that can be written", errno);
  }
  temporary_.clear();
}

void AtomicFile::fail(const char* what, int error) {
  discard();
  throw InputError(printable(path_, 400), "output file",
                   fmt::format("{}: {}", what, reason(error)));
}

void AtomicFile::discard() noexcept {
  if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
  temporary_.clear();
}

void write_file(const std::string& path, std::string_view content) {
  AtomicFile file(path);
  file.write(content);
  file.commit();
}

}  // namespace quadrille::app
