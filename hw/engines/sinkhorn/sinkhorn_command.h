// The packed commands of rtl/sinkhorn: fields in the order of
// docs/engines/sinkhorn.md.
#pragma once

#include <algorithm>

#include "hw/engines/rtl/command_bits.h"
#include "hw/engines/sinkhorn/sinkhorn_layout.h"

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

/// Says where a beat of a matrix's elements must end: 0 with its row, 1 with the
/// matrix, 2 with the block.
inline int sinkhorn_run_code(const SinkhornScale& op, const SinkhornCut& cut) {
  if (cut.run == op.columns) return 0;
  return cut.run == std::int64_t{op.rows} * op.columns ? 1 : 2;
}

inline CommandBits pack_sinkhorn_command(const SinkhornConfig& config, const SinkhornScale& op) {
  const int block = sinkhorn_block_matrices(config, op.rows, op.columns, op.form);
  const bool resident = sinkhorn_resident(config, op.rows, op.columns, op.form);
  const int matrices = std::min(block, op.batch);
  const SinkhornCut chunk{op.columns, config.lanes};
  const SinkhornCut elements = resident ? sinkhorn_element_cut(config, op, matrices) : chunk;
  const SinkhornCut kernel = sinkhorn_kernel_cut(config, op, matrices);
  CommandBits bits;
  const auto put = [&bits](std::int64_t value, int width) {
    bits.put(static_cast<std::uint64_t>(value), width);
  };
  put_sinkhorn_head(bits, {false, op.element_bytes, op.causal, op.kernel_wanted,
                           op.logit_fraction_bits, op.factor, op.rows, op.columns});
  put(resident ? 1 : 0, 1);
  put(op.batch, 20);
  put(matrices, 13);
  put(elements.beat, 7);
  put(kernel.beat, 7);
  put(sinkhorn_word_cut(config, op, op.rows).beat, 7);
  put(sinkhorn_word_cut(config, op, op.columns).beat, 7);
  put(sinkhorn_word_cut(config, op, 1).beat, 7);
  put(sinkhorn_run_code(op, elements), 2);
  put(sinkhorn_run_code(op, kernel), 2);
  put(op.warm ? 1 : 0, 1);
  put(static_cast<int>(op.form), 2);
  put(op.update == model::SinkhornUpdate::kDamped ? 1 : 0, 1);
  put(op.half_steps, 20);
  put(op.stop ? 1 : 0, 1);
  put(op.tolerance_code, 31);
  put(op.verify ? 1 : 0, 1);
  bits.put_signed(op.column_target, 21);
  put(op.column_target_inverse.mantissa, 16);
  put(op.column_target_inverse.shift, 6);
  return bits;
}

}  // namespace quadrille::hw
