#include "app/commands/list.h"

#include <fmt/format.h>

#include <filesystem>

#include "app/commands/command_line.h"
#include "app/config/dram_kind_file.h"
#include "app/files/shipped.h"
#include "app/networks/operator.h"
#include "app/regression/case.h"

namespace quadrille::app {

int list_command() {
  const auto print = [](const char* what, const std::vector<std::string>& names) {
    fmt::print("{}:\n", what);
    for (const std::string& name : names) fmt::print("  {}\n", name);
  };
  print("chips", shipped_names("chips"));
  print("workloads", shipped_names("workloads"));
  print("sweeps", shipped_names("sweeps"));
  print("technologies", shipped_names("technology"));
  print("dram kinds", shipped_names(kDramKindFolder));
  print("operators", operator_names());
  std::vector<std::string> cases;
  for (const std::string& folder : shipped_cases())
    cases.push_back(std::filesystem::path(folder).filename().string());
  print("cases", cases);
  return kGood;
}

}  // namespace quadrille::app
