// `quadrille run` of a documents' experiment: many runs, one report.
#pragma once

#include <string>

#include "app/commands/run.h"
#include "app/config/workload_file.h"

namespace quadrille::app {

/// `chip` is a path. Returns the exit code.
int run_experiment(const Workload& workload, const ExperimentWorkload& experiment,
                   const RunOptions& options, const std::string& chip);

}  // namespace quadrille::app
