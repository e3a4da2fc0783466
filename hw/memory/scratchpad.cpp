#include "hw/memory/scratchpad.h"

#include <string>

#include "hw/memory/tlm_memory.h"
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
  if (bytes < 0 || !storage_.holds(address, static_cast<std::uint64_t>(bytes))) {
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

void Scratchpad::b_transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
  payload.set_response_status(response_to(storage_, payload));
  if (!payload.is_response_ok()) return;
  move_bytes(storage_, payload);
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
}

bool Scratchpad::get_direct_mem_ptr(tlm::tlm_generic_payload&, tlm::tlm_dmi& dmi) {
  dmi.set_read_latency(clock_.time(config_.read_latency_cycles));
  dmi.set_write_latency(clock_.time(1));
  return grant_direct_access(storage_, dmi);
}

unsigned Scratchpad::transport_dbg(tlm::tlm_generic_payload& payload) {
  return debug_access(storage_, payload);
}

}  // namespace quadrille::hw
