// What the sequencer runs: commands with dependencies, one queue per unit.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

#include "hw/engines/cim/cim_operations.h"
#include "hw/engines/damf/damf_operations.h"
#include "hw/engines/linear/linear_operations.h"
#include "hw/engines/sinkhorn/sinkhorn_operations.h"
#include "hw/engines/softmax/softmax_operations.h"
#include "hw/engines/vector/vector_operations.h"
#include "hw/memory/dma_operations.h"
#include "hw/sequencer/unit.h"
#include "model/errors.h"

namespace quadrille::hw {

/// A packed command of an engine that is not among the house's own. Only that
/// engine knows what the words mean. No pointers: programs are copied like numbers.
struct ForeignOperation {
  Unit unit = Unit::kDma;
  std::array<std::uint64_t, 8> words{};
};

using Operation =
    std::variant<DmaCopy, CimWrite, CimMultiply, SoftmaxRows, DamfProject, DamfAttend,
                 VectorRequantise, SinkhornScale, SinkhornApply, LinearAttend, ForeignOperation>;

Unit unit_of(const Operation& operation);
inline Unit unit_of(const ForeignOperation& operation) { return operation.unit; }
template <typename Op, Unit unit = Op::kUnit>
constexpr Unit unit_of(const Op&) {
  return unit;
}

/// The operation as its engine takes it: an alternative of Operation, or a variant
/// of some. InvariantError when it is neither.
template <typename Op>
Op operation_as(const Operation& operation) {
  const auto take = [](const auto& each) -> Op {
    if constexpr (std::is_convertible_v<decltype(each), Op>) return each;
    throw InvariantError("a unit was given a command of another kind");
  };
  return std::visit(take, operation);
}

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
