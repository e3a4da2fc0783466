// The totals of a run as a table that a person can read.
#pragma once

#include <string>

#include "app/report/run_report.h"

namespace quadrille::app {

/// `by`: "" for the run's steps, or "layer", "node", "engine": a block for each.
std::string console_report(const RunReport& report, const std::string& by = "");

}  // namespace quadrille::app
