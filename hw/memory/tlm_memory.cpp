#include "hw/memory/tlm_memory.h"

#include <cstring>

namespace quadrille::hw {

tlm::tlm_response_status response_to(const SparseBytes& storage,
                                     const tlm::tlm_generic_payload& payload) {
  const unsigned length = payload.get_data_length();
  if (!storage.holds(payload.get_address(), length)) return tlm::TLM_ADDRESS_ERROR_RESPONSE;
  if (payload.get_byte_enable_ptr() != nullptr || payload.get_streaming_width() < length)
    return tlm::TLM_GENERIC_ERROR_RESPONSE;
  return tlm::TLM_OK_RESPONSE;
}

void move_bytes(const SparseBytes& storage, tlm::tlm_generic_payload& payload) {
  if (!storage.backed() || payload.get_data_ptr() == nullptr) return;
  const unsigned length = payload.get_data_length();
  std::uint8_t* here = storage.bytes().at(payload.get_address(), length);
  if (payload.is_read()) {
    std::memcpy(payload.get_data_ptr(), here, length);
  } else if (payload.is_write()) {
    std::memcpy(here, payload.get_data_ptr(), length);
  }
}

bool grant_direct_access(const SparseBytes& storage, tlm::tlm_dmi& dmi) {
  if (!storage.backed()) return false;
  dmi.set_dmi_ptr(storage.bytes().at(0, storage.size()));
  dmi.set_start_address(0);
  dmi.set_end_address(storage.size() - 1);
  dmi.allow_read_write();
  return true;
}

unsigned debug_access(const SparseBytes& storage, tlm::tlm_generic_payload& payload) {
  if (!storage.backed() || !storage.holds(payload.get_address(), payload.get_data_length()))
    return 0;
  move_bytes(storage, payload);
  return payload.get_data_length();
}

}  // namespace quadrille::hw
