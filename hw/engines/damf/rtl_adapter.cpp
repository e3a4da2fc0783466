// The verilated parameter points of the DAMF engine (rtl/damf/CMakeLists.txt).
#include <string>

#include "VdamfEngine4x2.h"
#include "VdamfEngine4x2Traced.h"
#include "VdamfEngine64x16.h"
#include "VdamfEngine8x4.h"
#include "hw/engines/damf/damf_command.h"
#include "hw/engines/damf/damf_engine.h"

namespace quadrille::hw {
namespace {

using Body = std::unique_ptr<BeatEngine<DamfOperation>>;

template <typename Model>
Body make(const DamfConfig&) {
  return std::make_unique<RtlBody<Model, DamfOperation>>(pack_damf_operation);
}

template <typename Model>
Body make_traced(const DamfConfig&, const RtlTrace& trace) {
  return std::make_unique<RtlBody<Model, DamfOperation>>(pack_damf_operation, trace);
}

constexpr RtlPoint<DamfConfig, Body> kPoints[] = {
    {{4, 2, 512, 256}, make<VdamfEngine4x2>, make_traced<VdamfEngine4x2Traced>},
    {{8, 4, 512, 256}, make<VdamfEngine8x4>},
    {{64, 16, 4096, 4096}, make<VdamfEngine64x16>},
};

std::string describe(const DamfConfig& config) {
  return "lanes " + std::to_string(config.lanes) + ", query_rows " +
         std::to_string(config.query_rows) + ", max_tokens " + std::to_string(config.max_tokens) +
         ", max_model_width " + std::to_string(config.max_model_width);
}

}  // namespace

std::unique_ptr<BeatEngine<DamfOperation>> make_damf_rtl_body(const DamfConfig& config) {
  return make_at_point(kPoints, config, describe);
}

std::unique_ptr<BeatEngine<DamfOperation>> make_damf_traced_rtl_body(const DamfConfig& config,
                                                                     const RtlTrace& trace) {
  return make_traced_at_point(kPoints, config, trace, describe);
}

}  // namespace quadrille::hw
