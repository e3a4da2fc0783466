#include "hw/memory/dram_kind.h"

#include <fmt/format.h>

namespace quadrille::hw {
namespace {

constexpr double kMostNs = 1e6;
constexpr double kMostPj = 1e9;

}  // namespace

const std::vector<DramKindKey>& dram_kind_keys() {
  using K = DramKind;
  static const std::vector<DramKindKey> keys = {
      {"data_rate_mtps", 1, 1e5, false, &K::data_rate_mtps, "transfers per microsecond and pin"},
      {"width_bits", 4, 1024, true, &K::width_bits, "data pins of a channel"},
      {"burst_length", 1, 64, true, &K::burst_length, "transfers of a burst"},
      {"banks", 1, 4096, true, &K::banks, "of a channel; each has one row open"},
      {"row_bytes", 16, 1 << 20, true, &K::row_bytes, "what one activation opens"},
      {"read_latency_ns", 0, kMostNs, false, &K::read_latency_ns, "read command to first data"},
      {"write_latency_ns", 0, kMostNs, false, &K::write_latency_ns, "write command to first data"},
      {"activate_to_column_ns", 0, kMostNs, false, &K::activate_to_column_ns, "tRCD"},
      {"activate_to_precharge_ns", 0, kMostNs, false, &K::activate_to_precharge_ns, "tRAS"},
      {"precharge_ns", 0, kMostNs, false, &K::precharge_ns, "tRP"},
      {"activate_to_activate_ns", 0, kMostNs, false, &K::activate_to_activate_ns,
       "the larger of tRRD and a quarter of tFAW"},
      {"write_recovery_ns", 0, kMostNs, false, &K::write_recovery_ns,
       "tWR, last write data to precharge"},
      {"read_to_write_ns", 0, kMostNs, false, &K::read_to_write_ns,
       "idle bus between read data and write data"},
      {"write_to_read_ns", 0, kMostNs, false, &K::write_to_read_ns,
       "tWTR, last write data to read command"},
      {"refresh_interval_ns", 0, kMostNs, false, &K::refresh_interval_ns,
       "tREFI; 0: never refreshed"},
      {"refresh_ns", 0, kMostNs, false, &K::refresh_ns, "tRFC of all banks"},
      {"activation_pj", 0, kMostPj, false, &K::activation_pj, "of a row, its precharge included"},
      {"read_pj_per_bit", 0, kMostPj, false, &K::read_pj_per_bit, "in the device, above standby"},
      {"write_pj_per_bit", 0, kMostPj, false, &K::write_pj_per_bit, "in the device, above standby"},
      {"read_io_pj_per_bit", 0, kMostPj, false, &K::read_io_pj_per_bit,
       "drivers and termination of the data bus"},
      {"write_io_pj_per_bit", 0, kMostPj, false, &K::write_io_pj_per_bit,
       "drivers and termination of the data bus"},
      {"refresh_pj", 0, kMostPj, false, &K::refresh_pj, "of one refresh, above standby"},
      {"standby_mw", 0, kMostPj, false, &K::standby_mw, "of a channel, all the time"},
  };
  return keys;
}

std::string dram_kind_keys_markdown() {
  std::string table = "| key | allowed | meaning |\n|---|---|---|\n";
  for (const DramKindKey& key : dram_kind_keys()) {
    table += fmt::format("| `{}` | {}{:.12g}..{:.12g} | {} |\n", key.name,
                         key.whole ? "whole, " : "", key.least, key.most, key.meaning);
  }
  return table;
}

}  // namespace quadrille::hw
