// Question: are the bounds of a run what the shapes and the chip's rates say, worked out
// by hand?
#include "hw/bounds.h"

#include <gtest/gtest.h>

#include <map>

#include "testbench/common/layer_program.h"

namespace quadrille::hw {
namespace {

std::map<std::string, std::int64_t> by_name(const Bounds& bounds) {
  std::map<std::string, std::int64_t> cycles;
  for (const ResourceBound& bound : bounds.resources) cycles[bound.resource] = bound.cycles;
  return cycles;
}

/// Rates that make the figures below easy: 8 bytes of DRAM per cycle, 64 products.
ChipConfig chip() {
  return ChipConfig().with([](ChipValues& values) {
    values.cim.macros = 8;
    values.cim.rows = 64;
    values.cim.columns = 64;
    values.cim.write_bytes_per_cycle = 16;
    values.cim.input_bytes_per_cycle = 32;
    values.cim.output_bytes_per_cycle = 64;
    values.dram.burst_bytes = 64;
    values.dram.burst_cycles = 8;
    values.softmax.lanes = 8;
    values.vector.lanes = 16;
  });
}

// One layer of 32 tokens, 64 wide, 2 heads of 32.
TEST(Bounds, OfASoftmaxLayerAreItsShapesOverTheRates) {
  const auto cycles = by_name(
      bounds_of(chip(), testing_layers::layer(model::Mechanism::kSoftmax, 32, 64, 2, 32).graph));
  // Four weights of 64 x 64, the input of 32 x 64 codes, as many sums of 32 bits out.
  EXPECT_EQ(cycles.at("dram"), (4 * 64 * 64 + 32 * 64 + 4 * 32 * 64) / 8);
  // Projections 4 x 32 x 64 x 64, scores and weighted values 2 x 2 x 32 x 32 x 32;
  // 8 x 64 x 64 products take 8 cycles, a bit of the inputs each.
  EXPECT_EQ(cycles.at("cim"), (4 * 32 * 64 * 64 + 4 * 32 * 32 * 32) / (8 * 64 * 64 / 8));
  // The weights, K and V.
  EXPECT_EQ(cycles.at("cim_write_port"), (4 * 64 * 64 + 2 * 32 * 64) / 16);
  // X three times, the heads' values, Q, and the weights of two heads.
  EXPECT_EQ(cycles.at("cim_input_port"), (4 * 32 * 64 + 32 * 64 + 2 * 32 * 32) / 32);
  // Four projections, scores and weighted values, each result in the place of a 32-bit sum.
  EXPECT_EQ(cycles.at("cim_output_port"), 4 * (4 * 32 * 64 + 2 * 32 * 32 + 32 * 64) / 64);
  // 64 rows of 4 beats, and a cycle for each row.
  EXPECT_EQ(cycles.at("softmax"), 64 * (4 + 1));
  // The bank's epilogue makes all codes.
  EXPECT_EQ(cycles.count("vector"), 0u);
}

TEST(Bounds, MaskedPairsAreNoPartOfThem) {
  const auto layer = [](bool causal) {
    return testing_layers::layer(model::Mechanism::kSoftmax, 32, 64, 2, 32, causal).graph;
  };
  const auto all = by_name(bounds_of(chip(), layer(false)));
  const auto visible = by_name(bounds_of(chip(), layer(true)));
  EXPECT_EQ(visible.at("dram"), all.at("dram"));
  // 32 * 33 / 2 of 32 * 32 pairs; the last cycle is half full.
  EXPECT_EQ(visible.at("cim"), (4 * 32 * 64 * 64 + 4 * 32 * 33 / 2 * 32) / (8 * 64 * 64 / 8) + 1);
  // Rows of 1 to 32 keys, in beats of eight.
  EXPECT_EQ(visible.at("softmax"), 2 * (8 * (1 + 2 + 3 + 4) + 32));
}

TEST(Bounds, TheLargestBinds) {
  const model::Graph layer = testing_layers::layer(model::Mechanism::kSoftmax, 32, 64, 2, 32).graph;
  EXPECT_EQ(bounds_of(chip(), layer).largest().resource, "dram");
  const ChipConfig fast = chip().with([](ChipValues& values) { values.dram.burst_cycles = 1; });
  EXPECT_EQ(bounds_of(fast, layer).largest().resource, "cim_write_port");
}

}  // namespace
}  // namespace quadrille::hw
