// The verilated parameter points of the DAMF engine (rtl/CMakeLists.txt).
#include <string>

#include "VdamfEngine4x2.h"
#include "VdamfEngine64x16.h"
#include "VdamfEngine8x4.h"
#include "hw/engines/damf/rtl_body.h"
#include "model/errors.h"

namespace quadrille::hw {
namespace {

template <typename Model>
std::unique_ptr<BeatEngine<DamfOperation>> make(const DamfConfig& config) {
  return std::make_unique<DamfRtlBody<Model>>(config);
}

struct Point {
  DamfConfig config;
  std::unique_ptr<BeatEngine<DamfOperation>> (*make)(const DamfConfig&);
};

constexpr Point kPoints[] = {
    {{4, 2, 512, 256}, make<VdamfEngine4x2>},
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
  std::string built;
  for (const Point& point : kPoints) {
    const DamfConfig& at = point.config;
    if (at.lanes == config.lanes && at.query_rows == config.query_rows &&
        at.max_tokens == config.max_tokens && at.max_model_width == config.max_model_width) {
      return point.make(config);
    }
    built += (built.empty() ? "(" : ") or (") + describe(at);
  }
  throw InputError("engine damf: RTL is not built for " + describe(config) + "; expected " + built +
                   ")");
}

}  // namespace quadrille::hw
