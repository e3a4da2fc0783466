#include "app/implementation.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "app/files/suggest.h"
#include "model/errors.h"

namespace quadrille::app {

std::vector<std::string> Implementation::rtl_engines() const {
  std::vector<std::string> names;
  if (damf_rtl) names.emplace_back("damf");
  return names;
}

Implementation parse_implementation(const std::vector<std::string>& assignments) {
  static const std::vector<std::string> bodies = {"systemc", "rtl"};
  Implementation result;
  for (const std::string& assignment : assignments) {
    const auto fail = [&](const std::string& expectation) {
      throw InputError("--impl", in_quotes(assignment), expectation);
    };
    const std::size_t equals = assignment.find('=');
    if (equals == std::string::npos) fail("expected ENGINE=systemc or ENGINE=rtl");
    const std::string engine = assignment.substr(0, equals);
    const std::string body = assignment.substr(equals + 1);
    if (std::find(kEngines.begin(), kEngines.end(), engine) == kEngines.end()) {
      fail(fmt::format("unknown engine, expected one of {}{}", fmt::join(kEngines, ", "),
                       did_you_mean(engine, kEngines)));
    }
    if (std::find(bodies.begin(), bodies.end(), body) == bodies.end())
      fail("unknown body, expected systemc or rtl" + did_you_mean(body, bodies));
    if (engine == "damf") {
      result.damf_rtl = body == "rtl";
    } else if (body == "rtl") {
      fail("the RTL of this engine is not there yet, expected systemc");
    }
  }
  return result;
}

}  // namespace quadrille::app
