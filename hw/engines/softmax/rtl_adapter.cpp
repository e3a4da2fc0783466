// The verilated parameter points of the softmax engine
// (rtl/softmax/CMakeLists.txt).
#include <string>

#include "VsoftmaxEngine1x100.h"
#include "VsoftmaxEngine32x4096.h"
#include "VsoftmaxEngine4x512.h"
#include "VsoftmaxEngine4x512Traced.h"
#include "VsoftmaxEngine6x100.h"
#include "hw/engines/softmax/softmax_command.h"
#include "hw/engines/softmax/softmax_engine.h"

namespace quadrille::hw {
namespace {

using Body = std::unique_ptr<BeatEngine<SoftmaxRows>>;

template <typename Model>
Body make(const SoftmaxConfig&) {
  return std::make_unique<RtlBody<Model, SoftmaxRows>>(pack_softmax_operation);
}

template <typename Model>
Body make_traced(const SoftmaxConfig&, const RtlTrace& trace) {
  return std::make_unique<RtlBody<Model, SoftmaxRows>>(pack_softmax_operation, trace);
}

constexpr RtlPoint<SoftmaxConfig, Body> kPoints[] = {
    {{1, 100}, make<VsoftmaxEngine1x100>},
    {{4, 512}, make<VsoftmaxEngine4x512>, make_traced<VsoftmaxEngine4x512Traced>},
    {{6, 100}, make<VsoftmaxEngine6x100>},
    {{32, 4096}, make<VsoftmaxEngine32x4096>},
};

std::string describe(const SoftmaxConfig& config) {
  return "lanes " + std::to_string(config.lanes) + ", max_keys " + std::to_string(config.max_keys);
}

}  // namespace

std::unique_ptr<BeatEngine<SoftmaxRows>> make_softmax_rtl_body(const SoftmaxConfig& config) {
  return make_at_point(kPoints, config, describe);
}

std::unique_ptr<BeatEngine<SoftmaxRows>> make_softmax_traced_rtl_body(const SoftmaxConfig& config,
                                                                      const RtlTrace& trace) {
  return make_traced_at_point(kPoints, config, trace, describe);
}

}  // namespace quadrille::hw
