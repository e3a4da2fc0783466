#include "hw/memory/dram.h"

#include "hw/memory/tlm_memory.h"

namespace quadrille::hw {

Dram::Dram(sc_core::sc_module_name name, const DramDevice& device, std::int64_t capacity_bytes,
           const Clock& clock, bool data)
    : sc_core::sc_module(name),
      socket("socket"),
      timing_(device),
      clock_(clock),
      burst_bytes_(device.burst_bytes),
      storage_(static_cast<std::uint64_t>(capacity_bytes), data),
      state_(timing_.initial_state()) {
  plain_.window = 64;
  socket.register_b_transport(this, &Dram::b_transport);
  socket.register_get_direct_mem_ptr(this, &Dram::get_direct_mem_ptr);
  socket.register_transport_dbg(this, &Dram::transport_dbg);
}

DramCounts Dram::counts() const {
  DramCounts counts = counts_;
  counts.row_hits = state_.row_hits;
  counts.row_misses = state_.row_misses;
  return counts;
}

void Dram::b_transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
  const std::int64_t now = clock_.now();
  BurstTrain* train = nullptr;
  payload.get_extension(train);
  const bool plain = train == nullptr;
  if (plain) {
    train = &plain_;
    train->begin(now + clock_.cycles(delay));
  }
  const std::uint64_t length = payload.get_data_length();
  const std::int64_t behind_first = (train->rows - 1) * train->pitch_bytes;
  const bool last_row_inside =
      behind_first >= 0 &&
      storage_.holds(payload.get_address() + static_cast<std::uint64_t>(behind_first), length);
  payload.set_response_status(last_row_inside ? response_to(storage_, payload)
                                              : tlm::TLM_ADDRESS_ERROR_RESPONSE);
  if (!payload.is_response_ok()) return;
  if (plain) move_bytes(storage_, payload);
  const std::int64_t bursts = timing_.block(state_, *train, payload.get_address(),
                                            static_cast<std::int64_t>(length), payload.is_write());
  if (bursts > 0) delay = clock_.time(train->last_end() - now);
  if (payload.is_read()) {
    counts_.read_bursts += bursts;
    counts_.read_bytes += bursts * burst_bytes_;
  } else {
    counts_.write_bursts += bursts;
    counts_.write_bytes += bursts * burst_bytes_;
  }
  payload.set_dmi_allowed(storage_.backed());
}

bool Dram::get_direct_mem_ptr(tlm::tlm_generic_payload&, tlm::tlm_dmi& dmi) {
  return grant_direct_access(storage_, dmi);
}

unsigned Dram::transport_dbg(tlm::tlm_generic_payload& payload) {
  return debug_access(storage_, payload);
}

}  // namespace quadrille::hw
