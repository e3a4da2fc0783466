// The schema of summary.json (docs/summary.schema.json), from the table of counters, the
// list of engines and the keys that are no counters.
#pragma once

#include <string>

namespace quadrille::app {

std::string summary_schema_json();

}  // namespace quadrille::app
