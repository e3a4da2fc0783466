#include "model/numerics/activation_table.h"

#include <algorithm>
#include <cmath>

#include "model/errors.h"
#include "model/numerics/rounding.h"

namespace quadrille::model {
namespace {

const ShortfallTable& table_of(ActivationKind kind) {
  static const ShortfallTable gelu = make_shortfall_table(ActivationKind::kGelu);
  static const ShortfallTable gelu_tanh = make_shortfall_table(ActivationKind::kGeluTanh);
  static const ShortfallTable relu = make_shortfall_table(ActivationKind::kRelu);
  static const ShortfallTable silu = make_shortfall_table(ActivationKind::kSilu);
  switch (kind) {
    case ActivationKind::kGelu:
      return gelu;
    case ActivationKind::kGeluTanh:
      return gelu_tanh;
    case ActivationKind::kRelu:
      return relu;
    case ActivationKind::kSilu:
      return silu;
  }
  throw InvariantError("activation kind " + std::to_string(static_cast<int>(kind)));
}

}  // namespace

double activation_float(ActivationKind kind, double x) {
  constexpr double kRootHalf = 0.70710678118654752440;
  constexpr double kRootTwoOverPi = 0.79788456080286535588;
  switch (kind) {
    case ActivationKind::kGelu:
      return 0.5 * x * std::erfc(-x * kRootHalf);
    case ActivationKind::kGeluTanh:
      return 0.5 * x * (1.0 + std::tanh(kRootTwoOverPi * (x + 0.044715 * x * x * x)));
    case ActivationKind::kRelu:
      return std::max(x, 0.0);
    case ActivationKind::kSilu:
      return x / (1.0 + std::exp(-x));
  }
  throw InvariantError("activation kind " + std::to_string(static_cast<int>(kind)));
}

ShortfallTable make_shortfall_table(ActivationKind kind) {
  ShortfallTable table{};
  const auto value_at = [&](std::size_t i) {
    const double a =
        std::ldexp(static_cast<double>(i), shortfall_reach_bits(kind) - kShortfallIndexBits);
    const double shortfall = -activation_float(kind, -a);
    return static_cast<std::int32_t>(std::nearbyint(std::ldexp(shortfall, kShortfallFractionBits)));
  };
  for (std::size_t i = 0; i < table.size(); ++i)
    table[i] = {value_at(i), value_at(i + 1) - value_at(i)};
  return table;
}

std::int64_t shortfall_code(ActivationKind kind, std::int64_t a) {
  const int reach = shortfall_reach_bits(kind);
  if (a >> (kShortfallFractionBits + reach) != 0) return 0;
  const int offset_bits = kShortfallFractionBits + reach - kShortfallIndexBits;
  const ShortfallEntry& entry = table_of(kind)[static_cast<std::size_t>(a >> offset_bits)];
  const std::int64_t offset = a & ((std::int64_t{1} << offset_bits) - 1);
  return entry.value + round_shift(entry.step * offset, offset_bits);
}

}  // namespace quadrille::model
