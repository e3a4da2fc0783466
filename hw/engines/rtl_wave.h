// A waveform of one engine's RTL in a chip: what is wanted, and the writer that
// an adapter calls around each clock edge. Of no use to other files' compilation:
// Verilator's classes are only named here.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <string>

class VerilatedFstC;

namespace quadrille::hw {

/// The choice of the run's cycles that go to a file, and of the file.
struct RtlTrace {
  std::string file;  ///< FST; empty: nothing is written.
  std::int64_t first_cycle = 0;
  std::int64_t last_cycle = std::numeric_limits<std::int64_t>::max();
  std::function<std::int64_t()> now;  ///< The chip's cycle.
};

/// Cycle c is the time from 2c to 2c + 2 of the file: at 2c the outputs take the
/// values of cycle c, at 2c + 1 the clock has fallen and the inputs show what is
/// driven in c, at 2c + 2 the edge that ends c has come. An engine that rests is
/// not clocked and keeps its values.
///
///   RtlWave wave(trace);
///   context.traceEverOn(true);
///   model.trace(wave.fst(), RtlWave::kLevels);
///   wave.open();
///   ... after the reset, in every tick:
///   wave.before_edge() after the inputs were driven and evaluated, clock low;
///   wave.after_edge() after the rising edge was evaluated.
class RtlWave {
 public:
  static constexpr int kLevels = 99;  ///< More levels than the hierarchy has: all are written.

  explicit RtlWave(RtlTrace trace);
  ~RtlWave();
  RtlWave(const RtlWave&) = delete;
  RtlWave& operator=(const RtlWave&) = delete;

  VerilatedFstC* fst() { return fst_.get(); }
  /// Throws InputError when the file cannot be written.
  void open();
  void before_edge() { dump(1); }
  void after_edge() { dump(2); }

 private:
  void dump(std::int64_t half_cycles);

  RtlTrace trace_;
  std::int64_t last_time_ = -1;
  std::unique_ptr<VerilatedFstC> fst_;
};

}  // namespace quadrille::hw
