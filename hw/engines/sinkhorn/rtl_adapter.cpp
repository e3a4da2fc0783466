// The Sinkhorn unit's RTL: its parameters, and the body around a library of it.
#include "hw/engines/rtl/rtl_tables.h"
#include "hw/engines/sinkhorn/sinkhorn_rtl_body.h"

namespace quadrille::hw {

RtlDesign sinkhorn_rtl_design(const SinkhornConfig& config) {
  RtlDesign design;
  design.engine = "sinkhorn";
  design.parameters = {{"sinkhorn.lanes", "Lanes", config.lanes},
                       {"sinkhorn.tile_elements", "TileElements", config.tile_elements},
                       {"sinkhorn.max_lines", "MaxLines", config.max_lines},
                       {"sinkhorn.log_units", "LogUnits", config.log_units},
                       {"sinkhorn.value_columns", "ValueColumns", config.value_columns},
                       {"sinkhorn.skewed", "Skewed", config.skewed ? 1 : 0}};
  design.tables = {{"sinkhorn_power_table", power_module},
                   {"sinkhorn_logarithm_table", logarithm_module}};
  design.more_pins = {"repeat_input_o", "sweep_end_o",    "block_end_o",      "sweep_kept_o",
                      "sweep_o",        "row_residual_o", "column_residual_o"};
  design.limits = {{"sinkhorn.lanes", "2 to 64", config.lanes >= 2 && config.lanes <= 64}};
  // Its C++ is large: at -O3 the compiler takes minutes for many lanes.
  design.optimisation = "-O1";
  return design;
}

std::unique_ptr<BeatEngine<SinkhornOperation>> make_sinkhorn_rtl_body(
    const SinkhornConfig& config, std::shared_ptr<const RtlLibrary> library,
    const RtlTrace* trace) {
  return std::make_unique<SinkhornRtlBody>(config, std::move(library), trace);
}

}  // namespace quadrille::hw
