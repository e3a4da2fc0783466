// The part of a TLM-2.0 target that every memory has alike; a memory adds what
// an access costs.
#pragma once

#include <tlm>

#include "hw/memory/sparse_bytes.h"

namespace quadrille::hw {

/// TLM_OK_RESPONSE for a payload that a memory serves: inside its storage, without
/// byte enables, no shorter streaming width. Else the response that says why not.
tlm::tlm_response_status response_to(const SparseBytes& storage,
                                     const tlm::tlm_generic_payload& payload);

/// Copies the payload's bytes from or to the storage, where both have bytes.
void move_bytes(const SparseBytes& storage, tlm::tlm_generic_payload& payload);

/// Grants direct access to the whole storage; false without storage.
bool grant_direct_access(const SparseBytes& storage, tlm::tlm_dmi& dmi);

/// transport_dbg: the number of bytes moved.
unsigned debug_access(const SparseBytes& storage, tlm::tlm_generic_payload& payload);

}  // namespace quadrille::hw
