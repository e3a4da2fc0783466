// The verilated parameter points of the linear engine: none yet.
#include "hw/engines/linear/linear_engine.h"
#include "model/errors.h"

namespace quadrille::hw {

std::unique_ptr<BeatEngine<LinearAttend>> make_linear_rtl_body(const LinearConfig&) {
  throw InputError("engine linear: its RTL is not built");
}

}  // namespace quadrille::hw
