#include "hw/mapper/cost.h"

#include <algorithm>

#include "model/numerics/integers.h"

namespace quadrille::hw {
namespace {

/// Cycles from a result's beat to its word in the scratchpad (docs/timing.md).
constexpr std::int64_t kWriterCycles = 1;

std::int64_t cycles_of(std::int64_t dram_ticks) {
  return model::ceil_div(dram_ticks, kTicksPerCycle);
}

/// From burst to burst of a long copy: what the buses take, refreshes shared out, the
/// DMA's issue, or a window of outstanding bursts that does not hide the latency.
std::int64_t burst_interval(const DramDevice& dram, std::int64_t window) {
  const std::int64_t round_trip = cycles_of(dram.read_latency + dram.burst) + 1;
  std::int64_t on_bus = model::ceil_div(dram.burst, std::int64_t{dram.channels});
  if (dram.refresh_interval > 0)
    on_bus += on_bus * dram.refresh / (dram.refresh_interval - dram.refresh);
  return std::max({on_bus, kTicksPerCycle, model::ceil_div(round_trip, window) * kTicksPerCycle});
}

}  // namespace

CommandCost::CommandCost(const ChipConfig& config)
    : config_(config),
      dram_(dram_device(config)),
      burst_interval_(burst_interval(dram_, config.dma.outstanding_bursts)),
      cim_(config.cim),
      softmax_(config.softmax),
      damf_(config.damf),
      sinkhorn_(config.sinkhorn),
      linear_(config.linear),
      vector_(config.vector) {}

std::int64_t CommandCost::with_ports(std::int64_t alone, bool writes) const {
  return alone + config_.scratchpad.read_latency_cycles + (writes ? kWriterCycles : 0);
}

std::int64_t CommandCost::cycles(const DmaCopy& operation) const {
  const std::int64_t burst = dram_.burst_bytes;
  const bool one_run = operation.dram_pitch_bytes == operation.row_bytes || operation.rows == 1;
  const std::int64_t rows = one_run ? 1 : operation.rows;
  const std::int64_t length = one_run ? operation.rows * operation.row_bytes : operation.row_bytes;
  const auto first =
      static_cast<std::int64_t>(operation.dram_address % static_cast<std::uint64_t>(burst));
  const std::int64_t bursts = rows * ((first + length + burst - 1) / burst);
  // Bursts that only fill a part of their words cost the scratchpad's port more.
  const std::int64_t accesses =
      operation.rows *
      ((operation.row_bytes + config_.scratchpad.word_bytes - 1) / config_.scratchpad.word_bytes);
  return cycles_of(dram_.activate + dram_.latency(!operation.to_scratchpad)) + 2 +
         std::max(cycles_of(bursts * burst_interval_), accesses) +
         (operation.to_scratchpad ? 0 : config_.scratchpad.read_latency_cycles);
}

std::int64_t CommandCost::cycles(const CimWrite& operation) const {
  return with_ports(cim_.alone_cycles(operation), false);
}
std::int64_t CommandCost::cycles(const CimMultiply& operation) const {
  return with_ports(cim_.alone_cycles(operation));
}
std::int64_t CommandCost::cycles(const SoftmaxRows& operation) const {
  return with_ports(softmax_.alone_cycles(operation));
}
std::int64_t CommandCost::cycles(const DamfProject& operation) const {
  return with_ports(damf_.alone_cycles(operation));
}
std::int64_t CommandCost::cycles(const DamfAttend& operation) const {
  return with_ports(damf_.alone_cycles(operation));
}
std::int64_t CommandCost::cycles(const VectorRequantise& operation) const {
  return with_ports(vector_.alone_cycles(operation));
}
std::int64_t CommandCost::cycles(const SinkhornScale& operation) const {
  return with_ports(sinkhorn_.alone_cycles(operation, sinkhorn_.course(operation)));
}
std::int64_t CommandCost::cycles(const SinkhornApply& operation) const {
  return with_ports(sinkhorn_.alone_cycles(operation, sinkhorn_.course(operation)));
}
std::int64_t CommandCost::cycles(const LinearAttend& operation) const {
  return with_ports(linear_.alone_cycles(operation), operation.query_tokens > 0);
}

}  // namespace quadrille::hw
