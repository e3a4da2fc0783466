// Chips whose strips of a matrix do not begin where a beat of a port may begin:
// 16 columns of 4-byte sums and an odd number of macros per strip on a port of
// 128 bytes, 3 columns on one of 64. They are valid, so they run, at tile and at
// beat, and in the same bits.
#include <gtest/gtest.h>

#include "testbench/common/plan_lowering.h"
#include "testbench/common/plan_replay.h"

namespace quadrille::testbench {
namespace {

PlanPoint narrow_columns() {
  PlanPoint point;
  point.chip.set("name", "cols16");
  point.chip.set("clock_mhz", 500);
  point.chip.set("cim.macros", 56);
  point.chip.set("cim.columns", 16);
  point.chip.set("cim.write_bytes_per_cycle", 16);
  point.chip.set("scratchpad.capacity_kib", 4096);
  point.chip.set("scratchpad.banks", 64);
  KeyedFile& layer = point.workload;
  layer.set("name", "bert-base-mhsa-softmax");
  layer.set("kind", "attention-layer");
  layer.set("mechanism", "softmax");
  layer.set("tokens", 128);
  layer.set("model_width", 768);
  layer.set("heads", 12);
  layer.set("head_width", 64);
  layer.set("causal", false);
  return point;
}

PlanPoint three_columns() {
  PlanPoint point;
  KeyedFile& chip = point.chip;
  chip.set("name", "fz");
  chip.set("clock_mhz", 333);
  chip.set("cim.macros", 4);
  chip.set("cim.rows", 3);
  chip.set("cim.columns", 3);
  chip.set("cim.input_bytes_per_cycle", 4);
  chip.set("cim.output_bytes_per_cycle", 64);
  chip.set("cim.write_bytes_per_cycle", 1);
  chip.set("softmax.lanes", 2);
  chip.set("softmax.max_keys", 512);
  chip.set("damf.lanes", 4);
  chip.set("damf.query_rows", 1);
  chip.set("sinkhorn.lanes", 16);
  chip.set("sinkhorn.tile_elements", 1024);
  chip.set("sinkhorn.max_lines", 300);
  chip.set("sinkhorn.log_units", 10);
  chip.set("sinkhorn.value_columns", 16);
  chip.set("sinkhorn.skewed", false);
  chip.set("linear.lanes", 8);
  chip.set("vector.lanes", 8);
  chip.set("scratchpad.capacity_kib", 48);
  chip.set("scratchpad.banks", 3);
  chip.set("scratchpad.word_bytes", 64);
  chip.set("scratchpad.writer_fifo_words", 3);
  chip.set("dram.capacity_mib", 1);
  chip.set("dram.burst_bytes", 256);
  chip.set("dram.burst_cycles", 1);
  chip.set("dram.row_bytes", 8192);
  chip.set("dram.banks", 3);
  chip.set("dram.row_hit_latency_cycles", 1);
  chip.set("dram.row_miss_latency_cycles", 1);
  chip.set("dma.outstanding_bursts", 2);
  KeyedFile& held = point.workload;
  held.set("name", "held");
  held.set("kind", "operator");
  held.set("operator", "sinkhorn");
  held.set("settings.form", "matrix");
  held.set("settings.epsilon", "4");
  held.set("shapes.Q", "[1, 3]");
  held.set("shapes.K", "[40, 3]");
  held.set("data.source", "random");
  return point;
}

void expect_runs(const PlanPoint& files, bool data) {
  const TemporaryFolder folder;
  const PlannedPoint point(folder, files);
  EXPECT_EQ(first_plan_fault(point.chip(), point.mapping()), std::nullopt);
  for (const auto timing : {hw::Timing::kTile, hw::Timing::kBeat}) {
    EXPECT_GT(point.run(timing).cycles, 0);
    if (data) {
      EXPECT_EQ(point.run_with_data(timing).difference, std::nullopt);
    }
  }
}

TEST(StripsOnOddWords, NarrowColumnsUnderAWidePort) { expect_runs(narrow_columns(), false); }
TEST(StripsOnOddWords, ThreeColumns) { expect_runs(three_columns(), true); }

}  // namespace
}  // namespace quadrille::testbench
