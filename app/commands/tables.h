// `quadrille tables`: the DAMF document's Table II and Figure 5, twice.
#pragma once

#include <string>

namespace quadrille::app {

/// Runs the shipped BERT workloads on `chip` without data.
int tables_command(const std::string& chip);

}  // namespace quadrille::app
