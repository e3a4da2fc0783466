// A folder of results that appears whole or not at all.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace quadrille::app {

/// Files are written into a hidden folder beside their place and moved there by
/// commit(): those of an earlier run are replaced, files of other names are
/// left alone. The file added last is removed first and moved last,
/// so a folder that has it is complete.
class OutputFolder {
 public:
  /// Makes the folder (and its parents) at once: InputError naming `path` if
  /// it cannot be written.
  explicit OutputFolder(const std::string& path);
  /// Without commit(), leaves no trace: what was not there is gone again.
  ~OutputFolder();
  OutputFolder(const OutputFolder&) = delete;
  OutputFolder& operator=(const OutputFolder&) = delete;

  void add(const std::string& name, std::string content);
  /// A file that an earlier run may have left and this one does not have.
  void drop(const std::string& name) { dropped_.push_back(name); }
  /// InputError if a file cannot be written or moved.
  void commit();

 private:
  [[noreturn]] void fail(const std::string& why) const;

  std::string path_;
  std::string staging_;
  std::vector<std::string> made_;  ///< Folders that were not there, outermost first.
  std::vector<std::pair<std::string, std::string>> files_;
  std::vector<std::string> dropped_;
  bool committed_ = false;
};

}  // namespace quadrille::app
