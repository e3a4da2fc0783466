#include "testbench/common/published_page.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <vector>

#include "testbench/common/environment.h"
#include "testbench/common/source_tree.h"

namespace quadrille::testbench {
namespace {

std::string path_of(const std::string& name) { return source_path("docs/") + name; }

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

/// Calls `differ(number, published, made)` for every line that differs; a line
/// that a page does not have is "(no line)".
template <typename Differ>
void for_each_difference(const std::string& published, const std::string& page,
                         const Differ& differ) {
  const std::vector<std::string> before = lines_of(published);
  const std::vector<std::string> after = lines_of(page);
  const auto line = [](const std::vector<std::string>& lines, std::size_t i) {
    return i < lines.size() ? lines[i] : "(no line)";
  };
  for (std::size_t i = 0; i < std::max(before.size(), after.size()); ++i) {
    if (line(before, i) != line(after, i)) differ(i + 1, line(before, i), line(after, i));
  }
}

}  // namespace

std::string published(const std::string& name) {
  std::ifstream file(path_of(name));
  EXPECT_TRUE(file) << path_of(name) << " is not there; write it with QUADRILLE_BLESS=1";
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

bool blessed(const std::string& name, const std::string& page) {
  if (!blessing()) return false;
  std::ostringstream before;
  before << std::ifstream(path_of(name)).rdbuf();
  std::size_t changed = 0;
  for_each_difference(before.str(), page,
                      [&](std::size_t, const std::string&, const std::string&) { ++changed; });
  std::ofstream file(path_of(name));
  file << page;
  ADD_FAILURE() << (file.flush() ? "wrote " : "could not write ") << path_of(name) << ", "
                << changed << " lines changed; nothing was compared, so run the test again "
                << "without QUADRILLE_BLESS";
  return true;
}

void expect_published(const std::string& name, const std::string& page) {
  if (blessed(name, page)) return;
  for_each_difference(
      published(name), page,
      [&](std::size_t number, const std::string& expected, const std::string& found) {
        ADD_FAILURE() << path_of(name) << ", line " << number << "\n  page:  " << expected
                      << "\n  found: " << found;
      });
}

void expect_published_part(const std::string& name, const std::string& what,
                           const std::string& part) {
  std::string page = published(name);
  const std::string first = "<!-- generated: " + what + " -->\n";
  const std::size_t begin = page.find(first);
  const std::size_t end = page.find("<!-- end: " + what + " -->\n");
  ASSERT_TRUE(begin != std::string::npos && end != std::string::npos && begin < end)
      << path_of(name) << " lacks the marks of " << what;
  page.replace(begin + first.size(), end - begin - first.size(), part);
  expect_published(name, page);
}

}  // namespace quadrille::testbench
