// The packed command of rtl/damf: fields in the order of docs/engines/damf.md.
#pragma once

#include <variant>

#include "hw/engines/damf/damf_operations.h"
#include "hw/engines/rtl/command_bits.h"

namespace quadrille::hw {

inline void put_damf_shape(CommandBits& bits, int tokens, int width) {
  bits.put(static_cast<std::uint64_t>(tokens), 16);
  bits.put(static_cast<std::uint64_t>(width), 16);
}

inline CommandBits pack_damf_command(const DamfProject& op) {
  CommandBits bits;
  bits.skip(1 + 2 + 2 + 1 + 1 + 5 + 1);
  put_damf_shape(bits, op.tokens, op.width);
  bits.skip(41 + 41);
  for (const model::Multiplier& multiplier : {op.s_multiplier, op.t_multiplier}) {
    bits.put(multiplier.mantissa, 16);
    bits.put(static_cast<std::uint64_t>(multiplier.shift), 6);
  }
  return bits;
}

inline CommandBits pack_damf_command(const DamfAttend& op) {
  const model::DamfSettings& settings = op.settings;
  CommandBits bits;
  bits.put(1, 1);
  bits.put(static_cast<std::uint64_t>(settings.mode), 2);
  bits.put(static_cast<std::uint64_t>(settings.maximum), 2);
  bits.put(static_cast<std::uint64_t>(settings.negative), 1);
  bits.put(static_cast<std::uint64_t>(settings.shift_order), 1);
  bits.put(static_cast<std::uint64_t>(settings.guard_bits), 5);
  bits.put(settings.causal ? 1 : 0, 1);
  put_damf_shape(bits, op.tokens, op.width);
  bits.put(op.rule.threshold_low, 41);
  bits.put(op.rule.threshold_high, 41);
  return bits;
}

inline CommandBits pack_damf_operation(const DamfOperation& operation) {
  return std::visit([](const auto& op) { return pack_damf_command(op); }, operation);
}

}  // namespace quadrille::hw
