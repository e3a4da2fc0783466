// Command of the DMA: a strided copy between DRAM and the scratchpad.
#pragma once

#include <cstdint>

#include "hw/sequencer/unit.h"

namespace quadrille::hw {

/// rows rows of row_bytes bytes between the two memories.
struct DmaCopy {
  static constexpr Unit kUnit = Unit::kDma;
  bool to_scratchpad = true;
  std::uint64_t dram_address = 0;
  std::int64_t dram_pitch_bytes = 0;
  std::uint64_t scratchpad_address = 0;
  std::int64_t scratchpad_pitch_bytes = 0;
  std::int64_t rows = 0;
  std::int64_t row_bytes = 0;
};

}  // namespace quadrille::hw
