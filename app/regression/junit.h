// Results of a regression as JUnit's XML, which CI services show.
#pragma once

#include <string>
#include <vector>

namespace quadrille::app {

struct JunitCase {
  std::string name;
  std::vector<std::string> failures;  ///< One line each; none: it passed.
};

/// One test suite with a test case for each. No times: the same results, the same bytes.
std::string junit_xml(const std::string& suite, const std::vector<JunitCase>& cases);

}  // namespace quadrille::app
