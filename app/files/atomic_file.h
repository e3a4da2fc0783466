// A file that appears whole or not at all.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "app/files/partial_output.h"

namespace quadrille::app {

/// Writes to a hidden file beside `path` (same directory, hence same file
/// system) and renames it over `path` on commit(). Destroyed without commit(),
/// it removes the hidden file and leaves an existing `path` as it was. Ctrl-C and its
/// like wait while it lives, so it lives no longer than the writing takes; what killed
/// processes have left in the directory goes.
///
/// Errors: InputError naming `path` if the directory cannot be written, `path`
/// is a directory or a device, or the disk is full. commit() may be called
/// once; write() after it is an InvariantError.
class AtomicFile {
 public:
  explicit AtomicFile(std::string path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(const void* data, std::size_t bytes);
  void write(std::string_view text) { write(text.data(), text.size()); }
  void commit();

 private:
  [[noreturn]] void fail(const char* what, int error);
  void discard() noexcept;

  SignalsWait wait_;
  std::string path_;
  std::string temporary_;  // empty once committed or discarded
  int descriptor_ = -1;
};

/// The whole of `content` as the file `path`, atomically.
void write_file(const std::string& path, std::string_view content);

}  // namespace quadrille::app
