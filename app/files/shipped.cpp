#include "app/files/shipped.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "app/files/suggest.h"
#include "model/errors.h"

namespace quadrille::app {
namespace fs = std::filesystem;

std::string shipped_root() {
  std::error_code error;
  if (fs::is_directory(fs::path(QUADRILLE_SOURCE_DIR) / "chips", error))
    return QUADRILLE_SOURCE_DIR;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  const fs::path prefix = program.parent_path().parent_path();
  const fs::path share = prefix / "share" / "quadrille";
  return (fs::is_directory(share / "chips", error) ? share : prefix).string();
}

std::vector<std::string> shipped_names(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator entry(fs::path(shipped_root()) / folder, error), end;
       !error && entry != end; entry.increment(error)) {
    if (entry->path().extension() == ".yaml") names.push_back(entry->path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string description_of(const std::string& path) {
  std::ifstream file(path);
  std::string text;
  for (std::string line; std::getline(file, line) && line.rfind("#", 0) == 0;) {
    const std::size_t begin = line.find_first_not_of("# ");
    if (begin == std::string::npos) break;
    text += (text.empty() ? "" : " ") + line.substr(begin);
  }
  text = text.substr(0, text.find(". "));
  if (!text.empty() && text.back() == '.') text.pop_back();
  return text;
}

std::string find_file(const std::string& option, const std::string& folder,
                      const std::string& given) {
  std::error_code error;
  if (fs::is_regular_file(given, error)) return given;
  const std::vector<std::string> names = shipped_names(folder);
  if (std::find(names.begin(), names.end(), given) != names.end())
    return (fs::path(shipped_root()) / folder / (given + ".yaml")).string();
  throw InputError(option, in_quotes(given),
                   fmt::format("no such file; expected a path or a shipped name ({}){}",
                               fmt::join(names, ", "), did_you_mean(given, names)));
}

}  // namespace quadrille::app
