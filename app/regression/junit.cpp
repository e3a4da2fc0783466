#include "app/regression/junit.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "app/files/suggest.h"

namespace quadrille::app {
namespace {

/// Bytes that are no UTF-8 become question marks: a reader of XML takes none of them.
std::string as_utf8(std::string text) {
  for (std::size_t good = 0;;) {
    good += valid_utf8_prefix(std::string_view(text).substr(good));
    if (good == text.size()) return text;
    text[good] = '?';
  }
}

/// Text of an attribute or an element; characters that XML has no way to write become spaces.
std::string escaped(const std::string& text) {
  std::string result;
  for (const char c : as_utf8(text)) {
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

/// The element that says how a case ended; "" where it passed.
const char* element(JunitCase::Kind kind) {
  switch (kind) {
    case JunitCase::Kind::kFailed:
      return "failure";
    case JunitCase::Kind::kError:
      return "error";
    case JunitCase::Kind::kSkipped:
      return "skipped";
    case JunitCase::Kind::kPassed:
      break;
  }
  return "";
}

}  // namespace

std::string junit_xml(const std::string& suite, const std::vector<JunitCase>& cases) {
  const auto count = [&](JunitCase::Kind kind) {
    return std::count_if(cases.begin(), cases.end(),
                         [&](const JunitCase& one) { return one.kind == kind; });
  };
  std::string xml = fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n"
      "<testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\">\n",
      escaped(suite), cases.size(), count(JunitCase::Kind::kFailed), count(JunitCase::Kind::kError),
      count(JunitCase::Kind::kSkipped));
  for (const JunitCase& one : cases) {
    xml +=
        fmt::format("<testcase classname=\"{}\" name=\"{}\">", escaped(suite), escaped(one.name));
    if (one.kind != JunitCase::Kind::kPassed) {
      xml += fmt::format("<{} message=\"{}\">", element(one.kind),
                         one.lines.empty() ? "" : escaped(one.lines.front()));
      for (const std::string& line : one.lines) xml += escaped(line) + "\n";
      xml += fmt::format("</{}>", element(one.kind));
    }
    xml += "</testcase>\n";
  }
  return xml + "</testsuite>\n</testsuites>\n";
}

}  // namespace quadrille::app
