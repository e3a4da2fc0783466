// The CSV tables of a run. First line: names with units; no quoting is needed.
#pragma once

#include <string>

#include "app/report/run_report.h"

namespace quadrille::app {

std::string layers_csv(const RunReport& report);
/// A line per node, and one per step of it.
std::string nodes_csv(const RunReport& report);
std::string engines_csv(const RunReport& report);
std::string steps_csv(const RunReport& report);
/// Bytes by tensor and level.
std::string tensors_csv(const RunReport& report);
std::string commands_csv(const RunReport& report);
std::string critical_path_csv(const RunReport& report);
/// One line per half-step after which the unit measured its residuals.
std::string residuals_csv(const SinkhornFigures& sinkhorn);
/// One line per counter of the tree: path, unit, value, description, the module that
/// it is about, and how the value came about: "counted" where the thing happens,
/// "derived" from the commands, the engine "model"'s word, or "none".
std::string counters_csv(const hw::ChipResult& result);

}  // namespace quadrille::app
