#include "hw/memory/dram_device.h"

#include <algorithm>
#include <cmath>

#include "model/numerics/integers.h"

namespace quadrille::hw {
namespace {

/// Keys in cycles. Precharge and activation are one figure there, paid by any row
/// that is not open; what the keys do not say is not modelled.
DramDevice plain_device(const DramConfig& config) {
  DramDevice device;
  device.burst = config.burst_cycles * kTicksPerCycle;
  device.read_latency = device.write_latency = config.row_hit_latency_cycles * kTicksPerCycle;
  device.activate = config.row_miss_latency_cycles * kTicksPerCycle;
  return device;
}

DramDevice device_of(const DramKind& kind, double clock_hz) {
  const auto ticks = [clock_hz](double nanoseconds) {
    return static_cast<std::int64_t>(
        std::llround(nanoseconds * 1e-9 * clock_hz * double{kTicksPerCycle}));
  };
  DramDevice device;
  device.burst = std::max<std::int64_t>(1, ticks(kind.burst_length / kind.data_rate_mtps * 1e3));
  device.read_latency = ticks(kind.read_latency_ns);
  device.write_latency = ticks(kind.write_latency_ns);
  device.activate = ticks(kind.activate_to_column_ns);
  device.precharge = ticks(kind.precharge_ns);
  device.least_open = ticks(kind.activate_to_precharge_ns);
  device.activate_gap = ticks(kind.activate_to_activate_ns);
  device.write_recovery = ticks(kind.write_recovery_ns);
  device.to_write = ticks(kind.read_to_write_ns);
  device.to_read = ticks(kind.write_to_read_ns + kind.read_latency_ns);
  device.refresh_interval = ticks(kind.refresh_interval_ns);
  device.refresh = ticks(kind.precharge_ns + kind.refresh_ns);
  return device;
}

}  // namespace

std::int64_t DramDevice::bus_cycles(std::int64_t bursts) const {
  return std::max(bursts, model::ceil_div(bursts * burst, channels * kTicksPerCycle));
}

DramDevice dram_device(const DramConfig& config, double clock_hz) {
  DramDevice device = config.figures ? device_of(*config.figures, clock_hz) : plain_device(config);
  device.channels = config.channels;
  device.banks = config.banks;
  device.burst_bytes = config.burst_bytes;
  device.row_bytes = config.row_bytes;
  return device;
}

DramDevice dram_device(const ChipConfig& config) {
  return dram_device(config.dram, config.clock_hz);
}

}  // namespace quadrille::hw
