// The one table of counters: what each is called, in which unit, whose it is and how
// its value came about. The tree of counters, summary.json and its schema, the CSV
// tables, the console and the prices of operations are made from these rows, so a
// counter is added in one place.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "hw/counters/counter_info.h"
#include "hw/counters/occupancy.h"
#include "hw/engines/activity.h"
#include "hw/memory/traffic.h"

namespace quadrille::hw {

struct ChipTotals;

/// What a command makes an engine do. Sums of activities run over these rows.
struct ActivityCounter {
  CounterInfo info;
  std::int64_t Activity::*count;
  const char* price = nullptr;  ///< Row of the technology table that one of them costs.
};

inline constexpr std::array<ActivityCounter, 20> kActivityCounters = {{
    {{"macs", "static", "MACs", "one operand a trained constant", "engine", Evidence::kModel},
     &Activity::macs_static},
    {{"macs", "dynamic", "MACs", "both operands made at run time", "engine", Evidence::kModel},
     &Activity::macs_dynamic},
    {{"macs", "wasted", "MACs", "padding, and pairs executed but masked; in neither", "engine",
      Evidence::kModel},
     &Activity::macs_wasted},
    {{"macs", "wide", "MACs", "of the static and dynamic ones: an operand wider than 8 bits",
      "engine", Evidence::kModel},
     &Activity::macs_wide},
    {{"ops", "exponentials", "count", "powers of two by table", "engine", Evidence::kModel},
     &Activity::exponentials,
     "op.exponential"},
    {{"ops", "compares", "count", "running maxima and minima", "engine", Evidence::kModel},
     &Activity::compares,
     "op.compare"},
    {{"ops", "additions", "count", "sums that belong to no MAC", "engine", Evidence::kModel},
     &Activity::additions,
     "op.addition"},
    {{"ops", "reciprocals", "count", "reciprocals", "engine", Evidence::kModel},
     &Activity::reciprocals,
     "op.reciprocal"},
    {{"ops", "shift_adds", "count", "a value shifted and accumulated", "engine", Evidence::kModel},
     &Activity::shift_adds,
     "op.shift_add"},
    {{"ops", "leading_ones", "count", "roundings to a power of two", "engine", Evidence::kModel},
     &Activity::leading_ones,
     "op.leading_one"},
    {{"ops", "multiplies", "count", "scalings by one factor", "engine", Evidence::kModel},
     &Activity::multiplies,
     "op.multiply"},
    {{"ops", "requantises", "count", "requantisations to a narrower format", "engine",
      Evidence::kModel},
     &Activity::requantises,
     "op.requantise"},
    {{"ops", "local_read_bytes", "bytes", "read from memories and state inside the engine",
      "engine", Evidence::kModel},
     &Activity::local_read_bytes},
    {{"ops", "local_write_bytes", "bytes", "written to memories and state inside the engine",
      "engine", Evidence::kModel},
     &Activity::local_write_bytes},
    {{"ops", "local_conflict_cycles", "cycles", "lost to bank conflicts inside the engine",
      "engine", Evidence::kModel},
     &Activity::local_conflict_cycles},
    {{"ops", "cim_bit_cycles", "count", "1-bit input x weight products, padding included", "engine",
      Evidence::kModel},
     &Activity::cim_bit_cycles},
    {{"ops", "cim_static_write_bits", "bits", "cells written with trained constants", "engine",
      Evidence::kModel},
     &Activity::cim_static_write_bits},
    {{"ops", "cim_dynamic_write_bits", "bits", "cells written with run-time operands", "engine",
      Evidence::kModel},
     &Activity::cim_dynamic_write_bits},
    {{"values", "saturated", "count", "results clamped to their format", "engine",
      Evidence::kValues},
     &Activity::saturated},
    {{"values", "uniform_rows", "count", "DAMF rows without a positive maximum or denominator",
      "engine", Evidence::kValues},
     &Activity::uniform_rows},
}};

/// Bytes that commands move over each link, as the commands say; the chip's own
/// counters of the same name are what its memories have counted.
struct TrafficCounter {
  CounterInfo info;
  std::int64_t (*count)(const Traffic&);
};

enum TrafficRow { kDramRead, kDramWrite, kSramRead, kSramWrite, kCimRead, kCimWrite };
inline constexpr std::array<TrafficCounter, 6> kTrafficCounters = {{
    {{"memory.dram", "read_bytes", "bytes", "whole bursts read over its bus", "dram",
      Evidence::kCounted},
     [](const Traffic& traffic) { return traffic.dram_read_bytes; }},
    {{"memory.dram", "write_bytes", "bytes", "whole bursts written over its bus", "dram",
      Evidence::kCounted},
     [](const Traffic& traffic) { return traffic.dram_write_bytes; }},
    {{"memory.sram", "read_bytes", "bytes", "bytes through the banks' ports", "scratchpad",
      Evidence::kMoved},
     [](const Traffic& traffic) { return traffic.sram_read.bytes; }},
    {{"memory.sram", "write_bytes", "bytes", "bytes through the banks' ports", "scratchpad",
      Evidence::kMoved},
     [](const Traffic& traffic) { return traffic.sram_write.bytes; }},
    {{"memory.cim", "read_bytes", "bytes", "bytes read back over its port; computing reads none",
      "cim", Evidence::kDerived},
     [](const Traffic&) { return std::int64_t{0}; }},
    {{"memory.cim", "write_bytes", "bytes", "weights written over its port, static and dynamic",
      "cim", Evidence::kMoved},
     [](const Traffic& traffic) { return traffic.cim_write_bytes; }},
}};

/// Where the cycles of an engine or the DMA went.
struct OccupancyCounter {
  CounterInfo info;
  std::int64_t (*count)(const OccupancyTotals&);
};

template <StallCause cause>
std::int64_t stalled_by(const OccupancyTotals& occupancy) {
  return occupancy.stalled_by(cause);
}

/// The causes stand in the order of StallCause, behind busy, stalled and idle.
inline constexpr std::size_t kFirstStallCounter = 3;
inline constexpr std::array<OccupancyCounter, kFirstStallCounter + kStallCauses>
    kOccupancyCounters = {{
        {{"", "busy_cycles", "cycles", "cycles in which it worked", "unit", Evidence::kTimed},
         [](const OccupancyTotals& occupancy) { return occupancy.busy; }},
        {{"", "stalled_cycles", "cycles", "cycles in which it had work and could not", "unit",
          Evidence::kTimed},
         [](const OccupancyTotals& occupancy) { return occupancy.all_stalled(); }},
        {{"", "idle_cycles", "cycles", "cycles in which it had no command left", "unit",
          Evidence::kTimed},
         [](const OccupancyTotals& occupancy) { return occupancy.idle; }},
        {{"stalls", "fill", "cycles",
          "stalled: latency between engine and scratchpad, at a stream's ends", "unit",
          Evidence::kTimed},
         stalled_by<StallCause::kFill>},
        {{"stalls", "sram_read_port", "cycles",
          "stalled: the scratchpad's read port gives too few beats", "unit", Evidence::kBeatOnly},
         stalled_by<StallCause::kReadPort>},
        {{"stalls", "sram_write_port", "cycles",
          "stalled: the scratchpad's write port takes too few beats", "unit", Evidence::kBeatOnly},
         stalled_by<StallCause::kWritePort>},
        {{"stalls", "bank_conflict", "cycles", "stalled: another port had the bank", "unit",
          Evidence::kBeatOnly},
         stalled_by<StallCause::kBankConflict>},
        {{"stalls", "dram", "cycles", "stalled: bandwidth, rows and latencies of the DRAM", "unit",
          Evidence::kTimed},
         stalled_by<StallCause::kDram>},
        {{"stalls", "cim_write_port", "cycles", "stalled: waits for the writing of CIM cells",
          "unit", Evidence::kTimed},
         stalled_by<StallCause::kCimWritePort>},
        {{"stalls", "cim_throughput", "cycles", "stalled: waits for products of the CIM", "unit",
          Evidence::kTimed},
         stalled_by<StallCause::kCimThroughput>},
        {{"stalls", "softmax_throughput", "cycles", "stalled: waits for work of the engine softmax",
          "unit", Evidence::kTimed},
         stalled_by<StallCause::kSoftmaxThroughput>},
        {{"stalls", "damf_throughput", "cycles", "stalled: waits for work of the engine damf",
          "unit", Evidence::kTimed},
         stalled_by<StallCause::kDamfThroughput>},
        {{"stalls", "vector_throughput", "cycles", "stalled: waits for work of the engine vector",
          "unit", Evidence::kTimed},
         stalled_by<StallCause::kVectorThroughput>},
        {{"stalls", "sinkhorn_throughput", "cycles",
          "stalled: waits for work of the engine sinkhorn", "unit", Evidence::kTimed},
         stalled_by<StallCause::kSinkhornThroughput>},
        {{"stalls", "linear_throughput", "cycles", "stalled: waits for work of the engine linear",
          "unit", Evidence::kTimed},
         stalled_by<StallCause::kLinearThroughput>},
        {{"stalls", "other_throughput", "cycles",
          "stalled: waits for work of an engine beside the chip's own", "unit", Evidence::kTimed},
         stalled_by<StallCause::kOtherThroughput>},
        {{"stalls", "write_exclusion", "cycles",
          "stalled: the CIM bank cannot be written while it computes", "unit", Evidence::kTimed},
         stalled_by<StallCause::kWriteExclusion>},
    }};

/// Counters of the chip's modules that are not sums over commands.
struct ChipCounter {
  CounterInfo info;
  /// None where the run does not know it.
  std::optional<std::int64_t> (*count)(const ChipTotals&);
};
const std::vector<ChipCounter>& chip_counter_table();

/// Of the whole chip; of each engine and the DMA; of each bank.
inline constexpr CounterInfo kCyclesCounter = {
    "",     "cycles",        "cycles", "from the first command's start to the last one's end",
    "chip", Evidence::kTimed};
inline constexpr CounterInfo kCommandsCounter = {
    "", "commands", "count", "commands executed", "sequencer", Evidence::kCounted};
inline constexpr CounterInfo kBankConflictsCounter = {
    "memory.sram.bank_conflicts",         "bank",       "count",
    "requests that found the bank taken", "scratchpad", Evidence::kBeatOnly};

}  // namespace quadrille::hw
