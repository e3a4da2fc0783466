// The DAMF engine's RTL: its parameters, and the body around a library of it.
#include "hw/engines/damf/damf_command.h"
#include "hw/engines/damf/damf_engine.h"
#include "hw/engines/rtl/rtl_body.h"

namespace quadrille::hw {

RtlDesign damf_rtl_design(const DamfConfig& config) {
  RtlDesign design;
  design.engine = "damf";
  design.parameters = {{"damf.lanes", "Lanes", config.lanes},
                       {"damf.query_rows", "QueryRows", config.query_rows},
                       {"damf.max_tokens", "MaxTokens", config.max_tokens},
                       {"damf.max_model_width", "MaxModelWidth", config.max_model_width}};
  design.limits = {{"damf.lanes", "2 to 64", config.lanes >= 2 && config.lanes <= 64}};
  return design;
}

std::unique_ptr<BeatEngine<DamfOperation>> make_damf_rtl_body(
    std::shared_ptr<const RtlLibrary> library, const RtlTrace* trace) {
  return std::make_unique<RtlBody<DamfOperation>>(std::move(library), pack_damf_operation, trace);
}

}  // namespace quadrille::hw
