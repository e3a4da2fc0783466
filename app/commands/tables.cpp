#include "app/commands/tables.h"

#include <fmt/format.h>

#include "app/commands/command_line.h"
#include "app/config/chip_file.h"
#include "app/config/technology_file.h"
#include "app/files/shipped.h"
#include "app/report/damf_comparison.h"
#include "app/simulation.h"

namespace quadrille::app {

int tables_command(const std::string& chip) {
  struct Design {
    const char* workload;
    const char* name;
  };
  std::vector<ComparedDesign> designs;
  const std::string chip_path = find_file("--chip", "chips", chip);
  const hw::ChipConfig config = read_chip_file(chip_path);
  const hw::Technology technology =
      read_technology_file(find_technology(config.technology, chip_path));
  for (const Design& design : {Design{"bert-base-mhsa-softmax", "BERT-base"},
                               Design{"bert-small-mhsa-softmax", "BERTsmall"},
                               Design{"bert-base-mhsa-damf", "BERT-base with DAMF"}}) {
    RunRequest request;
    request.workload = read_workload_file(find_file("tables", "workloads", design.workload));
    request.chip = config;
    request.technology = technology;
    request.data = false;
    RunOutcome outcome = simulate(request);
    designs.push_back(
        compare_design(design.name, make_report(std::move(request), std::move(outcome), {})));
  }
  fmt::print("{}", comparison_text(designs));
  return kGood;
}

}  // namespace quadrille::app
