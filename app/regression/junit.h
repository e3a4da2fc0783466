// Results of a regression as JUnit's XML, which CI services show.
#pragma once

#include <string>
#include <vector>

namespace quadrille::app {

struct JunitCase {
  enum class Kind {
    kPassed,
    kFailed,   ///< It was compared and differs: <failure>.
    kError,    ///< It could not be compared: <error>.
    kSkipped,  ///< It was not compared, and need not be: <skipped>.
  };
  std::string name;
  Kind kind = Kind::kPassed;
  std::vector<std::string> lines;  ///< Why, the first as the message; none where it passed.
};

/// One test suite with a test case for each. No times: the same results, the same bytes.
std::string junit_xml(const std::string& suite, const std::vector<JunitCase>& cases);

}  // namespace quadrille::app
