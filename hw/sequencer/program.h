// What the sequencer runs: commands with dependencies, one queue per unit.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "hw/engines/cim/cim_operations.h"
#include "hw/engines/damf/damf_operations.h"
#include "hw/engines/linear/linear_operations.h"
#include "hw/engines/sinkhorn/sinkhorn_operations.h"
#include "hw/engines/softmax/softmax_operations.h"
#include "hw/engines/vector/vector_operations.h"
#include "hw/memory/dma_operations.h"

namespace quadrille::hw {

/// Units that execute commands, each in program order of its own queue. The
/// CIM bank has two: its write port and its compute port.
enum class Unit { kDma, kCimWrite, kCimCompute, kSoftmax, kDamf, kVector, kSinkhorn, kLinear };
inline constexpr int kUnits = 8;

using Operation = std::variant<DmaCopy, CimWrite, CimMultiply, SoftmaxRows, DamfProject, DamfAttend,
                               VectorRequantise, SinkhornScale, SinkhornApply, LinearAttend>;

Unit unit_of(const Operation& operation);
constexpr Unit unit_of(const DmaCopy&) { return Unit::kDma; }
constexpr Unit unit_of(const CimWrite&) { return Unit::kCimWrite; }
constexpr Unit unit_of(const CimMultiply&) { return Unit::kCimCompute; }
constexpr Unit unit_of(const SoftmaxRows&) { return Unit::kSoftmax; }
constexpr Unit unit_of(const DamfProject&) { return Unit::kDamf; }
constexpr Unit unit_of(const DamfAttend&) { return Unit::kDamf; }
constexpr Unit unit_of(const VectorRequantise&) { return Unit::kVector; }
constexpr Unit unit_of(const SinkhornScale&) { return Unit::kSinkhorn; }
constexpr Unit unit_of(const SinkhornApply&) { return Unit::kSinkhorn; }
constexpr Unit unit_of(const LinearAttend&) { return Unit::kLinear; }

const char* unit_name(Unit unit);

struct Command {
  Operation operation;
  /// Indices of earlier commands that must have ended. Always < own index.
  std::vector<int> depends_on;
  int node = 0;           ///< Index into Program::nodes.
  const char* step = "";  ///< What it does for its node, a literal: "scores", "load", ...
  int head = -1;          ///< The instance of an attention; -1: of none.
};

/// MACs that a program must count, from the workload's closed form.
struct ExpectedWork {
  std::int64_t macs_static = 0;
  std::int64_t macs_dynamic = 0;
};

/// A node of the graph that a program was lowered from.
struct ProgramNode {
  std::string name;
  std::string layer;
};

struct Program {
  std::vector<Command> commands;
  std::vector<ProgramNode> nodes;
};

}  // namespace quadrille::hw
