// The packed command of rtl/linear: fields in the order of docs/engines/linear.md.
#pragma once

#include "hw/engines/linear/linear_operations.h"
#include "hw/engines/rtl/command_bits.h"

namespace quadrille::hw {

inline CommandBits pack_linear_command(const LinearAttend& op) {
  CommandBits bits;
  const auto put = [&bits](int value, int width) {
    bits.put(static_cast<std::uint64_t>(value), width);
  };
  put(op.kind == LinearKind::kDamf ? 1 : 0, 1);
  put(op.reset ? 1 : 0, 1);
  put(op.causal ? 1 : 0, 1);
  put(op.sums_wanted ? 1 : 0, 1);
  put(static_cast<int>(op.maximum), 2);
  put(op.horizon + 1, 6);
  put(op.width, 8);
  put(op.value_width, 7);
  put(op.key_tokens, 21);
  put(op.query_tokens, 31);
  put(op.total_keys, 21);
  return bits;
}

}  // namespace quadrille::hw
