#include "app/version.h"

namespace quadrille::app {

const char* version() { return QUADRILLE_VERSION; }

}  // namespace quadrille::app
