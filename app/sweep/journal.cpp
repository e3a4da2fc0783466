#include "app/sweep/journal.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <nlohmann/json.hpp>
#include <optional>
#include <system_error>
#include <utility>

#include "app/files/suggest.h"
#include "model/errors.h"

namespace quadrille::app {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kWayOn =
    "; give another folder with -o to keep these points, or remove this file to begin anew";

std::string reason(int error) { return std::generic_category().message(error); }

/// The file through this descriptor: closing another one would give up the lock.
std::optional<std::string> contents(int descriptor) {
  std::string text;
  char bytes[1 << 16];
  for (;;) {
    const ssize_t count = ::pread(descriptor, bytes, sizeof bytes, static_cast<off_t>(text.size()));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return std::nullopt;
    if (count == 0) return text;
    text.append(bytes, static_cast<std::size_t>(count));
  }
}

bool is_point(const std::string& line) {
  const Json json = Json::parse(line, nullptr, false);
  return json.is_object() && json.contains("point") && json["point"].is_number_integer();
}

}  // namespace

Journal::Journal(std::string path, const std::map<std::string, std::string>& files)
    : path_(std::move(path)), synced_(std::chrono::steady_clock::now()) {
  open();
  try {
    read(files);
  } catch (...) {
    ::close(descriptor_);
    throw;
  }
}

Journal::~Journal() {
  ::fdatasync(descriptor_);
  ::close(descriptor_);
}

void Journal::open() {
  descriptor_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (descriptor_ < 0) fail("expected a folder that can be written: " + reason(errno));
  struct stat status {};
  if (::fstat(descriptor_, &status) != 0 || !S_ISREG(status.st_mode)) {
    ::close(descriptor_);
    fail("expected a regular file");
  }
  // A lock of this process: its workers do not inherit it, so it ends with this process.
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  if (::fcntl(descriptor_, F_SETLK, &lock) == 0) return;
  ::close(descriptor_);
  fail("another sweep is writing it, expected a folder of this one's own (-o)");
}

void Journal::read(const std::map<std::string, std::string>& files) {
  const std::optional<std::string> read = contents(descriptor_);
  if (!read) fail("expected a readable file: " + reason(errno));
  const std::string& text = *read;
  std::size_t whole = 0;  // bytes of good lines
  for (std::size_t end = text.find('\n'); end != std::string::npos; end = text.find('\n', whole)) {
    std::string line = text.substr(whole, end - whole);
    if (whole == 0) {
      check_header(line, files);
    } else if (is_point(line)) {
      found_.push_back(std::move(line));
    } else {
      break;
    }
    whole = end + 1;
  }
  if (whole < text.size() && ::ftruncate(descriptor_, static_cast<off_t>(whole)) != 0)
    fail("a line that was cut off cannot be dropped: " + reason(errno));
  if (whole > 0) return;
  write_line(Json({{"quadrille_sweep", 1}, {"files", files}}).dump());
  sync();
}

void Journal::check_header(const std::string& line,
                           const std::map<std::string, std::string>& files) const {
  const Json json = Json::parse(line, nullptr, false);
  if (!json.is_object() || !json.contains("quadrille_sweep") || !json.contains("files"))
    fail(std::string("expected the points of a sweep, found another file") + kWayOn);
  const auto& known = json["files"];
  for (const auto& [role, fingerprint] : files) {
    if (!known.contains(role))
      fail("its points were made without " + printable(role, 200) + kWayOn);
    if (known[role] != fingerprint)
      fail("its points were made with another " + printable(role, 200) + " (it changed since)" +
           kWayOn);
  }
  for (const auto& entry : known.items()) {
    if (files.count(entry.key()) == 0)
      fail("its points were made with " + printable(entry.key(), 200) +
           ", which is no part of the sweep any more" + kWayOn);
  }
}

void Journal::append(const std::string& line) {
  write_line(line);
  if (std::chrono::steady_clock::now() - synced_ > std::chrono::seconds(1)) sync();
}

void Journal::write_line(const std::string& line) {
  const std::string text = line + "\n";
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t written = ::write(descriptor_, text.data() + done, text.size() - done);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0)
      fail("expected room for its points: " + reason(errno) +
           "; the same command goes on once there is");
    done += static_cast<std::size_t>(written);
  }
}

void Journal::sync() {
  ::fdatasync(descriptor_);
  synced_ = std::chrono::steady_clock::now();
}

void Journal::fail(const std::string& expectation) const {
  throw InputError(printable(path_, 400) + ": " + expectation);
}

}  // namespace quadrille::app
