// The DMA: strided copies between the DRAM and the scratchpad, in bursts.
#pragma once

#include <tlm_utils/simple_initiator_socket.h>

#include <cstdint>
#include <systemc>
#include <tlm>
#include <vector>

#include "hw/chip_config.h"
#include "hw/clock.h"
#include "hw/memory/bytes.h"
#include "hw/memory/dma_operations.h"
#include "hw/memory/dram_timing.h"
#include "hw/memory/stream_port.h"
#include "hw/memory/traffic.h"

namespace quadrille::hw {

/// The DMA's own account of its DRAM link.
struct DmaCounts {
  std::int64_t read_bursts = 0;  ///< DRAM to scratchpad.
  std::int64_t write_bursts = 0;
  std::int64_t read_useful_bytes = 0;
  std::int64_t write_useful_bytes = 0;
  std::int64_t read_padding_bytes = 0;
  std::int64_t write_padding_bytes = 0;
};

/// One copy at a time. Timing (docs/timing.md); t0 is the cycle of the start,
/// L the scratchpad's read latency, p the bank accesses of a burst:
///  - to the scratchpad: bursts are issued from t0 + 1 on, one per cycle, at
///    most outstanding_bursts until their last byte lies in the scratchpad;
///    a burst whose data end at E is written in cycles E .. E + p - 1.
///  - to the DRAM: words are requested from t0 + 1 on, one per cycle; a burst
///    is issued when its last word has arrived.
class Dma : public sc_core::sc_module {
 public:
  tlm_utils::simple_initiator_socket<Dma> dram_socket;
  tlm_utils::simple_initiator_socket<Dma> scratchpad_socket;

  /// `external_dram`: the DRAM side is bound to a foreign target, which is
  /// sent plain transactions of one burst each and must annotate its delay
  /// without waiting.
  Dma(sc_core::sc_module_name name, const ChipConfig& config, const Clock& clock, bool data,
      bool external_dram);
  ~Dma() override;

  /// Tile timing: the whole copy now. Returns its end cycle.
  std::int64_t run(const DmaCopy& copy, std::int64_t start);

  /// Beat timing.
  void start(const DmaCopy& copy, std::int64_t cycle);
  bool active() const { return active_; }
  /// The bank access wanted in this cycle, from registered state.
  bool request(std::int64_t cycle, PortRequest& request) const;
  /// One clock cycle; `granted` answers request(). Returns true when the copy
  /// has ended: its end cycle is cycle + 1.
  bool step(std::int64_t cycle, bool granted);
  /// First cycle after `cycle` in which step() could do anything.
  std::int64_t next_cycle(std::int64_t cycle) const;
  /// Requests of this copy that another port's access delayed.
  std::int64_t conflicts() const { return conflicts_; }

  const DmaCounts& counts() const { return counts_; }
  /// Bytes that it has copied, counted where it copied them; none without data.
  std::int64_t copied_bytes() const { return copied_bytes_; }

 private:
  struct Slot {
    std::int64_t begin = 0;  ///< Useful bytes of the copy, from begin to end.
    std::int64_t end = 0;
    std::uint64_t dram_address = 0;
    std::int64_t ready = 0;  ///< Data there: on the bus (read), from the banks (write).
    std::int64_t moved = 0;  ///< Next byte at the scratchpad port.
    std::vector<std::uint8_t> bytes;
  };

  std::int64_t run_trains(const DmaCopy& copy, const DmaFootprint& footprint, std::int64_t start);
  std::int64_t run_bursts(const DmaCopy& copy, const DmaFootprint& footprint, std::int64_t start);
  void set_train(const DmaCopy& copy, const DmaFootprint& footprint, std::int64_t start);
  /// Sends one transaction and returns the cycle its data end.
  std::int64_t transport(bool read, std::uint64_t address, std::int64_t length, std::uint8_t* data,
                         std::int64_t issue);
  void count(const DmaCopy& copy, const DmaFootprint& footprint);
  std::uint8_t* scratchpad(std::uint64_t address, std::int64_t bytes);
  static Bytes dmi_of(tlm_utils::simple_initiator_socket<Dma>& socket);
  Slot& slot(std::int64_t burst) { return slots_[static_cast<std::size_t>(burst) % slots_.size()]; }
  const Slot& slot(std::int64_t burst) const {
    return slots_[static_cast<std::size_t>(burst) % slots_.size()];
  }

  std::int64_t burst_bytes_;
  std::int64_t word_bytes_;
  int read_latency_;
  int window_;
  Clock clock_;
  bool data_;
  bool external_;
  tlm::tlm_generic_payload payload_;
  BurstTrain train_;
  Bytes scratchpad_bytes_{nullptr, 0};
  Bytes dram_bytes_{nullptr, 0};
  DmaCounts counts_;
  std::int64_t copied_bytes_ = 0;

  // Beat timing. Bursts [head_, moving_) have crossed the first link and
  // [moving_, tail_) are on it; at most window_ are between head_ and tail_.
  bool active_ = false;
  DmaCopy copy_;
  BurstCursor cursor_{DmaCopy{}, 1, 1};
  std::vector<Slot> slots_;
  std::int64_t head_ = 0;
  std::int64_t issued_ = 0;  ///< Bursts issued to the DRAM.
  std::int64_t tail_ = 0;
  std::int64_t start_ = 0;
  std::int64_t last_end_ = 0;
  std::int64_t conflicts_ = 0;
};

}  // namespace quadrille::hw
