#include "hw/counters/counter_table.h"

#include "hw/chip_result.h"

namespace quadrille::hw {

namespace {

using Value = std::optional<std::int64_t>;

Value dram_read_bytes(const ChipTotals& totals) {
  return totals.external_dram ? totals.traffic.dram_read_bytes : totals.dram.read_bytes;
}

Value dram_write_bytes(const ChipTotals& totals) {
  return totals.external_dram ? totals.traffic.dram_write_bytes : totals.dram.write_bytes;
}

/// A foreign DRAM's bursts and rows are its own matter.
template <std::int64_t DramCounts::*count>
Value of_own_dram(const ChipTotals& totals) {
  return totals.external_dram ? std::nullopt : Value(totals.dram.*count);
}

template <std::int64_t DmaCounts::*count>
Value of_dma(const ChipTotals& totals) {
  return totals.dma_link.*count;
}

template <AccessCounts ScratchpadCounts::*port, std::int64_t AccessCounts::*count>
Value of_scratchpad(const ChipTotals& totals) {
  return totals.scratchpad.*port.*count;
}

/// Bytes are counted where they move. How they fall into words follows from the
/// streams, or is counted beat by beat.
template <AccessCounts ScratchpadCounts::*port>
void add_port(std::vector<ChipCounter>& table, const CounterInfo& bytes, const char* accesses,
              const char* slices) {
  const bool external = bytes.evidence == Evidence::kCounted;
  const Evidence words = external ? Evidence::kCounted : Evidence::kTimed;
  table.push_back({bytes, of_scratchpad<port, &AccessCounts::bytes>});
  table.push_back({{"memory.sram", accesses, "count", "bank accesses, one word or a part of it",
                    "scratchpad", words},
                   of_scratchpad<port, &AccessCounts::accesses>});
  table.push_back({{"memory.sram", slices, "count", "128-bit slices activated by the accesses",
                    "scratchpad", words},
                   of_scratchpad<port, &AccessCounts::slices>});
}

CounterInfo external_bytes(const char* name) {
  return {"memory.sram", name,
          "bytes",       "bytes that masters outside the chip moved",
          "scratchpad",  Evidence::kCounted};
}

std::vector<ChipCounter> make_table() {
  constexpr auto kCounted = Evidence::kCounted;
  std::vector<ChipCounter> table = {
      {{"dma", "read_bursts", "count", "bursts from the DRAM", "dma", Evidence::kDerived},
       of_dma<&DmaCounts::read_bursts>},
      {{"dma", "write_bursts", "count", "bursts to the DRAM", "dma", Evidence::kDerived},
       of_dma<&DmaCounts::write_bursts>},
      {{"dma", "read_useful_bytes", "bytes", "bytes from the DRAM that were asked for", "dma",
        Evidence::kDerived},
       of_dma<&DmaCounts::read_useful_bytes>},
      {{"dma", "write_useful_bytes", "bytes", "bytes to the DRAM that were asked for", "dma",
        Evidence::kDerived},
       of_dma<&DmaCounts::write_useful_bytes>},
      {{"dma", "read_padding_bytes", "bytes", "bytes of read bursts that nobody asked for", "dma",
        Evidence::kDerived},
       of_dma<&DmaCounts::read_padding_bytes>},
      {{"dma", "write_padding_bytes", "bytes", "masked bytes of write bursts", "dma",
        Evidence::kDerived},
       of_dma<&DmaCounts::write_padding_bytes>},
      {kTrafficCounters[kDramRead].info, dram_read_bytes},
      {kTrafficCounters[kDramWrite].info, dram_write_bytes},
      {{"memory.dram", "read_bursts", "count", "bursts read", "dram", kCounted},
       of_own_dram<&DramCounts::read_bursts>},
      {{"memory.dram", "write_bursts", "count", "bursts written", "dram", kCounted},
       of_own_dram<&DramCounts::write_bursts>},
      {{"memory.dram", "row_hits", "count", "bursts that found their row open", "dram", kCounted},
       of_own_dram<&DramCounts::row_hits>},
      {{"memory.dram", "row_misses", "count", "bursts that had to activate their row", "dram",
        kCounted},
       of_own_dram<&DramCounts::row_misses>},
  };
  add_port<&ScratchpadCounts::read>(table, kTrafficCounters[kSramRead].info, "read_accesses",
                                    "read_slices");
  add_port<&ScratchpadCounts::write>(table, kTrafficCounters[kSramWrite].info, "write_accesses",
                                     "write_slices");
  add_port<&ScratchpadCounts::external_read>(table, external_bytes("external_read_bytes"),
                                             "external_read_accesses", "external_read_slices");
  add_port<&ScratchpadCounts::external_write>(table, external_bytes("external_write_bytes"),
                                              "external_write_accesses", "external_write_slices");
  return table;
}

}  // namespace

const std::vector<ChipCounter>& chip_counter_table() {
  static const std::vector<ChipCounter> table = make_table();
  return table;
}

}  // namespace quadrille::hw
