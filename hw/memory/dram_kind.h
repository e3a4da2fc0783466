// The kinds of DRAM as data: what a published device takes and costs, in its own
// units. Files of technology/dram/ say it (app/config/dram_kind_file.h);
// hw/memory/dram_device.h turns it into times of the chip.
#pragma once

#include <string>
#include <vector>

namespace quadrille::hw {

/// One channel: its own command and data bus, its own banks.
struct DramKind {
  std::string name;
  double data_rate_mtps = 0.0;  ///< Transfers of `width_bits` bits per microsecond.
  double width_bits = 0.0;
  double burst_length = 0.0;  ///< Transfers of a burst.
  double banks = 0.0;
  double row_bytes = 0.0;                 ///< What an activation opens, over the channel's width.
  double read_latency_ns = 0.0;           ///< Read command to first data.
  double write_latency_ns = 0.0;          ///< Write command to first data.
  double activate_to_column_ns = 0.0;     ///< tRCD.
  double activate_to_precharge_ns = 0.0;  ///< tRAS.
  double precharge_ns = 0.0;              ///< tRP.
  double activate_to_activate_ns = 0.0;   ///< The larger of tRRD and tFAW / 4.
  double write_recovery_ns = 0.0;         ///< tWR: last write data to precharge of that bank.
  double read_to_write_ns = 0.0;          ///< Bus idle between read data and write data.
  double write_to_read_ns = 0.0;          ///< tWTR: last write data to the next read command.
  double refresh_interval_ns = 0.0;       ///< tREFI.
  double refresh_ns = 0.0;                ///< tRFC of all banks.
  double activation_pj = 0.0;             ///< Of one row, its precharge included.
  double read_pj_per_bit = 0.0;           ///< In the device, above standby.
  double write_pj_per_bit = 0.0;
  double read_io_pj_per_bit = 0.0;  ///< Drivers and termination of the data bus.
  double write_io_pj_per_bit = 0.0;
  double refresh_pj = 0.0;  ///< Of one refresh of all banks, above standby.
  double standby_mw = 0.0;  ///< All the time, with rows open.

  double burst_bytes() const { return width_bits * burst_length / 8.0; }
};

/// One key of a kind's file.
struct DramKindKey {
  const char* name;  ///< With the unit in it: "refresh_ns".
  double least;
  double most;
  bool whole;
  double DramKind::*value;
  const char* meaning;
};
const std::vector<DramKindKey>& dram_kind_keys();

/// The table of the keys in docs/files.md.
std::string dram_kind_keys_markdown();

}  // namespace quadrille::hw
