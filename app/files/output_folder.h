// A folder of results that appears whole or not at all.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace quadrille::app {

/// A report's folder. Files lie in a hidden folder beside the place, which is made when it
/// is needed, until commit() exchanges the two by one rename: whoever
/// looks finds an earlier report whole or this one whole, also when two runs end at once.
/// A folder that holds anything but a report is refused, so that nobody's files are lost.
class OutputFolder {
 public:
  /// InputError naming `path` when it is empty, cannot be written, or holds a file that
  /// is not in `own_names`, or files without a summary.json among them.
  OutputFolder(const std::string& path, std::vector<std::string> own_names);
  OutputFolder(const OutputFolder&) = delete;
  OutputFolder& operator=(const OutputFolder&) = delete;
  /// Without commit() nothing is left.
  ~OutputFolder();

  /// Where a file that is too large for memory is to be written before commit().
  std::string path_of(const std::string& name);
  void add(const std::string& name, std::string content);
  /// InputError if a file cannot be written or the folder cannot be put in its place.
  /// Ctrl-C and its like wait until it has ended. Hidden folders that runs which were
  /// killed have left go too.
  void commit();

 private:
  [[noreturn]] void fail(const std::string& why) const;
  void require_own_or_empty() const;
  void require_writable() const;
  void remove_left_behind() const;
  void make_staging();
  void write_files() const;
  void put_in_place() const;

  std::string given_;  ///< As the user wrote it.
  std::string path_;
  std::string parent_;
  std::string hidden_;   ///< What names of hidden folders begin with: ".NAME.partial-".
  std::string staging_;  ///< The hidden folder; "": none yet.
  std::vector<std::string> own_names_;
  std::vector<std::pair<std::string, std::string>> files_;
};

}  // namespace quadrille::app
