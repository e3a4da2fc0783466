// `quadrille run` of a documents' experiment: many runs, one report.
#pragma once

#include <optional>
#include <string>

#include "app/commands/run.h"
#include "app/experiments/experiment.h"

namespace quadrille::app {

/// The experiment that a workload file's `kind` names; null: another workload.
/// InputError for a kind that does not exist.
Experiment experiment_of(const std::string& workload_path);

/// `workload` and `chip` are paths. Returns the exit code.
int run_experiment(Experiment experiment, const RunOptions& options, const std::string& workload,
                   const std::string& chip);

}  // namespace quadrille::app
