// The verilated parameter points of the CIM bank (rtl/cim/CMakeLists.txt).
#include "hw/engines/cim/rtl_adapter.h"

#include <string>

#include "VcimEngine32x64x16.h"
#include "VcimEngine32x64x16Traced.h"
#include "VcimEngine64x256x64.h"
#include "VcimEngine6x24x10.h"
#include "model/errors.h"

namespace quadrille::hw {
namespace {

struct Point {
  CimConfig config;
  CimBodies (*make)(CimBank&);
  CimBodies (*make_traced)(CimBank&, const RtlTrace&) = nullptr;
};

constexpr Point kPoints[] = {
    {{32, 64, 16, 8, 8, 16, 16, 16, true},
     make_cim_rtl_bodies_of<VcimEngine32x64x16>,
     make_cim_rtl_bodies_of<VcimEngine32x64x16Traced, RtlTrace>},
    {{6, 24, 10, 6, 5, 12, 20, 4, true}, make_cim_rtl_bodies_of<VcimEngine6x24x10>},
    {{64, 256, 64, 8, 8, 128, 128, 64, true}, make_cim_rtl_bodies_of<VcimEngine64x256x64>},
};

// write_while_compute is a rule for commands: the RTL is the same.
std::string describe(const CimConfig& config) {
  return "macros " + std::to_string(config.macros) + ", rows " + std::to_string(config.rows) +
         ", columns " + std::to_string(config.columns) + ", weight_bits " +
         std::to_string(config.weight_bits) + ", input_bits " + std::to_string(config.input_bits) +
         ", input_bytes_per_cycle " + std::to_string(config.input_bytes_per_cycle) +
         ", output_bytes_per_cycle " + std::to_string(config.output_bytes_per_cycle) +
         ", write_bytes_per_cycle " + std::to_string(config.write_bytes_per_cycle);
}

}  // namespace

CimBodies make_cim_rtl_bodies(CimBank& bank) {
  std::string built;
  for (const Point& point : kPoints) {
    if (describe(point.config) == describe(bank.config())) return point.make(bank);
    built += (built.empty() ? "(" : ") or (") + describe(point.config);
  }
  throw RtlNotBuilt("RTL is not built for " + describe(bank.config()) + "; expected " + built +
                    ")");
}

CimBodies make_cim_traced_rtl_bodies(CimBank& bank, const RtlTrace& trace) {
  std::string built;
  for (const Point& point : kPoints) {
    if (point.make_traced == nullptr) continue;
    if (describe(point.config) == describe(bank.config())) return point.make_traced(bank, trace);
    built += (built.empty() ? "(" : ") or (") + describe(point.config);
  }
  throw RtlNotBuilt("no waveforms of RTL with " + describe(bank.config()) + "; expected " + built +
                    ")");
}

}  // namespace quadrille::hw
