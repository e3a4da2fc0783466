#include "app/implementation.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "app/files/suggest.h"
#include "hw/engines.h"
#include "model/errors.h"

namespace quadrille::app {
std::vector<std::string> Implementation::rtl_engines() const {
  std::vector<std::string> names;
  for (const hw::EngineEntry* entry : hw::engines().entries()) {
    if (rtl.count(entry->name()) != 0) names.emplace_back(entry->name());
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
    if (std::find(bodies.begin(), bodies.end(), body) == bodies.end())
      fail("unknown body, expected systemc or rtl" + did_you_mean(body, bodies));
    if (engine == "all") {
      result.rtl.clear();
      if (body == "rtl") {
        for (const std::string& name : hw::engines().names_in_rtl()) result.rtl.insert(name);
      }
      continue;
    }
    const hw::EngineEntry* entry = hw::engines().find(engine);
    if (entry == nullptr) {
      std::vector<std::string> names = hw::engines().names();
      names.emplace_back("all");
      fail(fmt::format("unknown engine, expected one of {}{}", fmt::join(names, ", "),
                       did_you_mean(engine, names)));
    }
    if (body == "systemc") {
      result.rtl.erase(engine);
    } else if (!entry->in_rtl()) {
      fail(fmt::format("this engine exists in SystemC only, in RTL there are {}",
                       fmt::join(hw::engines().names_in_rtl(), ", ")));
    } else {
      result.rtl.insert(engine);
    }
  }
  return result;
}

Implementation all_in_rtl(const hw::Program& program) {
  Implementation result;
  for (const hw::Command& command : program.commands) {
    const hw::EngineEntry* entry = hw::engines().engine_of(hw::unit_of(command.operation));
    if (entry != nullptr && entry->in_rtl()) result.rtl.insert(entry->name());
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
