#include "app/files/output_folder.h"

#include <stdlib.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "app/files/suggest.h"
#include "model/errors.h"

namespace quadrille::app {
namespace fs = std::filesystem;

void OutputFolder::fail(const std::string& why) const {
  throw InputError(printable(path_, 400), "output folder",
                   "expected a folder that can be written: " + why);
}

OutputFolder::OutputFolder(const std::string& path) : path_(path.empty() ? "." : path) {
  std::error_code error;
  std::vector<fs::path> missing;
  for (fs::path folder = fs::absolute(path_, error).lexically_normal();
       !folder.empty() && !fs::exists(folder, error); folder = folder.parent_path()) {
    missing.push_back(folder);
    if (folder == folder.parent_path()) break;
  }
  const auto undo = [&] {
    for (auto folder = made_.rbegin(); folder != made_.rend(); ++folder) fs::remove(*folder, error);
  };
  for (auto folder = missing.rbegin(); folder != missing.rend(); ++folder) {
    if (folder->filename().empty()) continue;
    std::error_code made;
    if (!fs::create_directory(*folder, made)) {
      undo();
      fail(made ? made.message() : "it cannot be made");
    }
    made_.push_back(folder->string());
  }
  std::string pattern = (fs::path(path_) / ".partial-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) {
    const std::string why = std::strerror(errno);
    undo();
    fail(why);
  }
  staging_ = pattern;
}

OutputFolder::~OutputFolder() {
  std::error_code ignored;
  fs::remove_all(staging_, ignored);
  if (committed_) return;
  for (auto folder = made_.rbegin(); folder != made_.rend(); ++folder) fs::remove(*folder, ignored);
}

void OutputFolder::add(const std::string& name, std::string content) {
  files_.emplace_back(name, std::move(content));
}

void OutputFolder::commit() {
  const auto place = [&](const std::string& name) { return fs::path(path_) / name; };
  for (const auto& [name, content] : files_) {
    if (fs::is_directory(place(name))) fail("'" + name + "' in it is a folder");
    std::ofstream out(fs::path(staging_) / name, std::ios::binary);
    out.write(content.data(), static_cast<std::streamsize>(content.size()));
    out.close();
    if (!out) fail("'" + name + "' cannot be written");
  }
  std::error_code error;
  if (!files_.empty()) fs::remove(place(files_.back().first), error);
  for (const std::string& name : dropped_) {
    if (fs::is_regular_file(place(name), error)) fs::remove(place(name), error);
  }
  for (const auto& file : files_) {
    fs::rename(fs::path(staging_) / file.first, place(file.first), error);
    if (error) fail("'" + file.first + "': " + error.message());
  }
  committed_ = true;
}

}  // namespace quadrille::app
