// Sizes of the Sinkhorn unit that its tests run.
#pragma once

#include "hw/engines/sinkhorn/sinkhorn_operations.h"

namespace quadrille::testbench {

/// The chip `small`'s.
constexpr hw::SinkhornConfig kSmallSinkhorn{4, 1024, 512, 2, 2, true};
constexpr hw::SinkhornConfig kMiddleSinkhorn{6, 450, 100, 3, 3, false};
/// The chip `default`'s.
constexpr hw::SinkhornConfig kDefaultSinkhorn{};

}  // namespace quadrille::testbench
