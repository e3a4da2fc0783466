// The verilated parameter points of the sinkhorn engine: none yet.
#include "hw/engines/sinkhorn/sinkhorn_engine.h"
#include "model/errors.h"

namespace quadrille::hw {

std::unique_ptr<BeatEngine<SinkhornOperation>> make_sinkhorn_rtl_body(const SinkhornConfig&) {
  throw InputError("engine sinkhorn: its RTL is not built");
}

}  // namespace quadrille::hw
