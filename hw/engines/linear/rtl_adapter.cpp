// The verilated parameter points of the linear engine (rtl/linear/CMakeLists.txt).
#include <string>

#include "VlinearEngine4x32.h"
#include "VlinearEngine4x32Traced.h"
#include "VlinearEngine5x10.h"
#include "VlinearEngine64x128.h"
#include "VlinearEngine6x20.h"
#include "hw/engines/linear/linear_command.h"
#include "hw/engines/linear/linear_engine.h"

namespace quadrille::hw {
namespace {

using Body = std::unique_ptr<BeatEngine<LinearAttend>>;

template <typename Model>
Body make(const LinearConfig&) {
  return std::make_unique<RtlBody<Model, LinearAttend>>(pack_linear_command);
}

template <typename Model>
Body make_traced(const LinearConfig&, const RtlTrace& trace) {
  return std::make_unique<RtlBody<Model, LinearAttend>>(pack_linear_command, trace);
}

constexpr RtlPoint<LinearConfig, Body> kPoints[] = {
    {{4, 32, 4, 4}, make<VlinearEngine4x32>, make_traced<VlinearEngine4x32Traced>},
    {{5, 10, 1, 3}, make<VlinearEngine5x10>},
    {{6, 20, 3, 2}, make<VlinearEngine6x20>},
    {{64, 128, 16, 16}, make<VlinearEngine64x128>},
};

std::string describe(const LinearConfig& config) {
  return "lanes " + std::to_string(config.lanes) + ", max_width " +
         std::to_string(config.max_width) + ", chunk_tokens " +
         std::to_string(config.chunk_tokens) + ", max_horizon " +
         std::to_string(config.max_horizon);
}

}  // namespace

std::unique_ptr<BeatEngine<LinearAttend>> make_linear_rtl_body(const LinearConfig& config) {
  return make_at_point(kPoints, config, describe);
}

std::unique_ptr<BeatEngine<LinearAttend>> make_linear_traced_rtl_body(const LinearConfig& config,
                                                                      const RtlTrace& trace) {
  return make_traced_at_point(kPoints, config, trace, describe);
}

}  // namespace quadrille::hw
