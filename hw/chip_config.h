// The description of a chip: parsed (ChipValues and where they come from) and
// resolved (ChipConfig: validated once, immutable, in cycles and bytes). app/
// reads chip files; modules see the resolved type and nothing else.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "hw/engines/cim/cim_operations.h"
#include "hw/engines/damf/damf_operations.h"
#include "hw/engines/linear/linear_operations.h"
#include "hw/engines/sinkhorn/sinkhorn_operations.h"
#include "hw/engines/softmax/softmax_operations.h"
#include "hw/engines/vector/vector_operations.h"
#include "hw/memory/dram_kind.h"

namespace quadrille::hw {

struct ScratchpadConfig {
  std::int64_t capacity_bytes = 4 << 20;
  int banks = 64;
  int word_bytes = 128;         ///< Width of a bank; consecutive words lie in consecutive banks.
  int read_latency_cycles = 2;  ///< From grant to data.
  int reader_fifo_words = 8;    ///< Per stream; a full stream needs read_latency_cycles + 1.
  int writer_fifo_words = 4;    ///< Per stream; a full stream needs 2.
};

/// The kind of DRAM that the chip's own keys describe.
inline constexpr const char* kPlainDram = "plain";

struct DramConfig {
  std::int64_t capacity_bytes = std::int64_t{1} << 30;  ///< Of all channels.
  std::string kind = kPlainDram;
  int channels = 1;                 ///< Consecutive bursts lie in consecutive channels.
  std::optional<DramKind> figures;  ///< Of a kind that is not plain; there with such a kind.

  // A channel. resolve() takes bytes and banks from the figures, where there are any;
  // the cycles are those of the kind `plain` alone (hw/memory/dram_device.h).
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

/// The values that a chip's keys set (hw/chip_keys.h). They may be changed and
/// nobody has checked them: resolve() makes a chip of them. The initial values
/// are the defaults of the keys, which are written nowhere else.
struct ChipValues {
  std::string name = "chip";
  double clock_hz = 500e6;
  Timing timing = Timing::kTile;
  std::string technology = "cmos28";
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
  std::string file;          ///< Where they were read from; empty: nowhere.
};

/// Where the value of a key was written: a file and the place in it, or an
/// option of the command line.
struct KeyOrigin {
  std::string source;  ///< "chips/mine.yaml", "--set cim.rows=128".
  std::string place;   ///< "line 4:9"; empty without lines.
};

/// A chip that is possible. Its fields cannot be changed one by one: with()
/// makes another chip, and checks it.
class ChipConfig {
 public:
  /// The default chip.
  ChipConfig();
  ChipConfig(const ChipConfig& other) : values_(other.values_) {}
  ChipConfig& operator=(const ChipConfig& other) {
    values_ = other.values_;
    return *this;
  }

 private:
  ChipValues values_;

 public:
  const std::string& name = values_.name;
  const double& clock_hz = values_.clock_hz;
  const Timing& timing = values_.timing;
  const std::string& technology = values_.technology;
  const CimConfig& cim = values_.cim;
  const SoftmaxConfig& softmax = values_.softmax;
  const DamfConfig& damf = values_.damf;
  const SinkhornConfig& sinkhorn = values_.sinkhorn;
  const LinearConfig& linear = values_.linear;
  const VectorConfig& vector = values_.vector;
  const ScratchpadConfig& scratchpad = values_.scratchpad;
  const DramConfig& dram = values_.dram;
  const DmaConfig& dma = values_.dma;
  const double& activity = values_.activity;
  const double& sram_factor = values_.sram_factor;
  const std::string& file = values_.file;

  /// What messages about it begin with.
  const std::string& source() const { return file.empty() ? name : file; }
  const ChipValues& values() const { return values_; }

  /// The chip after `change`. InputError if it is impossible; the message begins
  /// with source(), followed by `because` (" with enlarged").
  ChipConfig with(const std::function<void(ChipValues&)>& change,
                  const std::string& because = "") const;

 private:
  explicit ChipConfig(ChipValues values) : values_(std::move(values)) {}
  friend ChipConfig resolve(ChipValues values, const std::map<std::string, KeyOrigin>& origins,
                            const std::string& source);
};

/// The only way to a chip: checks every key's range, and what keys ask of each
/// other. InputError names the key as a chip file spells it, where it was written
/// (`origins`, by key; a key without one stands in `source`, by default what
/// ChipConfig::source() says), what was expected and what was found.
ChipConfig resolve(ChipValues values, const std::map<std::string, KeyOrigin>& origins = {},
                   const std::string& source = "");

}  // namespace quadrille::hw
