// The finished points of a sweep on disk: one line of JSON each, behind a line that says
// of what they are.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace quadrille::app {

/// A point's line reaches the kernel in one write() as soon as the point is finished, so
/// a process that is killed, by whatever signal, loses no finished point; a line that was
/// cut off is dropped at the next start and its point made again. The disk itself is
/// waited for (fdatasync) once a second and at the end: a machine that loses its power
/// loses a second of points, and a sweep does not wait for the disk a thousand times.
class Journal {
 public:
  /// Opens or makes the file and reads what it has. InputError if another process has it
  /// open, if it cannot be written, and if its points are of other files than `files`
  /// (role and fingerprint).
  Journal(std::string path, const std::map<std::string, std::string>& files);
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  /// The lines of points that were there, without line ends, in the file's order.
  const std::vector<std::string>& found() const { return found_; }
  /// InputError if the disk is full.
  void append(const std::string& line);
  void sync();

 private:
  void open();
  void read(const std::map<std::string, std::string>& files);
  void check_header(const std::string& line, const std::map<std::string, std::string>& files) const;
  void write_line(const std::string& line);
  [[noreturn]] void fail(const std::string& expectation) const;

  std::string path_;
  int descriptor_ = -1;
  std::vector<std::string> found_;
  std::chrono::steady_clock::time_point synced_;
};

}  // namespace quadrille::app
