#include "app/commands/run_experiment.h"

#include <fmt/format.h>

#include <filesystem>

#include "app/commands/command_line.h"
#include "app/config/chip_file.h"
#include "app/config/choices.h"
#include "app/config/technology_file.h"
#include "app/experiments/experiment.h"
#include "app/files/hash.h"
#include "app/files/output_folder.h"
#include "app/report/report_files.h"
#include "app/version.h"
#include "hw/energy/energy.h"
#include "model/errors.h"

namespace quadrille::app {
namespace {

using Json = nlohmann::ordered_json;

void refuse_options(const RunOptions& options, const std::string& kind) {
  if (options.no_data) {
    throw InputError("--no-data", "a workload of kind " + kind,
                     "expected without it: the experiment decides which of its runs have data");
  }
  if (!options.implementations.empty()) {
    throw InputError("--impl", "'" + options.implementations.front() + "'",
                     "a workload of kind " + kind + " runs every engine in SystemC");
  }
}

Json input_json(const char* role, const std::string& path) {
  return {{"role", role},
          {"name", std::filesystem::path(path).filename().string()},
          {"fnv1a_64", file_fnv1a_64(path)}};
}

}  // namespace

int run_experiment(const Workload& workload, const ExperimentWorkload& experiment,
                   const RunOptions& options, const ParsedChip& chip) {
  refuse_options(options, experiment.kind);
  ExperimentSetup setup;
  setup.chip = resolve(chip);
  const std::string technology = technology_path(chip);
  setup.technology = read_technology_file(technology);
  if (options.seed) setup.seed = static_cast<std::uint64_t>(*options.seed);

  const std::string place = output_folder(options, workload.name);
  OutputFolder folder(place, report_file_names());
  ExperimentReport report = find_experiment(experiment.kind)(experiment.keys, setup);
  if (report.difference) {
    fmt::print(stderr,
               "quadrille: {}: the chip's output differs from the integer specification: {}\n",
               workload.name, *report.difference);
    return kComparisonFailed;
  }
  Json summary;
  summary["experiment_schema_version"] = kExperimentSchemaVersion;
  summary["version"] = version();
  summary["workload"] = workload.name;
  summary["kind"] = experiment.kind;
  summary["chip"] = setup.chip.name;
  summary["technology"] = setup.chip.technology;
  summary["timing"] = word_of(kTimingChoices, setup.chip.timing);
  summary["inputs"] = Json::array({input_json("workload", workload.path)});
  for (const std::string& file : chip.files)
    summary["inputs"].push_back(input_json(file == chip.file() ? "chip" : "chip base", file));
  if (const auto kind = dram_kind_path(chip))
    summary["inputs"].push_back(input_json("dram kind", *kind));
  summary["inputs"].push_back(input_json("technology", technology));
  summary["settings"] = options.settings;
  if (report.chip_runs) {
    summary.update(cost_json(*report.chip_runs));
    summary["clock_hz"] = setup.chip.clock_hz;
    summary["area_um2"] = hw::total(hw::area_um2(setup.chip, setup.technology));
  }
  summary["figures"] = std::move(report.figures);
  report.files.emplace_back("summary.json", summary.dump(2) + "\n");
  commit_report(folder, report.files);
  fmt::print("{}\n  report in {}\n", report.text, place);
  return kGood;
}

}  // namespace quadrille::app
