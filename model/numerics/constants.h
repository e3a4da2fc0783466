// Constants of the base change between natural and base-2 exponentials.
#pragma once

namespace quadrille::model {

/// log2(e): octaves per nat.
inline constexpr double kLog2E = 1.44269504088896340736;

}  // namespace quadrille::model
