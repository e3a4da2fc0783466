// Activations by table: how far a smooth activation f falls short of ReLU,
//   f(x) = max(x, 0) - s(|x|),  s(a) = -f(-a),
// which holds for every f(x) = x * gate(x) with gate(x) + gate(-x) = 1: GELU, its tanh
// form, and SiLU. s is 0 at both ends, so one short table over [0, 8) or [0, 16) serves
// inputs of any range, and their outliers cost it no precision.
#pragma once

#include <array>
#include <cstdint>

namespace quadrille::model {

/// kGelu: x/2 (1 + erf(x / sqrt(2))) (Hendrycks and Gimpel 2016, formula of section 2).
/// kGeluTanh: x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))), GPT-2's.
/// kRelu: max(x, 0). kSilu: x / (1 + e^-x), Llama's.
enum class ActivationKind { kGelu, kGeluTanh, kRelu, kSilu };

/// Level `float`.
double activation_float(ActivationKind kind, double x);

/// Fraction bits of the argument |x| and of s.
inline constexpr int kShortfallFractionBits = 16;
/// The table's parts are 256, equal.
inline constexpr int kShortfallIndexBits = 8;

/// s at the left end of a part, and its growth to the right end. Values have 15 bits,
/// steps 12 and a sign.
struct ShortfallEntry {
  std::int32_t value = 0;
  std::int32_t step = 0;
};
using ShortfallTable = std::array<ShortfallEntry, 1 << kShortfallIndexBits>;

/// The table ends at |x| = 2^bits: 3 for GELU (beyond, s < 2^-47), 4 for SiLU (s < 2^-19).
constexpr int shortfall_reach_bits(ActivationKind kind) {
  return kind == ActivationKind::kSilu ? 4 : 3;
}

/// value = round(s(a) * 2^16) at a = i * 2^(reach_bits - 8); joined without gaps (value +
/// step is the next value), 0 at the end. All zero for ReLU.
ShortfallTable make_shortfall_table(ActivationKind kind);

/// s(a / 2^16) in 16 fraction bits, a >= 0: 0 from the table's end on, else with b =
/// reach_bits + 8 and i = a >> b
///   value[i] + round_shift(step[i] * (a mod 2^b), b)
/// Error at most h^2/8 max|f''| + 2^-16 with h the width of a part: 1.2e-4 for GELU
/// (h = 1/32, |f''| <= 0.8), 2.6e-4 for SiLU (h = 1/16, |f''| <= 1/2).
std::int64_t shortfall_code(ActivationKind kind, std::int64_t a);

}  // namespace quadrille::model
