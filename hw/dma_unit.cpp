#include "hw/dma_unit.h"

#include <algorithm>
#include <string>
#include <variant>

#include "hw/memory/traffic.h"
#include "model/errors.h"

namespace quadrille::hw {
namespace {

constexpr int kPort = 2 * static_cast<int>(Unit::kDma);

}  // namespace

std::int64_t DmaUnit::start(const CommandStart& start) {
  CommandRecord& entry = open_record(start);
  const auto& copy = std::get<DmaCopy>(start.command->operation);
  check(copy, start.index);
  const ChipConfig& config = *around_.config;
  const DmaFootprint footprint =
      dma_footprint(copy, config.dram.burst_bytes, config.scratchpad.word_bytes);
  const std::int64_t on_link = footprint.bursts * config.dram.burst_bytes;
  Traffic& traffic = entry.traffic;
  (copy.to_scratchpad ? traffic.sram_write : traffic.sram_read) = footprint.scratchpad;
  (copy.to_scratchpad ? traffic.dram_read_bytes : traffic.dram_write_bytes) = on_link;
  (copy.to_scratchpad ? traffic.dram_read_padding_bytes : traffic.dram_write_padding_bytes) =
      footprint.padding_bytes;
  bus_cycles_ = device_.bus_cycles(footprint.bursts);
  if (dram_ != nullptr) before_ = dram_->counts();
  if (around_.beat) {
    index_ = start.index;
    dma_.start(copy, start.cycle);
    around_.step->notify(sc_core::SC_ZERO_TIME);
    return kOpenEnd;
  }
  const std::int64_t copied_before = dma_.copied_bytes();
  entry.end_cycle = dma_.run(copy, start.cycle);
  AccessCounts accesses = footprint.scratchpad;
  if (around_.data) accesses.bytes = dma_.copied_bytes() - copied_before;
  around_.scratchpad->count(copy.to_scratchpad ? AccessCounts{} : accesses,
                            copy.to_scratchpad ? accesses : AccessCounts{});
  account(entry, 0);
  return entry.end_cycle;
}

void DmaUnit::request(BankArbiter& arbiter, std::int64_t cycle) const {
  PortRequest wanted;
  if (dma_.request(cycle, wanted)) arbiter.request(kPort, wanted);
}

bool DmaUnit::step(const BankArbiter& arbiter, std::int64_t cycle) {
  PortRequest access;
  const bool granted = arbiter.granted(kPort) && dma_.request(cycle, access);
  if (granted) around_.scratchpad->access(access.write, access.address, access.bytes);
  if (!dma_.step(cycle, granted)) return false;
  CommandRecord& entry = record(index_);
  entry.end_cycle = cycle + 1;
  account(entry, dma_.conflicts());
  index_ = -1;
  return true;
}

void DmaUnit::check(const DmaCopy& copy, int index) const {
  if (copy.rows < 0 || copy.row_bytes < 0) {
    throw InvariantError(who(index) + ": " + "rows " + std::to_string(copy.rows) + " of " +
                         std::to_string(copy.row_bytes) + " bytes");
  }
  if (copy.rows == 0 || copy.row_bytes == 0) return;
  const std::int64_t last = (copy.rows - 1) * copy.scratchpad_pitch_bytes + copy.row_bytes;
  const std::int64_t dram_last = (copy.rows - 1) * copy.dram_pitch_bytes + copy.row_bytes;
  try {
    around_.scratchpad->check(copy.scratchpad_address, last);
  } catch (const InvariantError& error) {
    throw InvariantError(who(index) + ": " + error.what());
  }
  const auto end = static_cast<std::int64_t>(copy.dram_address) + dram_last;
  if (dram_last < 0 || end > around_.config->dram.capacity_bytes) {
    throw InvariantError(who(index) + ": " + "DRAM access up to byte " + std::to_string(end) +
                         " beyond its " + std::to_string(around_.config->dram.capacity_bytes) +
                         " bytes");
  }
}

void DmaUnit::account(CommandRecord& entry, std::int64_t conflicts) {
  const std::int64_t cycles = entry.end_cycle - entry.start_cycle;
  const std::int64_t busy = std::min(bus_cycles_, cycles);
  const std::int64_t conflicting = std::min(conflicts, cycles - busy);
  spend(entry, CycleState::busy(), busy);
  spend(entry, CycleState::stalled(StallCause::kBankConflict), conflicting);
  spend(entry, CycleState::stalled(StallCause::kDram), cycles - busy - conflicting);
  if (dram_ == nullptr) return;
  const DramCounts after = dram_->counts();
  entry.traffic.dram_row_hits = after.row_hits - before_.row_hits;
  entry.traffic.dram_row_misses = after.row_misses - before_.row_misses;
}

}  // namespace quadrille::hw
