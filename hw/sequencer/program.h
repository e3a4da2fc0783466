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

/// Why a command exists; the rows of the per-layer report.
enum class Phase {
  kLoadWeights,  ///< Static matrices into CIM, constants into the scratchpad.
  kLoadInput,
  kProjection,      ///< Static products X W.
  kScoreInner,      ///< DAMF's X.u and X.v.
  kWriteDynamic,    ///< K and V written into CIM.
  kScores,          ///< Q K^T.
  kNormalise,       ///< Softmax rows, Sinkhorn scalings.
  kWeightedValues,  ///< A' V, DAMF's attend, Sinkhorn's apply, linear attention.
  kRequantise,
  kOutputProjection,
  kStoreOutput,
};
const char* phase_name(Phase phase);
const char* unit_name(Unit unit);

struct Command {
  Operation operation;
  /// Indices of earlier commands that must have ended. Always < own index.
  std::vector<int> depends_on;
  int layer = 0;  ///< Index into Program::layers.
  Phase phase = Phase::kProjection;
  int head = -1;
};

/// MACs that a program must count, from the workload's closed form.
struct ExpectedWork {
  std::int64_t macs_static = 0;
  std::int64_t macs_dynamic = 0;
};

struct Program {
  std::vector<Command> commands;
  std::vector<std::string> layers;
};

}  // namespace quadrille::hw
