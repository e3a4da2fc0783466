// The verilated parameter points of the softmax engine: none yet.
#include "hw/engines/softmax/softmax_engine.h"
#include "model/errors.h"

namespace quadrille::hw {

std::unique_ptr<BeatEngine<SoftmaxRows>> make_softmax_rtl_body(const SoftmaxConfig&) {
  throw InputError("engine softmax: its RTL is not built");
}

}  // namespace quadrille::hw
