#include "hw/memory/dram.h"

#include <algorithm>
#include <cstring>
#include <limits>

namespace quadrille::hw {

Dram::Dram(sc_core::sc_module_name name, const DramConfig& config, const Clock& clock, bool data)
    : sc_core::sc_module(name),
      socket("socket"),
      timing_(config),
      clock_(clock),
      burst_bytes_(config.burst_bytes),
      storage_(static_cast<std::uint64_t>(config.capacity_bytes), data),
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

bool Dram::in_range(std::uint64_t address, std::uint64_t length) const {
  return length <= storage_.size() && address <= storage_.size() - length;
}

void Dram::move(tlm::tlm_generic_payload& payload) {
  if (!storage_.backed() || payload.get_data_ptr() == nullptr) return;
  const unsigned length = payload.get_data_length();
  std::uint8_t* here = storage_.bytes().at(payload.get_address(), length);
  if (payload.is_read()) {
    std::memcpy(payload.get_data_ptr(), here, length);
  } else if (payload.is_write()) {
    std::memcpy(here, payload.get_data_ptr(), length);
  }
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
  if (behind_first < 0 || !in_range(payload.get_address(), length) ||
      !in_range(payload.get_address() + static_cast<std::uint64_t>(behind_first), length)) {
    payload.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
    return;
  }
  if (payload.get_byte_enable_ptr() != nullptr || payload.get_streaming_width() < length) {
    payload.set_response_status(tlm::TLM_GENERIC_ERROR_RESPONSE);
    return;
  }
  if (plain) move(payload);
  const std::int64_t bursts =
      timing_.block(state_, *train, payload.get_address(), static_cast<std::int64_t>(length));
  if (bursts > 0) delay = clock_.time(train->last_end() - now);
  if (payload.is_read()) {
    counts_.read_bursts += bursts;
    counts_.read_bytes += bursts * burst_bytes_;
  } else {
    counts_.write_bursts += bursts;
    counts_.write_bytes += bursts * burst_bytes_;
  }
  payload.set_dmi_allowed(storage_.backed());
  payload.set_response_status(tlm::TLM_OK_RESPONSE);
}

bool Dram::get_direct_mem_ptr(tlm::tlm_generic_payload&, tlm::tlm_dmi& dmi) {
  if (!storage_.backed()) return false;
  dmi.set_dmi_ptr(storage_.bytes().at(0, storage_.size()));
  dmi.set_start_address(0);
  dmi.set_end_address(storage_.size() - 1);
  dmi.allow_read_write();
  return true;
}

unsigned Dram::transport_dbg(tlm::tlm_generic_payload& payload) {
  if (!storage_.backed() || !in_range(payload.get_address(), payload.get_data_length())) return 0;
  move(payload);
  return payload.get_data_length();
}

}  // namespace quadrille::hw
