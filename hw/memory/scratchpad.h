// The banked scratchpad: bytes, access counts, and a TLM-2.0 target socket for
// the DMA and for masters outside the chip. Who may access which bank in which
// cycle is the BankArbiter's matter (stream_port.h).
#pragma once

#include <tlm_utils/simple_target_socket.h>

#include <systemc>
#include <tlm>

#include "hw/chip_config.h"
#include "hw/clock.h"
#include "hw/memory/sparse_bytes.h"
#include "hw/memory/traffic.h"

namespace quadrille::hw {

/// Accesses as the scratchpad itself has seen them.
struct ScratchpadCounts {
  AccessCounts read;
  AccessCounts write;
  AccessCounts external_read;  ///< Through b_transport; not part of `read`.
  AccessCounts external_write;
};

/// Contract of b_transport: never waits; adds one cycle per word and the read
/// latency to `delay`; words of engines and DMA are not delayed by it. An
/// address beyond the capacity is answered TLM_ADDRESS_ERROR_RESPONSE.
class Scratchpad : public sc_core::sc_module {
 public:
  tlm_utils::simple_target_socket<Scratchpad> socket;

  Scratchpad(sc_core::sc_module_name name, const ScratchpadConfig& config, const Clock& clock,
             bool data);

  bool backed() const { return storage_.backed(); }
  Bytes bytes() const { return storage_.bytes(); }
  /// Throws InvariantError when [address, address + bytes) is not inside.
  void check(std::uint64_t address, std::int64_t bytes) const;

  /// One granted access, of one word or of consecutive whole words. One that
  /// straddles words otherwise is an InvariantError.
  void access(bool write, std::uint64_t address, std::int64_t bytes);
  /// All accesses of a command at once (tile timing).
  void count(const AccessCounts& read, const AccessCounts& write);
  const ScratchpadCounts& counts() const { return counts_; }

 private:
  void b_transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay);
  bool get_direct_mem_ptr(tlm::tlm_generic_payload& payload, tlm::tlm_dmi& dmi);
  unsigned transport_dbg(tlm::tlm_generic_payload& payload);

  ScratchpadConfig config_;
  Clock clock_;
  SparseBytes storage_;
  ScratchpadCounts counts_;
};

}  // namespace quadrille::hw
