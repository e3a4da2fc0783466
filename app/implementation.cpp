#include "app/implementation.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "app/files/suggest.h"
#include "hw/chip_result.h"
#include "hw/engines/rtl_bodies.h"
#include "model/errors.h"

namespace quadrille::app {
namespace {

bool exists_in_rtl(const std::string& engine) {
  const std::vector<std::string>& names = hw::engines_in_rtl();
  return std::find(names.begin(), names.end(), engine) != names.end();
}

}  // namespace

std::vector<std::string> Implementation::rtl_engines() const {
  std::vector<std::string> names;
  for (const std::string& engine : kEngines) {
    if (rtl.count(engine) != 0) names.push_back(engine);
  }
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
    if (body == "systemc") {
      result.rtl.erase(engine);
    } else if (!exists_in_rtl(engine)) {
      fail(fmt::format("this engine exists in SystemC only, in RTL there are {}",
                       fmt::join(hw::engines_in_rtl(), ", ")));
    } else {
      result.rtl.insert(engine);
    }
  }
  return result;
}

Implementation all_in_rtl(const hw::Program& program) {
  Implementation result;
  for (const hw::Command& command : program.commands) {
    const hw::Unit unit = hw::unit_of(command.operation);
    if (unit == hw::Unit::kDma) continue;
    const std::string engine = hw::engine_name(hw::engine_of(unit));
    if (exists_in_rtl(engine)) result.rtl.insert(engine);
  }
  return result;
}

std::vector<std::string> rtl_engines_of(const Implementation& implementation,
                                        const hw::Program& program, bool used) {
  const Implementation possible = all_in_rtl(program);
  std::vector<std::string> names;
  for (const std::string& engine : implementation.rtl_engines()) {
    if ((possible.rtl.count(engine) != 0) == used) names.push_back(engine);
  }
  return names;
}

}  // namespace quadrille::app
