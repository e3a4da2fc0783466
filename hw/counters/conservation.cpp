#include "hw/counters/conservation.h"

#include <string>

#include "model/errors.h"

namespace quadrille::hw {
namespace {

void expect_equal(const char* left_name, std::int64_t left, const char* right_name,
                  std::int64_t right) {
  if (left == right) return;
  throw InvariantError(std::string("conservation: ") + left_name + " = " + std::to_string(left) +
                       " but " + right_name + " = " + std::to_string(right));
}

void expect_accesses(const char* what, const AccessCounts& scratchpad,
                     const AccessCounts& records) {
  const std::string name(what);
  expect_equal(("scratchpad." + name + "_bytes").c_str(), scratchpad.bytes, "the commands' bytes",
               records.bytes);
  expect_equal(("scratchpad." + name + "_accesses").c_str(), scratchpad.accesses,
               "the commands' accesses", records.accesses);
  expect_equal(("scratchpad." + name + "_slices").c_str(), scratchpad.slices,
               "the commands' slices", records.slices);
}

// `name` is a function: millions of commands must not build theirs.
template <typename Name>
void expect_occupancy(const Name& name, const OccupancyTotals& occupancy, std::int64_t cycles) {
  bool negative = occupancy.busy < 0 || occupancy.idle < 0;
  for (const std::int64_t stalled : occupancy.stalled) negative = negative || stalled < 0;
  const std::int64_t unexplained = occupancy.stalled_by(StallCause::kDependency);
  if (unexplained != 0) {
    throw InvariantError("conservation: " + name() + " waits for " + std::to_string(unexplained) +
                         " cycles that no resource explains");
  }
  if (negative || occupancy.total() != cycles) {
    throw InvariantError("conservation: " + name() + " busy " + std::to_string(occupancy.busy) +
                         " + stalled " + std::to_string(occupancy.all_stalled()) + " + idle " +
                         std::to_string(occupancy.idle) + " is not its " + std::to_string(cycles) +
                         " cycles");
  }
}

void check_links(const ChipTotals& totals) {
  const DmaCounts& link = totals.dma_link;
  const Traffic& traffic = totals.traffic;
  expect_equal("the commands' dram_read_bytes", traffic.dram_read_bytes,
               "dma.read_useful_bytes + dma.read_padding_bytes",
               link.read_useful_bytes + link.read_padding_bytes);
  expect_equal("the commands' dram_write_bytes", traffic.dram_write_bytes,
               "dma.write_useful_bytes + dma.write_padding_bytes",
               link.write_useful_bytes + link.write_padding_bytes);
  if (!totals.external_dram) {
    expect_equal("dram.read_bytes", totals.dram.read_bytes,
                 "dma.read_useful_bytes + dma.read_padding_bytes",
                 link.read_useful_bytes + link.read_padding_bytes);
    expect_equal("dram.write_bytes", totals.dram.write_bytes,
                 "dma.write_useful_bytes + dma.write_padding_bytes",
                 link.write_useful_bytes + link.write_padding_bytes);
    expect_equal("dram.row_hits + dram.row_misses", totals.dram.row_hits + totals.dram.row_misses,
                 "dma.read_bursts + dma.write_bursts", link.read_bursts + link.write_bursts);
  }
  expect_accesses("read", totals.scratchpad.read, traffic.sram_read);
  expect_accesses("write", totals.scratchpad.write, traffic.sram_write);
}

}  // namespace

void check_conservation(const ChipResult& result, const std::optional<ExpectedWork>& expected,
                        const EngineList& list) {
  const ChipTotals& totals = result.totals;
  expect_equal("result.cycles", result.cycles, "totals.cycles", totals.cycles);
  check_links(totals);

  for (const EngineTotals& engine : totals.engines) {
    expect_occupancy([&] { return "engine " + engine.name; }, engine.occupancy, result.cycles);
  }
  expect_occupancy([] { return std::string("dma"); }, totals.dma.occupancy, result.cycles);

  Activity work;
  std::int64_t dma_read = 0;
  std::int64_t dma_write = 0;
  for (std::size_t i = 0; i < result.records.size(); ++i) {
    const CommandRecord& record = result.records[i];
    work += record.activity;
    if (record.unit == Unit::kDma) {
      dma_read += record.traffic.sram_write.bytes;
      dma_write += record.traffic.sram_read.bytes;
    }
    const auto name = [&] {
      return "command " + std::to_string(i) + " (" + list.unit_name(record.unit) + ")";
    };
    if (record.start_cycle < 0 || record.end_cycle <= record.start_cycle ||
        record.end_cycle > result.cycles) {
      throw InvariantError("conservation: " + name() + " ran from cycle " +
                           std::to_string(record.start_cycle) + " to " +
                           std::to_string(record.end_cycle) + ", not inside the run of " +
                           std::to_string(result.cycles) + " cycles");
    }
    expect_occupancy(name, record.occupancy, record.end_cycle - record.start_cycle);
    if (record.occupancy.idle != 0) {
      throw InvariantError("conservation: " + name() + " is idle for " +
                           std::to_string(record.occupancy.idle) + " of its own cycles");
    }
  }
  expect_equal("dma.read_useful_bytes", totals.dma_link.read_useful_bytes,
               "the bytes its commands wrote to the scratchpad", dma_read);
  expect_equal("dma.write_useful_bytes", totals.dma_link.write_useful_bytes,
               "the bytes its commands read from the scratchpad", dma_write);
  const std::int64_t useful = work.macs_static + work.macs_dynamic;
  if (work.macs_wide < 0 || work.macs_wide > useful) {
    throw InvariantError("conservation: macs.wide is " + std::to_string(work.macs_wide) +
                         ", not within macs.static + macs.dynamic = " + std::to_string(useful));
  }
  if (expected) {
    expect_equal("macs.static", work.macs_static, "the workload's closed form",
                 expected->macs_static);
    expect_equal("macs.dynamic", work.macs_dynamic, "the workload's closed form",
                 expected->macs_dynamic);
  }
}

}  // namespace quadrille::hw
