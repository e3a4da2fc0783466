// The packed command of rtl/softmax: fields in the order of
// docs/engines/softmax.md.
#pragma once

#include "hw/engines/rtl/command_bits.h"
#include "hw/engines/softmax/softmax_operations.h"

namespace quadrille::hw {

inline CommandBits pack_softmax_operation(const SoftmaxRows& operation) {
  CommandBits bits;
  bits.put(static_cast<std::uint64_t>(operation.queries), 17);
  bits.put(static_cast<std::uint64_t>(operation.keys), 17);
  bits.put(operation.causal ? 1 : 0, 1);
  bits.put(static_cast<std::uint64_t>(operation.causal ? operation.first_query : 0), 17);
  bits.put(operation.factor.mantissa, 16);
  bits.put(static_cast<std::uint64_t>(operation.factor.shift), 6);
  return bits;
}

}  // namespace quadrille::hw
