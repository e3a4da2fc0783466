// The documents' experiments: workload kinds of their own, each many runs and
// one report (CSV tables, plots, a summary).
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "app/chip_run.h"
#include "app/files/yaml_reader.h"
#include "hw/chip_config.h"
#include "hw/energy/technology.h"

namespace quadrille::app {

struct ExperimentSetup {
  hw::ChipConfig chip;
  hw::Technology technology;
  std::optional<std::uint64_t> seed;  ///< Instead of the workload's.
};

/// What a run on a chip cost, priced with the technology table.
struct RunCost {
  std::int64_t cycles = 0;
  hw::Activity activity;  ///< Of all engines.
  hw::Traffic traffic;
  double dynamic_pj = 0.0;
  double static_pj = 0.0;

  double total_pj() const { return dynamic_pj + static_pj; }
  RunCost& operator+=(const RunCost& other);
};

/// Of an experiment's summary.json, which has keys of its own.
inline constexpr int kExperimentSchemaVersion = 1;

// Moving one may throw only as far as JSON's move may, which is not declared noexcept.
struct ExperimentReport {                                  // NOLINT(bugprone-exception-escape)
  std::string text;                                        ///< For the console.
  std::vector<std::pair<std::string, std::string>> files;  ///< Name, content.
  nlohmann::ordered_json figures;                          ///< What summary.json adds.
  /// Sum over all of the experiment's runs on a chip; none: it made none.
  std::optional<RunCost> chip_runs;
  /// Where the chip first differs from the integer specification.
  std::optional<std::string> difference;
};

/// Reads the whole workload first, refusing unknown keys, and then runs.
using Experiment = ExperimentReport (*)(const YamlNode& workload, const ExperimentSetup& setup);

ExperimentReport run_heat_flow(const YamlNode& workload, const ExperimentSetup& setup);
ExperimentReport run_sinkformer_geometry(const YamlNode& workload, const ExperimentSetup& setup);
ExperimentReport run_scaleformer_scaling(const YamlNode& workload, const ExperimentSetup& setup);
ExperimentReport run_mechanism_lengths(const YamlNode& workload, const ExperimentSetup& setup);
ExperimentReport run_damf_three_ways(const YamlNode& workload, const ExperimentSetup& setup);

/// Null: not the kind of an experiment.
Experiment find_experiment(const std::string& kind);
std::vector<std::string> experiment_kinds();

// --- Pieces that the experiments share ------------------------------------------

/// The keys that every workload has, read.
void read_head(const YamlNode& workload, const char* kind);

/// InputError unless `setup` has no seed: this experiment draws nothing.
void refuse_seed(const ExperimentSetup& setup, const std::string& kind);

/// Priced unit by unit.
RunCost cost_of(const ExperimentSetup& setup, const hw::ChipResult& result);

/// Column names and values of a RunCost in CSV, without the comma before.
extern const char* const kCostColumns;
std::string cost_csv(const RunCost& cost);
nlohmann::ordered_json cost_json(const RunCost& cost);

/// A text as a CSV field.
std::string csv_quoted(const std::string& text);

/// Slope and intercept of the least-squares line through (x, y).
struct Line {
  double slope = 0.0;
  double intercept = 0.0;
  double at(double x) const { return intercept + slope * x; }
};
/// InvariantError with fewer than two points.
Line fitted_line(const std::vector<double>& x, const std::vector<double>& y);

}  // namespace quadrille::app
