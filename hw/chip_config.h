// The resolved description of a chip: immutable, validated, in cycles and
// bytes. app/ parses chip files into it; modules see nothing else.
#pragma once

#include <cstdint>
#include <string>

#include "hw/engines/cim/cim_operations.h"
#include "hw/engines/damf/damf_operations.h"
#include "hw/engines/linear/linear_operations.h"
#include "hw/engines/sinkhorn/sinkhorn_operations.h"
#include "hw/engines/softmax/softmax_operations.h"
#include "hw/engines/vector/vector_operations.h"

namespace quadrille::hw {

struct ScratchpadConfig {
  std::int64_t capacity_bytes = 2 << 20;
  int banks = 16;
  int word_bytes = 128;         ///< Width of a bank; consecutive words lie in consecutive banks.
  int read_latency_cycles = 2;  ///< From grant to data.
  int reader_fifo_words = 8;    ///< Per stream; a full stream needs read_latency_cycles + 1.
  int writer_fifo_words = 4;    ///< Per stream; a full stream needs 2.
};

struct DramConfig {
  std::int64_t capacity_bytes = std::int64_t{1} << 30;
  int burst_bytes = 64;
  int burst_cycles = 3;  ///< Chip cycles per burst on the data bus.
  int row_bytes = 2048;
  int banks = 8;
  int row_hit_latency_cycles = 12;   ///< Column access to first data.
  int row_miss_latency_cycles = 24;  ///< Added: precharge and activate.
};

struct DmaConfig {
  int outstanding_bursts = 16;
};

enum class Timing { kTile, kBeat };

struct ChipConfig {
  std::string name;
  std::string file;  ///< Where it was read from; empty: nowhere.
  /// What messages about it begin with.
  const std::string& source() const { return file.empty() ? name : file; }
  double clock_hz = 500e6;
  Timing timing = Timing::kTile;
  CimConfig cim;
  SoftmaxConfig softmax;
  DamfConfig damf;
  SinkhornConfig sinkhorn;
  LinearConfig linear;
  VectorConfig vector;
  ScratchpadConfig scratchpad;
  DramConfig dram;
  DmaConfig dma;
  double activity = 0.5;     ///< Share of ones among the CIM's input bits, for energy.
  double sram_factor = 2.0;  ///< Real compiled SRAM over CACTI (technology table), 1..4.
  std::string technology = "cmos28";
};

/// Throws InputError naming the field when the chip is
/// impossible (zero rows, lanes that do not fit a word, a scratchpad smaller
/// than a tile, a beat wider than Beat::kBytes).
void validate(const ChipConfig& config, const std::string& file);

}  // namespace quadrille::hw
