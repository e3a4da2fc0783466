#include "hw/counters/chip_counters.h"

namespace quadrille::hw {
namespace {

constexpr const char* kCycles = "cycles";
constexpr const char* kBytes = "bytes";
constexpr const char* kCount = "count";

void add_occupancy(CounterModule& module, const OccupancyTotals& occupancy) {
  module.add("busy_cycles", kCycles, "cycles in which it worked", occupancy.busy);
  module.add("stalled_cycles", kCycles, "cycles in which it had work and could not",
             occupancy.all_stalled());
  module.add("idle_cycles", kCycles, "cycles in which it had no command left", occupancy.idle);
  CounterModule stalls("stalls");
  for (int cause = 0; cause < kStallCauses; ++cause) {
    const auto which = static_cast<StallCause>(cause);
    stalls.add(stall_cause_name(which), kCycles, "stalled cycles by their one cause",
               occupancy.stalled_by(which));
  }
  module.adopt(std::move(stalls));
}

CounterModule engine_module(const EngineTotals& engine) {
  CounterModule module(engine.name);
  module.add("commands", kCount, "commands executed", engine.commands);
  add_occupancy(module, engine.occupancy);
  add_activity(module, engine.activity);
  const auto value = [&engine](std::int64_t count) {
    return engine.has_values ? std::optional<std::int64_t>(count) : std::nullopt;
  };
  CounterModule of_values("values");
  of_values.add("saturated", kCount, "results clamped to their format",
                value(engine.activity.saturated));
  of_values.add("uniform_rows", kCount, "DAMF rows without a positive maximum or denominator",
                value(engine.activity.uniform_rows));
  module.adopt(std::move(of_values));
  return module;
}

void add_accesses(CounterModule& module, const char* prefix, const AccessCounts& counts) {
  const std::string name(prefix);
  module.add(name + "_bytes", kBytes, "bytes through the banks' ports", counts.bytes);
  module.add(name + "_accesses", kCount, "bank accesses, one word or a part of it",
             counts.accesses);
  module.add(name + "_slices", kCount, "128-bit slices activated by the accesses", counts.slices);
}

CounterModule memory_module(const ChipTotals& totals) {
  CounterModule memory("memory");
  CounterModule dram("dram");
  const DramCounts& d = totals.dram;
  const bool own = !totals.external_dram;
  const auto known = [own](std::int64_t count) {
    return own ? std::optional<std::int64_t>(count) : std::nullopt;
  };
  dram.add("read_bytes", kBytes, "whole bursts read over its bus", totals.traffic.dram_read_bytes);
  dram.add("write_bytes", kBytes, "whole bursts written over its bus",
           totals.traffic.dram_write_bytes);
  dram.add("read_bursts", kCount, "bursts read", known(d.read_bursts));
  dram.add("write_bursts", kCount, "bursts written", known(d.write_bursts));
  dram.add("row_hits", kCount, "bursts that found their row open", known(d.row_hits));
  dram.add("row_misses", kCount, "bursts that had to activate their row", known(d.row_misses));
  memory.adopt(std::move(dram));

  CounterModule sram("sram");
  add_accesses(sram, "read", totals.scratchpad.read);
  add_accesses(sram, "write", totals.scratchpad.write);
  add_accesses(sram, "external_read", totals.scratchpad.external_read);
  add_accesses(sram, "external_write", totals.scratchpad.external_write);
  CounterModule conflicts("bank_conflicts");
  for (std::size_t bank = 0; bank < totals.bank_conflicts.size(); ++bank) {
    conflicts.add("bank_" + std::to_string(bank), kCount, "requests that found the bank taken",
                  totals.bank_conflicts[bank]);
  }
  sram.adopt(std::move(conflicts));
  memory.adopt(std::move(sram));

  CounterModule cim("cim");
  cim.add("read_bytes", kBytes, "bytes read back over its port; computing reads none", 0);
  cim.add("write_bytes", kBytes, "weights written over its port, static and dynamic",
          totals.traffic.cim_write_bytes);
  memory.adopt(std::move(cim));
  return memory;
}

}  // namespace

void add_activity(CounterModule& module, const Activity& activity) {
  CounterModule macs("macs");
  macs.add("static", "MACs", "one operand a trained constant", activity.macs_static);
  macs.add("dynamic", "MACs", "both operands made at run time", activity.macs_dynamic);
  macs.add("wasted", "MACs", "padding, and pairs executed but masked", activity.macs_wasted);
  macs.add("wide", "MACs", "of the static and dynamic ones: an operand wider than 8 bits",
           activity.macs_wide);
  module.adopt(std::move(macs));
  CounterModule ops("ops");
  ops.add("exponentials", kCount, "powers of two by table", activity.exponentials);
  ops.add("compares", kCount, "running maxima and minima", activity.compares);
  ops.add("additions", kCount, "sums that belong to no MAC", activity.additions);
  ops.add("reciprocals", kCount, "reciprocals", activity.reciprocals);
  ops.add("shift_adds", kCount, "a value shifted and accumulated", activity.shift_adds);
  ops.add("leading_ones", kCount, "roundings to a power of two", activity.leading_ones);
  ops.add("multiplies", kCount, "scalings by one factor", activity.multiplies);
  ops.add("requantises", kCount, "requantisations to a narrower format", activity.requantises);
  ops.add("local_read_bytes", kBytes, "read from memories and state inside the engine",
          activity.local_read_bytes);
  ops.add("local_write_bytes", kBytes, "written to memories and state inside the engine",
          activity.local_write_bytes);
  ops.add("local_conflict_cycles", kCycles, "lost to bank conflicts inside the engine",
          activity.local_conflict_cycles);
  ops.add("cim_bit_cycles", kCount, "1-bit input x weight products, padding included",
          activity.cim_bit_cycles);
  ops.add("cim_static_write_bits", "bits", "cells written with trained constants",
          activity.cim_static_write_bits);
  ops.add("cim_dynamic_write_bits", "bits", "cells written with run-time operands",
          activity.cim_dynamic_write_bits);
  module.adopt(std::move(ops));
}

CounterModule chip_counters(const ChipTotals& totals) {
  CounterModule chip("chip");
  chip.add("cycles", kCycles, "from the first command's start to the last one's end",
           totals.cycles);
  CounterModule engines("engines");
  for (const EngineTotals& engine : totals.engines) engines.adopt(engine_module(engine));
  add_activity(chip, totals.activity());
  chip.adopt(std::move(engines));

  CounterModule dma("dma");
  dma.add("commands", kCount, "commands executed", totals.dma.commands);
  add_occupancy(dma, totals.dma.occupancy);
  const DmaCounts& link = totals.dma_link;
  dma.add("read_bursts", kCount, "bursts from the DRAM", link.read_bursts);
  dma.add("write_bursts", kCount, "bursts to the DRAM", link.write_bursts);
  dma.add("read_useful_bytes", kBytes, "bytes from the DRAM that were asked for",
          link.read_useful_bytes);
  dma.add("write_useful_bytes", kBytes, "bytes to the DRAM that were asked for",
          link.write_useful_bytes);
  dma.add("read_padding_bytes", kBytes, "bytes of read bursts that nobody asked for",
          link.read_padding_bytes);
  dma.add("write_padding_bytes", kBytes, "masked bytes of write bursts", link.write_padding_bytes);
  chip.adopt(std::move(dma));
  chip.adopt(memory_module(totals));
  return chip;
}

}  // namespace quadrille::hw
