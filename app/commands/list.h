#pragma once

namespace quadrille::app {

/// `quadrille list`: shipped chips, workloads, operators, cases.
int list_command();

}  // namespace quadrille::app
