// Lowers a graph of operators to a program of commands for one chip.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "hw/chip_config.h"
#include "hw/memory/bytes.h"
#include "hw/sequencer/program.h"
#include "model/graph/graph.h"

namespace quadrille::hw {

/// A rectangle of a tensor whose rows lie pitch_bytes apart in the DRAM.
struct DramPiece {
  std::uint64_t address = 0;
  std::int64_t pitch_bytes = 0;
  std::int64_t first_row = 0;
  std::int64_t rows = 0;
  std::int64_t first_column = 0;
  std::int64_t columns = 0;
};

/// A tensor in the DRAM, elements of 1, 2, 4 or 8 bytes, little endian. Weights
/// lie in the order in which their strips are fetched, so in several pieces.
struct DramTensor {
  std::string name;
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  int element_bytes = 1;
  model::Role role = model::Role::kInput;
  std::vector<DramPiece> pieces;

  std::int64_t bytes() const { return rows * columns * element_bytes; }
};

/// Copies a tensor's packed row-major bytes to, and from, where it lies.
/// InvariantError when `bytes` is not the tensor's size.
void write_tensor(const Bytes& dram, const DramTensor& tensor,
                  const std::vector<std::uint8_t>& bytes);
std::vector<std::uint8_t> read_tensor(const Bytes& dram, const DramTensor& tensor);

struct Mapping {
  Program program;
  /// Inputs and weights to be filled before the run, outputs to be read after it
  /// (Role::kOutput), and values that the plan spills (Role::kValue).
  std::vector<DramTensor> tensors;
  /// What the planner chose, one line each, for the report.
  std::vector<std::string> choices;
  std::int64_t scratchpad_bytes = 0;  ///< High-water mark of the allocation.
  std::int64_t estimated_cycles = 0;  ///< By the planner's closed forms.
  const DramTensor& tensor(const std::string& name) const;
};

/// Whether an engine does every operator of the graph. lower() refuses others, which exist at
/// the levels `float` and `fixed` only, or at `float` only.
bool has_engines(const model::Graph& graph);

/// Plans and emits the program of `graph`. Throws InputError (file =
/// config.source()) when it does not fit the chip, naming the node, the tensor,
/// the bytes or macros needed and there, and the smallest change that would do.
Mapping lower(const ChipConfig& config, const model::IntegerGraph& graph);

/// Plans with every tensor spilled that can be and the least blocks: what a graph
/// needs at least. For tests.
Mapping lower_least(const ChipConfig& config, const model::IntegerGraph& graph);

}  // namespace quadrille::hw
