// A folder of results that appears whole or not at all.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "app/files/partial_output.h"

namespace quadrille::app {

/// Puts the folder `made` where `path` is to be; an earlier folder there is exchanged for it
/// and lies under its name afterwards. `exchange`: whether the file system can do that in one
/// step. Where it cannot, the earlier one is set aside first, so that it or the new one is
/// whole at any time, and removed. Returns what went wrong, as an errno, or 0.
int put_in_place(const std::string& made, const std::string& path, bool exchange = true);

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

  /// Where a file that is too large for memory is to be written before commit(). It goes
  /// with the process if that ends before.
  std::string path_of(const std::string& name);
  void add(const std::string& name, std::string content);
  /// InputError if a file cannot be written or the folder cannot be put in its place.
  /// Ctrl-C and its like wait until it has ended. What killed processes have left beside
  /// the place goes.
  void commit();

 private:
  [[noreturn]] void fail(const std::string& why) const;
  void require_own_or_empty() const;
  void require_writable() const;
  void make_staging();
  void write_files() const;

  std::string given_;  ///< As the user wrote it.
  std::string path_;
  std::string parent_;
  std::string hidden_;   ///< What names of hidden folders begin with: ".NAME.partial-PID-".
  std::string staging_;  ///< The hidden folder; "": none yet.
  int lock_ = -1;        ///< Tells others that it is in use.
  std::unique_ptr<RemovedAtDeath> guard_;
  std::vector<std::string> own_names_;
  std::vector<std::pair<std::string, std::string>> files_;
};

}  // namespace quadrille::app
