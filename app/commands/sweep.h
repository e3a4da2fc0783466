// `quadrille sweep`: many runs and one table.
#pragma once

#include "app/sweep/sweep.h"

namespace quadrille::app {

int sweep_command(const SweepOptions& options);

}  // namespace quadrille::app
