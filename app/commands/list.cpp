#include "app/commands/list.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "app/commands/command_line.h"
#include "app/config/dram_kind_file.h"
#include "app/files/shipped.h"
#include "app/files/suggest.h"
#include "app/networks/operator.h"
#include "app/regression/case.h"
#include "model/errors.h"

namespace quadrille::app {
namespace fs = std::filesystem;
namespace {

/// Names, and a line on each.
using Listed = std::vector<std::pair<std::string, std::string>>;

Listed shipped(const char* folder) {
  Listed listed;
  for (const std::string& name : shipped_names(folder)) {
    const fs::path file = fs::path(shipped_root()) / folder / (name + ".yaml");
    listed.emplace_back(name, description_of(file.string()));
  }
  return listed;
}

Listed operators() {
  Listed listed;
  for (const std::string& name : operator_names())
    listed.emplace_back(name, operator_summary(name));
  return listed;
}

Listed cases() {
  Listed listed;
  for (const std::string& folder : shipped_cases())
    listed.emplace_back(fs::path(folder).filename().string(), describe_case(folder));
  return listed;
}

struct Kind {
  const char* name;
  Listed (*list)();
};
constexpr Kind kKinds[] = {{"workloads", [] { return shipped("workloads"); }},
                           {"chips", [] { return shipped("chips"); }},
                           {"operators", operators},
                           {"cases", cases},
                           {"networks", [] { return shipped("networks"); }},
                           {"sweeps", [] { return shipped("sweeps"); }},
                           {"technologies", [] { return shipped("technology"); }},
                           {"dram-kinds", [] { return shipped(kDramKindFolder); }}};

void print(const Kind& kind) {
  const Listed listed = kind.list();
  if (listed.empty()) {
    fmt::print("{}: none are shipped\n", kind.name);
    return;
  }
  std::size_t width = 0;
  for (const auto& entry : listed) width = std::max(width, entry.first.size());
  fmt::print("{}:\n", kind.name);
  for (const auto& [name, line] : listed) {
    if (line.empty()) {
      fmt::print("  {}\n", name);
    } else {
      fmt::print("  {:<{}}  {}\n", name, width, line);
    }
  }
}

}  // namespace

const std::vector<std::string>& list_kinds() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> made;
    for (const Kind& kind : kKinds) made.emplace_back(kind.name);
    return made;
  }();
  return names;
}

int list_command(const std::string& kind) {
  const std::vector<std::string>& names = list_kinds();
  if (!kind.empty() && std::find(names.begin(), names.end(), kind) == names.end()) {
    throw InputError(
        "list", in_quotes(kind),
        fmt::format("expected one of {}{}", fmt::join(names, ", "), did_you_mean(kind, names)));
  }
  for (const Kind& one : kKinds) {
    if (kind.empty() || kind == one.name) print(one);
  }
  return kGood;
}

}  // namespace quadrille::app
