// A shared library with an engine's verilated RTL, loaded, and one model in it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <string>

#include "hw/engines/rtl/rtl_design.h"
#include "rtl/interface/quadrille_rtl.h"

namespace quadrille::hw {

/// The choice of the run's cycles that go to a waveform, and of its file.
struct RtlTrace {
  std::string file;  ///< FST; empty: nothing is written.
  std::int64_t first_cycle = 0;
  std::int64_t last_cycle = std::numeric_limits<std::int64_t>::max();
  std::function<std::int64_t()> now;  ///< The chip's cycle.
};

class RtlLibrary {
 public:
  /// Throws InputError naming `file` when it is no library of this interface, or was
  /// built for another `key`.
  RtlLibrary(const std::string& file, const std::string& key);
  ~RtlLibrary();
  RtlLibrary(const RtlLibrary&) = delete;
  RtlLibrary& operator=(const RtlLibrary&) = delete;

  const quadrille_rtl_library& functions() const { return *functions_; }
  const std::string& file() const { return file_; }

 private:
  std::string file_;
  void* handle_ = nullptr;
  const quadrille_rtl_library* functions_ = nullptr;
};

/// A pin of a model, of any width.
class RtlPin {
 public:
  RtlPin() = default;
  RtlPin(std::uint8_t* data, std::size_t bytes) : data_(data), bytes_(bytes) {}

  explicit operator bool() const { return data_ != nullptr; }
  /// The value of a pin of at most 64 bits.
  std::uint64_t value() const;
  bool high() const { return *data_ != 0; }
  /// Sets a pin of at most 64 bits.
  void set(std::uint64_t value);
  /// Bytes beyond the pin are dropped, beyond `count` zero.
  void from_bytes(const std::uint8_t* bytes, std::size_t count);
  void to_bytes(std::uint8_t* bytes, std::size_t count) const;

 private:
  std::uint8_t* data_ = nullptr;
  std::size_t bytes_ = 0;
};

/// One instance of an engine. With a trace it writes a waveform: cycle c is the time
/// from 2c to 2c + 2 of the file: at 2c the outputs take the values of cycle c, at
/// 2c + 1 the clock has fallen and the inputs show what is driven in c, at 2c + 2 the
/// edge that ends c has come. An engine that rests is not clocked and keeps its values.
class RtlModel {
 public:
  /// Throws InputError when the trace's file cannot be written, or the library has no
  /// waveforms.
  RtlModel(std::shared_ptr<const RtlLibrary> library, const RtlTrace* trace);
  ~RtlModel();
  RtlModel(const RtlModel&) = delete;
  RtlModel& operator=(const RtlModel&) = delete;

  /// InvariantError when the library has no such pin.
  RtlPin pin(const std::string& name) const;
  /// A pin that not every engine has: one that is false when this one has not.
  RtlPin optional_pin(const std::string& name) const;
  void evaluate() { library_->functions().evaluate(model_); }
  /// One rising and one falling edge; the pins of the cycle go to the waveform.
  void edge(RtlPin& clock);
  /// From now on edges are shown: the reset has ended.
  void end_reset() { shows_ = trace_ != nullptr; }

 private:
  void dump(std::int64_t half_cycles);

  std::shared_ptr<const RtlLibrary> library_;
  void* model_ = nullptr;
  std::map<std::string, RtlPin> pins_;
  std::vector<RtlPin> cycle_counters_;
  std::unique_ptr<RtlTrace> trace_;  ///< Null: no waveform.
  bool shows_ = false;
  std::int64_t last_time_ = -1;
};

}  // namespace quadrille::hw
