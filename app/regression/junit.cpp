#include "app/regression/junit.h"

#include <fmt/format.h>

#include <algorithm>

namespace quadrille::app {
namespace {

/// Text of an attribute or an element; bytes that XML has no way to write become spaces.
std::string escaped(const std::string& text) {
  std::string result;
  for (const char c : text) {
    switch (c) {
      case '&':
        result += "&amp;";
        break;
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '"':
        result += "&quot;";
        break;
      default:
        result += static_cast<unsigned char>(c) < ' ' && c != '\n' ? ' ' : c;
    }
  }
  return result;
}

}  // namespace

std::string junit_xml(const std::string& suite, const std::vector<JunitCase>& cases) {
  const auto failed = std::count_if(cases.begin(), cases.end(),
                                    [](const JunitCase& one) { return !one.failures.empty(); });
  std::string xml = fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n"
      "<testsuite name=\"{}\" tests=\"{}\" failures=\"{}\">\n",
      escaped(suite), cases.size(), failed);
  for (const JunitCase& one : cases) {
    xml +=
        fmt::format("<testcase classname=\"{}\" name=\"{}\">", escaped(suite), escaped(one.name));
    if (!one.failures.empty()) {
      xml += fmt::format("<failure message=\"{}\">", escaped(one.failures.front()));
      for (const std::string& line : one.failures) xml += escaped(line) + "\n";
      xml += "</failure>";
    }
    xml += "</testcase>\n";
  }
  return xml + "</testsuite>\n</testsuites>\n";
}

}  // namespace quadrille::app
