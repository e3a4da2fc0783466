// The verilated parameter points of the Sinkhorn unit (rtl/sinkhorn/CMakeLists.txt).
#include <string>

#include "VsinkhornEngine32.h"
#include "VsinkhornEngine4.h"
#include "VsinkhornEngine4Traced.h"
#include "VsinkhornEngine6.h"
#include "hw/engines/sinkhorn/sinkhorn_rtl_body.h"

namespace quadrille::hw {
namespace {

using Body = std::unique_ptr<BeatEngine<SinkhornOperation>>;

template <typename Model>
Body make(const SinkhornConfig& config) {
  return std::make_unique<SinkhornRtlBody<Model>>(config);
}

template <typename Model>
Body make_traced(const SinkhornConfig& config, const RtlTrace& trace) {
  return std::make_unique<SinkhornRtlBody<Model>>(config, trace);
}

constexpr RtlPoint<SinkhornConfig, Body> kPoints[] = {
    {{4, 1024, 512, 2, 2, true}, make<VsinkhornEngine4>, make_traced<VsinkhornEngine4Traced>},
    {{6, 450, 100, 3, 3, false}, make<VsinkhornEngine6>},
    {{32, 16384, 4096, 8, 16, true}, make<VsinkhornEngine32>},
};

std::string describe(const SinkhornConfig& config) {
  return "lanes " + std::to_string(config.lanes) + ", tile_elements " +
         std::to_string(config.tile_elements) + ", max_lines " + std::to_string(config.max_lines) +
         ", log_units " + std::to_string(config.log_units) + ", value_columns " +
         std::to_string(config.value_columns) + ", skewed " + (config.skewed ? "true" : "false");
}

}  // namespace

std::unique_ptr<BeatEngine<SinkhornOperation>> make_sinkhorn_rtl_body(
    const SinkhornConfig& config) {
  return make_at_point(kPoints, config, describe);
}

std::unique_ptr<BeatEngine<SinkhornOperation>> make_sinkhorn_traced_rtl_body(
    const SinkhornConfig& config, const RtlTrace& trace) {
  return make_traced_at_point(kPoints, config, trace, describe);
}

}  // namespace quadrille::hw
