// The softmax engine's RTL: its parameters, and the body around a library of it.
#include "hw/engines/rtl/rtl_body.h"
#include "hw/engines/rtl/rtl_tables.h"
#include "hw/engines/softmax/softmax_command.h"
#include "hw/engines/softmax/softmax_engine.h"
namespace quadrille::hw {

RtlDesign softmax_rtl_design(const SoftmaxConfig& config) {
  RtlDesign design;
  design.engine = "softmax";
  design.parameters = {{"softmax.lanes", "Lanes", config.lanes},
                       {"softmax.max_keys", "MaxKeys", config.max_keys}};
  design.tables = {{"softmax_exp2_table", exp2_module}};
  design.limits = {{"softmax.lanes", "1 to 64", config.lanes <= 64}};
  return design;
}

std::unique_ptr<BeatEngine<SoftmaxRows>> make_softmax_rtl_body(
    std::shared_ptr<const RtlLibrary> library, const RtlTrace* trace) {
  return std::make_unique<RtlBody<SoftmaxRows>>(std::move(library), pack_softmax_operation, trace);
}

}  // namespace quadrille::hw
