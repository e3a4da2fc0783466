// SinkhornApply packed as rtl/sinkhorn takes it: fields in the order of
// docs/engines/sinkhorn.md.
#pragma once

#include "hw/engines/rtl_body.h"
#include "hw/engines/sinkhorn/sinkhorn_operations.h"

namespace quadrille::hw {

/// The first 55 bits of a packed command, which both commands share.
struct SinkhornCommandHead {
  bool apply = false;
  int element_bytes = 2;
  bool causal = false;
  bool kernel_wanted = false;
  int logit_fraction_bits = model::kLeastLogitFractionBits;
  model::Multiplier factor;
  int rows = 0;
  int columns = 0;
};

inline void put_sinkhorn_head(CommandBits& bits, const SinkhornCommandHead& head) {
  const auto put = [&bits](int value, int width) {
    bits.put(static_cast<std::uint64_t>(value), width);
  };
  put(head.apply ? 1 : 0, 1);
  put(head.element_bytes == 4 ? 1 : 0, 1);
  put(head.causal ? 1 : 0, 1);
  put(head.kernel_wanted ? 1 : 0, 1);
  put(head.logit_fraction_bits - model::kLeastLogitFractionBits, 3);
  bits.put(head.factor.mantissa, 16);
  put(head.factor.shift, 6);
  put(head.rows, 13);
  put(head.columns, 13);
}

inline CommandBits pack_sinkhorn_command(const SinkhornApply& op) {
  CommandBits bits;
  put_sinkhorn_head(bits, {true, op.element_bytes, op.causal, op.kernel_wanted,
                           op.logit_fraction_bits, op.factor, op.rows, op.columns});
  bits.put(op.from == SinkhornSource::kKernel ? 1 : 0, 1);
  bits.put(static_cast<std::uint64_t>(op.value_bytes / 2), 2);
  bits.put(static_cast<std::uint64_t>(op.value_width), 21);
  bits.put(static_cast<std::uint64_t>(op.first_row), 30);
  return bits;
}

}  // namespace quadrille::hw
