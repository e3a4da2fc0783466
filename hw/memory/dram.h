// The DRAM device: bytes, row state, and a TLM-2.0 target socket.
#pragma once

#include <tlm_utils/simple_target_socket.h>

#include <systemc>
#include <tlm>

#include "hw/clock.h"
#include "hw/memory/dram_timing.h"
#include "hw/memory/sparse_bytes.h"

namespace quadrille::hw {

struct DramCounts {
  std::int64_t read_bytes = 0;  ///< Whole bursts, as they cross the bus.
  std::int64_t write_bytes = 0;
  std::int64_t read_bursts = 0;
  std::int64_t write_bursts = 0;
  std::int64_t row_hits = 0;
  std::int64_t row_misses = 0;  ///< Each is one activation.
};

/// Contract of b_transport: never waits. On entry `delay` is when the access
/// is issued, on return when its data have all crossed the bus.
///  - With a BurstTrain the payload announces the bursts that cover its rows:
///    they are timed by the train's rule, and its master moves the bytes by DMI
///    (data pointer unused).
///  - Without one it is a plain access: its bursts are issued one per cycle,
///    and its bytes are moved here.
/// An address beyond the capacity is answered TLM_ADDRESS_ERROR_RESPONSE.
class Dram : public sc_core::sc_module {
 public:
  tlm_utils::simple_target_socket<Dram> socket;

  Dram(sc_core::sc_module_name name, const DramDevice& device, std::int64_t capacity_bytes,
       const Clock& clock, bool data);

  Bytes bytes() const { return storage_.bytes(); }
  DramCounts counts() const;

 private:
  void b_transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay);
  bool get_direct_mem_ptr(tlm::tlm_generic_payload& payload, tlm::tlm_dmi& dmi);
  unsigned transport_dbg(tlm::tlm_generic_payload& payload);

  DramTiming timing_;
  Clock clock_;
  std::int64_t burst_bytes_;
  SparseBytes storage_;
  DramState state_;
  DramCounts counts_;
  BurstTrain plain_;
};

}  // namespace quadrille::hw
