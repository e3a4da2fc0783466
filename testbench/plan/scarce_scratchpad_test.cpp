// Layers whose values find no room: a plan may spill every value once, and wait a third of its
// time, but not fetch the weights over and over. The shapes are those of which the first start
// that fitted led to a plan two to four times slower than others.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "app/config/chip_file.h"
#include "app/config/overrides.h"
#include "app/files/shipped.h"
#include "app/simulation.h"
#include "hw/bounds.h"

namespace quadrille::testbench {
namespace {

struct ScarcePoint {
  const char* name;
  std::vector<std::string> settings;
};

const std::vector<ScarcePoint> kPoints = {
    {"a batch of long inputs",
     {"workload.tokens=64", "workload.heads=12", "workload.model_width=512", "workload.batch=4",
      "scratchpad.capacity_kib=384"}},
    {"wide heads, few macros",
     {"workload.tokens=128", "workload.heads=4", "workload.head_width=128",
      "workload.model_width=512", "workload.causal=true", "scratchpad.capacity_kib=192",
      "cim.macros=16"}},
    {"heads of 72, hardly any room",
     {"workload.tokens=64", "workload.heads=2", "workload.head_width=72",
      "workload.model_width=256", "workload.causal=true", "scratchpad.capacity_kib=64",
      "cim.macros=8", "vector.lanes=16"}},
    {"grouped keys",
     {"workload.tokens=128", "workload.heads=8", "workload.key_heads=4", "workload.causal=true",
      "scratchpad.capacity_kib=256"}},
    {"a narrow output port",
     {"workload.tokens=32", "workload.heads=4", "workload.head_width=128",
      "workload.model_width=768", "workload.batch=2", "workload.causal=true",
      "scratchpad.capacity_kib=128", "cim.macros=32", "cim.output_bytes_per_cycle=32"}}};

/// Cycles of the DRAM's bus when every input, weight and output passes once, and every value
/// twice.
double spilled_once_cycles(const hw::ChipConfig& chip, const model::Graph& graph) {
  double bytes = 0.0;
  for (const model::Tensor& tensor : graph.tensors) {
    const double own = static_cast<double>(tensor.rows) * static_cast<double>(tensor.row_bytes());
    bytes += (tensor.role == model::Role::kValue ? 2.0 : 1.0) * own;
  }
  return bytes * chip.dram.burst_cycles / chip.dram.burst_bytes;
}

TEST(ScarceScratchpad, PlansSpillRatherThanFetchWeightsAgain) {
  for (const ScarcePoint& point : kPoints) {
    const app::Overrides overrides = app::parse_overrides(point.settings);
    const app::Workload workload = app::read_workload_file(app::with_overrides(
        app::read_yaml(app::find_file("w", "workloads", "bert-small-mhsa-softmax")),
        overrides.workload));
    const hw::ChipConfig chip =
        app::resolve(app::parse_chip_file(app::find_file("c", "chips", "default"), overrides.chip));
    app::Simulation simulation(app::make_task(workload, false), chip);
    const auto cycles =
        static_cast<double>(simulation.run({hw::Timing::kTile, {}, {}}).result.cycles);
    EXPECT_LE(cycles, 1.5 * spilled_once_cycles(chip, simulation.task().graph)) << point.name;
  }
}

}  // namespace
}  // namespace quadrille::testbench
