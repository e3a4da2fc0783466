// How long a command takes when nothing makes it wait: the engines' closed forms
// at plan time, the DMA's by bursts and latencies.
#pragma once

#include <cstdint>

#include "hw/chip_config.h"
#include "hw/engines/cim/cim_bank.h"
#include "hw/engines/damf/damf_engine.h"
#include "hw/engines/linear/linear_engine.h"
#include "hw/engines/sinkhorn/sinkhorn_engine.h"
#include "hw/engines/softmax/softmax_engine.h"
#include "hw/engines/vector/vector_engine.h"
#include "hw/memory/dram_device.h"
#include "hw/sequencer/program.h"

namespace quadrille::hw {

/// Cycles of single commands in timing `tile`. Engines are exact but for a
/// tolerance stop, which only data decide (all half-steps are assumed); the DMA's
/// are a closed form without the state of the DRAM's banks.
class CommandCost {
 public:
  explicit CommandCost(const ChipConfig& config);

  std::int64_t cycles(const DmaCopy& operation) const;
  std::int64_t cycles(const CimWrite& operation) const;
  std::int64_t cycles(const CimMultiply& operation) const;
  std::int64_t cycles(const SoftmaxRows& operation) const;
  std::int64_t cycles(const DamfProject& operation) const;
  std::int64_t cycles(const DamfAttend& operation) const;
  std::int64_t cycles(const VectorRequantise& operation) const;
  std::int64_t cycles(const SinkhornScale& operation) const;
  std::int64_t cycles(const SinkhornApply& operation) const;
  std::int64_t cycles(const LinearAttend& operation) const;

 private:
  /// An engine's own cycles, the wait for its first beat and for its last word.
  std::int64_t with_ports(std::int64_t alone, bool writes = true) const;

  const ChipConfig& config_;
  DramDevice dram_;
  std::int64_t burst_interval_;  ///< Ticks of the DRAM from burst to burst.
  CimBank cim_;
  SoftmaxEngine softmax_;
  DamfEngine damf_;
  SinkhornEngine sinkhorn_;
  LinearEngine linear_;
  VectorEngine vector_;
};

}  // namespace quadrille::hw
