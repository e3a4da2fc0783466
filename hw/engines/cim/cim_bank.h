// The CIM bank: macros that hold weights and multiply by them. It has two
// ports with a command stream each, one writes and one computes.
// docs/engines/cim.md.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "hw/engines/activity.h"
#include "hw/engines/beat_engine.h"
#include "hw/engines/cim/cim_operations.h"
#include "hw/engines/cim/exact_product.h"
#include "hw/engines/rtl/rtl_library.h"
#include "hw/memory/bytes.h"

namespace quadrille::hw {

/// The bank's latencies in cycles; the documentation prints these numbers.
struct CimTiming {
  int write_latency = 1;  ///< Cycles from a granule on the write bus to the cells.
  int array_latency = 5;  ///< Last bit cycle to the first read of its sums: input bits, counts of
                          ///< ones, sum over the weight bits, shift-accumulate, output buffer.
  int output_buffers =
      4;                  ///< Tokens between their first bit cycle and the last read of their sums.
  int input_buffers = 2;  ///< One fills while the other is applied bit by bit.
  int transpose_buffers = 2;

  /// From the tree's sums to their results, two of each: product, shift, clamp.
  int epilogue_latency = 6;

  /// Cycles from a read of sums to the output beat: the buffer's register, an
  /// adder tree over all macros with a register every two levels, the output
  /// FIFO.
  int read_latency(const CimConfig& config) const;
  /// The same with the epilogue between tree and FIFO, where it works.
  int read_latency(const CimConfig& config, const CimEpilogue& epilogue) const {
    return read_latency(config) + (epilogue.works() ? epilogue_latency : 0);
  }
  /// Places in the output FIFO: what sustains one beat per cycle through the epilogue.
  int output_beats(const CimConfig& config) const {
    return read_latency(config) + epilogue_latency + 1;
  }
};
inline constexpr CimTiming kCimTiming;

class CimBank {
 public:
  /// Throws InvariantError when the shape is impossible.
  explicit CimBank(const CimConfig& config);
  ~CimBank();
  CimBank(const CimBank&) = delete;
  CimBank& operator=(const CimBank&) = delete;

  const CimConfig& config() const { return config_; }

  /// Cycles from the one that accepts the command to the one that shows
  /// command_ready again, when no stream stalls.
  std::int64_t alone_cycles(const CimWrite& operation) const;
  std::int64_t alone_cycles(const CimMultiply& operation) const;

  /// Everything that the operation alone determines; the same without data.
  Activity activity(const CimWrite& operation) const;
  Activity activity(const CimMultiply& operation) const;

  /// These keep what the macros hold and who uses them, with or without data. A
  /// command starts, executes if there are data, and finishes; one per port.
  /// Throws InvariantError with names and numbers when a multiply finds other
  /// weights than it names, or when a write meets macros in use.
  void start(const CimWrite& operation);
  void finish(const CimWrite& operation);
  void start(const CimMultiply& operation);
  void finish(const CimMultiply& operation);

  /// The data of a command that has started, in one go. `values` counts what the epilogue
  /// clamps.
  void execute(const CimWrite& operation, Bytes scratchpad, Activity& values);
  void execute(const CimMultiply& operation, Bytes scratchpad, Activity& values);

  /// The cells, for the bodies that are timed cycle by cycle: signed weights,
  /// macro by macro, row by row.
  std::int8_t* cell_row(int macro, int row);

 private:
  struct Matrix;

  void check_region(const CimRegion& region, int k, int n) const;
  void finish_sums(const CimMultiply& operation, Bytes scratchpad, Activity& values);
  void check_holds(const CimRegion& region, int k, int n, int weight_bits) const;

  CimConfig config_;
  std::vector<std::shared_ptr<Matrix>> macros_;  ///< The matrix of which each macro holds a tile.
  std::shared_ptr<Matrix> written_;              ///< The matrix of the command on the write port.
  std::shared_ptr<Matrix> used_;                 ///< The matrix of the command on the compute port.
  std::vector<std::int8_t> spare_;               ///< A buffer to write the next matrix into.
  std::vector<std::int8_t> cells_;
  std::vector<std::uint8_t> sums_;  ///< Of a command on their way through the epilogue.
};

/// The bodies that are timed cycle by cycle, one per port. They keep their
/// weights in the bank's cells and call start() and finish() themselves.
std::unique_ptr<BeatEngine<CimWrite>> make_cim_write_beat_body(CimBank& bank);
/// `values`, unless null, gets what the epilogue clamps.
std::unique_ptr<BeatEngine<CimMultiply>> make_cim_multiply_beat_body(CimBank& bank,
                                                                     Activity* values = nullptr);

/// The bodies of both ports of one bank.
struct CimBodies {
  std::unique_ptr<BeatEngine<CimWrite>> write;
  std::unique_ptr<BeatEngine<CimMultiply>> multiply;
};

/// What of the RTL is to be built for `config`, and the bodies around a library of it,
/// with cells of their own: the bank keeps the books only (start() and finish()). With a
/// waveform when `trace` is not null.
RtlDesign cim_rtl_design(const CimConfig& config);
CimBodies make_cim_rtl_bodies(CimBank& bank, std::shared_ptr<const RtlLibrary> library,
                              const RtlTrace* trace = nullptr);

/// The value that `bits` cells or input planes hold of a code's byte.
constexpr int low_bits(std::uint8_t code, int bits, bool is_signed) {
  const int value = code & ((1 << bits) - 1);
  return is_signed && (value >> (bits - 1)) != 0 ? value - (1 << bits) : value;
}

}  // namespace quadrille::hw
