// The bytes of a run by the tensor that they carry: what each tensor costs at every
// level of the memory.
#pragma once

#include <string>
#include <vector>

#include "hw/chip_result.h"
#include "hw/mapper/mapping.h"

namespace quadrille::hw {

struct TensorTraffic {
  std::string name;        ///< Of a tensor in the DRAM, or of a node.
  std::string role;        ///< "input", "weight", "state", "output", "spilled"; "node".
  std::int64_t bytes = 0;  ///< The tensor's size; 0 for a node.
  Traffic traffic;
};

/// One row for each tensor that lies in the DRAM: its copies, and what commands read of
/// it while it lies in the scratchpad as it came. One row for each node: what else its
/// commands read and write, which are values that were made on the chip. The rows sum to
/// the run's traffic. Rows without any bytes are left out.
std::vector<TensorTraffic> tensor_traffic(const Mapping& mapping,
                                          const std::vector<CommandRecord>& records);

}  // namespace quadrille::hw
