// Simulated layers against the closed lower bounds of model/analytic.
#include "model/analytic/cycle_bounds.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "app/config/chip_file.h"
#include "hw/chip.h"
#include "hw/mapper/mapping.h"
#include "hw/simulation_context.h"
#include "testbench/common/layer_program.h"
#include "testbench/common/source_tree.h"

namespace quadrille {
namespace {

model::PeakRates rates_of(const hw::ChipConfig& chip) {
  return {static_cast<double>(chip.dram.burst_bytes) / chip.dram.burst_cycles,
          static_cast<double>(chip.cim.write_bytes_per_cycle),
          static_cast<double>(chip.cim.macros) * chip.cim.rows * chip.cim.columns /
              chip.cim.input_bits};
}

hw::ChipResult run(const hw::ChipConfig& chip, const model::IntegerGraph& layer) {
  hw::Mapping mapping = hw::lower(chip, layer);
  const hw::SimulationContext context;
  hw::ChipOptions options;
  options.data = false;
  hw::Chip body("chip", chip, options);
  body.load(std::move(mapping.program));
  return body.run();
}

TEST(CycleBounds, NoRunIsFasterAndTheLinksCarryExactlyTheCompulsoryBytes) {
  for (const char* name : {"default", "small"}) {
    const hw::ChipConfig chip =
        app::read_chip_file(fmt::format("{}/chips/{}.yaml", testbench::source_folder(), name));
    for (const auto mechanism : {model::Mechanism::kSoftmax, model::Mechanism::kDamf}) {
      for (const int tokens : {1, 16, 128}) {
        SCOPED_TRACE(fmt::format("{} tokens {}", name, tokens));
        // Rows of whole bursts: nothing but compulsory bytes crosses the bus.
        const auto layer = testing_layers::layer(mechanism, tokens, 128, 8, 16);
        const model::LayerDimensions shape{tokens, 128, 8};
        const auto traffic = model::compulsory_traffic(shape, mechanism);
        const auto bounds = model::cycle_bounds(shape, mechanism, rates_of(chip));
        const hw::ChipResult result = run(chip, layer);
        EXPECT_GE(static_cast<double>(result.cycles), bounds.least_cycles());
        const hw::Traffic& moved = result.totals.traffic;
        EXPECT_EQ(moved.dram_read_bytes - moved.dram_read_padding_bytes, traffic.dram_read_bytes);
        EXPECT_EQ(moved.dram_write_bytes - moved.dram_write_padding_bytes,
                  traffic.dram_write_bytes);
        EXPECT_EQ(moved.cim_write_bytes, traffic.cim_write_bytes);
      }
    }
  }
}

TEST(CycleBounds, AreWhatTheyAreOnPaper) {
  const model::PeakRates rates{64.0 / 3.0, 64.0, 64.0 * 256 * 64 / 8};
  const auto bounds = model::cycle_bounds({128, 768, 12}, model::Mechanism::kSoftmax, rates);
  EXPECT_DOUBLE_EQ(bounds.dram_cycles, (4 * 768 * 768 + 128 * 768 + 4 * 128 * 768) * 3.0 / 64.0);
  EXPECT_DOUBLE_EQ(bounds.cim_write_cycles, (4 * 768 * 768 + 2 * 128 * 768) / 64.0);
  EXPECT_DOUBLE_EQ(bounds.cim_compute_cycles,
                   (4.0 * 128 * 768 * 768 + 2.0 * 128 * 128 * 768) / 131072.0);
  EXPECT_DOUBLE_EQ(bounds.least_cycles(), bounds.dram_cycles);
}

}  // namespace
}  // namespace quadrille
