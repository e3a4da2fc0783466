// The attention mechanisms that a layer can have.
#pragma once

namespace quadrille::model {

enum class Mechanism { kSoftmax, kDamf, kSinkhorn, kLinear };
/// True when the mechanism is made of projected queries and keys (all but DAMF,
/// which has two vectors in their place).
constexpr bool has_queries(Mechanism mechanism) { return mechanism != Mechanism::kDamf; }

}  // namespace quadrille::model
