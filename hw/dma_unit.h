// The DMA behind its sequencer queue.
#pragma once

#include "hw/memory/dma.h"
#include "hw/memory/dram.h"
#include "hw/stepped_unit.h"

namespace quadrille::hw {

class DmaUnit final : public SteppedUnit {
 public:
  /// `dram` is null when the chip has none of its own: then rows are not known.
  DmaUnit(const UnitSurroundings& surroundings, Dma& dma, const Dram* dram)
      : SteppedUnit(Unit::kDma, "dma", surroundings, false),
        dma_(dma),
        dram_(dram),
        device_(dram_device(*surroundings.config)) {}

  std::int64_t start(const CommandStart& start) override;
  bool active() const override { return index_ >= 0; }
  void request(BankArbiter& arbiter, std::int64_t cycle) const override;
  bool step(const BankArbiter& arbiter, std::int64_t cycle) override;
  std::int64_t next_cycle(std::int64_t cycle) const override { return dma_.next_cycle(cycle); }

 private:
  void check(const DmaCopy& copy, int index) const;
  /// Busy while its bursts are issued and cross the DRAM's buses; the rest is waiting.
  void account(CommandRecord& entry, std::int64_t conflicts);

  Dma& dma_;
  const Dram* dram_;
  DramDevice device_;
  int index_ = -1;
  std::int64_t bus_cycles_ = 0;
  DramCounts before_;
};

}  // namespace quadrille::hw
