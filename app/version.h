#pragma once

namespace quadrille::app {

/// "0.1.0", the project's version.
const char* version();

}  // namespace quadrille::app
