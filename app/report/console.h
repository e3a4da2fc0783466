// The totals of a run as a table that a person can read.
#pragma once

#include <string>

#include "app/report/run_report.h"

namespace quadrille::app {

std::string console_report(const RunReport& report);

}  // namespace quadrille::app
