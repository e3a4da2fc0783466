// The operators of the vector unit on the user's tensors: LayerNorm, RMSNorm,
// activations, rotary positions, residual addition and the product of a gated MLP.
//
// Settings that all have: input_bits and output_bits, 8 or 16 (16); output_scale, the
// static scale of the output's codes (absmax of the level `float`).
#pragma once

#include "app/networks/operator_builder.h"

namespace quadrille::app {

Task layernorm_task(OperatorBuilder make, const OperatorOptions& options);
Task rmsnorm_task(OperatorBuilder make, const OperatorOptions& options);
Task activation_task(OperatorBuilder make, const OperatorOptions& options);
Task rotary_task(OperatorBuilder make, const OperatorOptions& options);
Task add_task(OperatorBuilder make, const OperatorOptions& options);
Task multiply_task(OperatorBuilder make, const OperatorOptions& options);

}  // namespace quadrille::app
