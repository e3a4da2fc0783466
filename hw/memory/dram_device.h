// The DRAM as the chip times it: its figures as times of the chip's clock.
#pragma once

#include <cstdint>

#include "hw/chip_config.h"

namespace quadrille::hw {

/// Times of the DRAM are whole numbers of ticks. A figure in nanoseconds is
/// rounded once, to the nearest tick, by at most 1/8192 of a cycle; nothing is
/// rounded again until a burst's end becomes a cycle of the chip.
inline constexpr std::int64_t kTicksPerCycle = 4096;

/// `channels` equal channels; times in ticks.
struct DramDevice {
  int channels = 1;
  int banks = 1;  ///< Of a channel.
  int burst_bytes = 64;
  int row_bytes = 2048;    ///< Of a channel.
  std::int64_t burst = 0;  ///< On the data bus.
  std::int64_t read_latency = 0;
  std::int64_t write_latency = 0;
  std::int64_t activate = 0;  ///< Activation to column command.
  std::int64_t precharge = 0;
  std::int64_t least_open = 0;        ///< Activation to precharge.
  std::int64_t activate_gap = 0;      ///< Between activations of a channel.
  std::int64_t write_recovery = 0;    ///< Last write data to precharge.
  std::int64_t to_write = 0;          ///< Idle bus where a write follows a read.
  std::int64_t to_read = 0;           ///< Idle bus where a read follows a write.
  std::int64_t refresh_interval = 0;  ///< 0: never.
  std::int64_t refresh = 0;           ///< Precharge of all banks included.

  std::int64_t latency(bool write) const { return write ? write_latency : read_latency; }
  /// Cycles in which the buses carry that many bursts, spread over all channels;
  /// no fewer than the DMA takes to issue them.
  std::int64_t bus_cycles(std::int64_t bursts) const;
};

/// The device of a resolved chip: of its kind's figures, or of the plain keys.
DramDevice dram_device(const DramConfig& config, double clock_hz);
DramDevice dram_device(const ChipConfig& config);

}  // namespace quadrille::hw
