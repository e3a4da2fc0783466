// `quadrille run` of a documents' experiment: many runs, one report.
#pragma once

#include <string>

#include "app/commands/run.h"
#include "app/config/chip_file.h"
#include "app/config/workload_file.h"

namespace quadrille::app {

/// Returns the exit code.
int run_experiment(const Workload& workload, const ExperimentWorkload& experiment,
                   const RunOptions& options, const ParsedChip& chip);

}  // namespace quadrille::app
