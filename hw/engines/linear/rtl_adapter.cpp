// The linear engine's RTL: its parameters, and the body around a library of it.
#include "hw/engines/linear/linear_command.h"
#include "hw/engines/linear/linear_engine.h"
#include "hw/engines/rtl/rtl_body.h"

namespace quadrille::hw {

RtlDesign linear_rtl_design(const LinearConfig& config) {
  RtlDesign design;
  design.engine = "linear";
  design.parameters = {{"linear.lanes", "Lanes", config.lanes},
                       {"linear.max_width", "MaxWidth", config.max_width},
                       {"linear.chunk_tokens", "ChunkTokens", config.chunk_tokens},
                       {"linear.max_horizon", "MaxHorizon", config.max_horizon}};
  const int terms = config.chunk_tokens + 2 * config.max_horizon;
  design.limits = {
      {"linear.lanes", "4 to 64", config.lanes >= 4 && config.lanes <= 64},
      {"linear.max_width", "linear.lanes to 255",
       config.max_width >= config.lanes && config.max_width <= 255},
      {"linear.max_horizon", "1 or more", config.max_horizon >= 1},
      {"linear.chunk_tokens", "at most 65 together with twice linear.max_horizon", terms <= 65}};
  // Verilator unrolls loops that assign registers, of which a chunk may have many.
  design.verilator_options = {"--unroll-count", "256"};
  return design;
}

std::unique_ptr<BeatEngine<LinearAttend>> make_linear_rtl_body(
    std::shared_ptr<const RtlLibrary> library, const RtlTrace* trace) {
  return std::make_unique<RtlBody<LinearAttend>>(std::move(library), pack_linear_command, trace);
}

}  // namespace quadrille::hw
