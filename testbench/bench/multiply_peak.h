// What this processor could multiply: the roof over our exact int8 kernel.
#pragma once

namespace quadrille::bench {

/// Multiply-accumulates per second of the exact kernel's own instruction (16-bit
/// multiply-adds of pairs into 32 bits) in the widest vectors here, from registers alone,
/// the best of several loops.
double multiply_peak_macs_per_s();

}  // namespace quadrille::bench
