// Element by element: the residual's addition, the product of a gated MLP, and the
// activations.
#pragma once

#include <cstdint>
#include <vector>

#include "model/numerics/activation_table.h"
#include "model/numerics/quantise.h"
#include "model/vector/vector_result.h"

namespace quadrille::model {

/// x + y from two scales to one: (x * x_mantissa + y * y_mantissa) * 2^-shift, rounded
/// once. The larger mantissa lies in [2^15, 2^16); the smaller has as many fraction
/// bits, and may be 0.
struct AddFactors {
  std::uint32_t x_mantissa = 1;
  std::uint32_t y_mantissa = 1;
  int shift = 0;
};

/// `larger` is the multiplier of the larger of the two factors, both above zero.
AddFactors make_add_factors(double x_factor, double y_factor, const Multiplier& larger);

/// Level `fixed`: saturate(round_shift(x * x_mantissa + y * y_mantissa, shift)).
VectorFixedResult add_fixed(const std::vector<std::int32_t>& x_q,
                            const std::vector<std::int32_t>& y_q, const AddFactors& factors,
                            int out_bits);

/// Level `fixed`: saturate(round_shift(x * y * mantissa, shift)).
VectorFixedResult multiply_fixed(const std::vector<std::int32_t>& x_q,
                                 const std::vector<std::int32_t>& y_q, const Multiplier& factor,
                                 int out_bits);

/// An activation in integers. ReLU needs `out` alone, from codes of x to those of y; the
/// others take x to `fraction_bits` fraction bits by `in`, and from there to y by `out`.
struct ActivationInteger {
  int fraction_bits = kShortfallFractionBits;
  Multiplier in;
  Multiplier out;
};

/// The most fraction bits, at most 16, for which one code of x is at most 2^14: 16-bit codes
/// then stay at or below 2^29, and a table's argument keeps all 16 up to |x| = 2^13.
int activation_fraction_bits(double x_scale);

/// Level `fixed`, with F fraction bits:
///   ReLU:   saturate(round_shift(max(x, 0) * out))
///   others: t = round_shift(x * in); s = shortfall_code(|t| * 2^(16 - F)) in F fraction
///           bits, 0 beyond the table; saturate(round_shift((max(t, 0) - s) * out))
VectorFixedResult activation_fixed(ActivationKind kind, const std::vector<std::int32_t>& x_q,
                                   const ActivationInteger& form, int out_bits);

}  // namespace quadrille::model
