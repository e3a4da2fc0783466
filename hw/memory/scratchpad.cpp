#include "hw/memory/scratchpad.h"

#include <cstring>
#include <string>

#include "model/numerics/integers.h"

namespace quadrille::hw {

Scratchpad::Scratchpad(sc_core::sc_module_name name, const ScratchpadConfig& config,
                       const Clock& clock, bool data)
    : sc_core::sc_module(name),
      socket("socket"),
      config_(config),
      clock_(clock),
      storage_(static_cast<std::uint64_t>(config.capacity_bytes), data) {
  socket.register_b_transport(this, &Scratchpad::b_transport);
  socket.register_get_direct_mem_ptr(this, &Scratchpad::get_direct_mem_ptr);
  socket.register_transport_dbg(this, &Scratchpad::transport_dbg);
}

void Scratchpad::check(std::uint64_t address, std::int64_t bytes) const {
  if (bytes < 0 || static_cast<std::uint64_t>(bytes) > storage_.size() ||
      address > storage_.size() - static_cast<std::uint64_t>(bytes)) {
    throw InvariantError("scratchpad access of " + std::to_string(bytes) + " bytes at " +
                         std::to_string(address) + " beyond its " +
                         std::to_string(storage_.size()) + " bytes");
  }
}

void Scratchpad::access(bool write, std::uint64_t address, std::int64_t bytes) {
  check(address, bytes);
  const std::int64_t word = config_.word_bytes;
  const std::int64_t offset = static_cast<std::int64_t>(address) % word;
  if (offset != 0 && offset + bytes > word) {
    throw InvariantError("a scratchpad access of " + std::to_string(bytes) + " bytes at " +
                         std::to_string(address) + " straddles words of " + std::to_string(word) +
                         " bytes");
  }
  AccessCounts& counts = write ? counts_.write : counts_.read;
  counts.bytes += bytes;
  counts.accesses += model::ceil_div(bytes, word);
  counts.slices += slices_of(address, bytes);
}

void Scratchpad::count(const AccessCounts& read, const AccessCounts& write) {
  counts_.read += read;
  counts_.write += write;
}

bool Scratchpad::in_range(const tlm::tlm_generic_payload& payload) const {
  return payload.get_data_length() <= storage_.size() &&
         payload.get_address() <= storage_.size() - payload.get_data_length();
}

void Scratchpad::move(tlm::tlm_generic_payload& payload) {
  if (!storage_.backed() || payload.get_data_ptr() == nullptr) return;
  const unsigned length = payload.get_data_length();
  std::uint8_t* here = storage_.bytes().at(payload.get_address(), length);
  if (payload.is_read()) {
    std::memcpy(payload.get_data_ptr(), here, length);
  } else if (payload.is_write()) {
    std::memcpy(here, payload.get_data_ptr(), length);
  }
}

void Scratchpad::b_transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
  if (!in_range(payload)) {
    payload.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
    return;
  }
  if (payload.get_byte_enable_ptr() != nullptr ||
      payload.get_streaming_width() < payload.get_data_length()) {
    payload.set_response_status(tlm::TLM_GENERIC_ERROR_RESPONSE);
    return;
  }
  move(payload);
  const std::uint64_t address = payload.get_address();
  const std::int64_t length = payload.get_data_length();
  const auto word = static_cast<std::uint64_t>(config_.word_bytes);
  AccessCounts counts;
  counts.bytes = length;
  if (length > 0) {
    counts.accesses = static_cast<std::int64_t>(
        (address + static_cast<std::uint64_t>(length) - 1) / word - address / word + 1);
    counts.slices = slices_of(address, length);
  }
  (payload.is_read() ? counts_.external_read : counts_.external_write) += counts;
  delay += clock_.time(counts.accesses + (payload.is_read() ? config_.read_latency_cycles : 0));
  payload.set_dmi_allowed(storage_.backed());
  payload.set_response_status(tlm::TLM_OK_RESPONSE);
}

bool Scratchpad::get_direct_mem_ptr(tlm::tlm_generic_payload&, tlm::tlm_dmi& dmi) {
  if (!storage_.backed()) return false;
  dmi.set_dmi_ptr(storage_.bytes().at(0, storage_.size()));
  dmi.set_start_address(0);
  dmi.set_end_address(storage_.size() - 1);
  dmi.set_read_latency(clock_.time(config_.read_latency_cycles));
  dmi.set_write_latency(clock_.time(1));
  dmi.allow_read_write();
  return true;
}

unsigned Scratchpad::transport_dbg(tlm::tlm_generic_payload& payload) {
  if (!storage_.backed() || !in_range(payload)) return 0;
  move(payload);
  return payload.get_data_length();
}

}  // namespace quadrille::hw
