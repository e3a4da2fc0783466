// Units of the chip: who executes commands.
#pragma once

namespace quadrille::hw {

/// Units that execute commands, each in program order of its own queue. Their
/// order is that of the scratchpad's ports, so cycles depend on it. The CIM bank
/// has two: its write port and its compute port. Units of engines that a chip gets
/// beside its own (ChipOptions::engines) are numbered from kUnits on.
enum class Unit { kDma, kCimWrite, kCimCompute, kSoftmax, kDamf, kVector, kSinkhorn, kLinear };
inline constexpr int kUnits = 8;

}  // namespace quadrille::hw
