// One accepted command in the beat body of the Sinkhorn unit.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "hw/engines/beat_engine.h"
#include "hw/engines/sinkhorn/sinkhorn_engine.h"

namespace quadrille::hw {

/// A command in progress. Cycles count from the body's reset; every query is of
/// registered state.
class SinkhornCommandBody {
 public:
  virtual ~SinkhornCommandBody() = default;
  /// Cycles from a slot's issue to its beat at the output.
  virtual int latency() const = 0;
  virtual bool input_ready(std::int64_t cycle) const = 0;
  /// A beat of the present state may fill a slot, so it needs a credit.
  virtual bool input_needs_credit() const { return false; }
  virtual bool repeat_input(std::int64_t) const { return false; }
  /// A slot waits for its credit.
  virtual bool slot_ready(std::int64_t cycle) const = 0;
  /// Takes a beat; perhaps it fills a slot.
  virtual std::optional<Beat> take(const Beat& beat, std::int64_t cycle) = 0;
  virtual Beat issue(std::int64_t cycle) = 0;
  /// All slots were issued.
  virtual bool finished() const = 0;
  virtual CommandCourse course() const = 0;
  virtual std::int64_t saturated() const = 0;
};

std::unique_ptr<SinkhornCommandBody> make_resident_body(const SinkhornConfig& config,
                                                        const SinkhornScale& operation,
                                                        std::int64_t cycle);
std::unique_ptr<SinkhornCommandBody> make_streamed_body(const SinkhornConfig& config,
                                                        const SinkhornScale& operation,
                                                        std::int64_t cycle);
std::unique_ptr<SinkhornCommandBody> make_apply_body(const SinkhornConfig& config,
                                                     const SinkhornApply& operation);

/// Little-endian words of a beat.
inline std::int32_t beat_word(const Beat& beat, int k, int bytes) {
  std::uint32_t word = 0;
  for (int b = 0; b < bytes; ++b)
    word |= static_cast<std::uint32_t>(
                beat.bytes[static_cast<std::size_t>(std::int64_t{bytes} * k + b)])
            << (8 * b);
  const int spare = 32 - 8 * bytes;
  return static_cast<std::int32_t>(word << spare) >> spare;
}
inline void append_word(Beat& beat, std::int32_t value) {
  const auto word = static_cast<std::uint32_t>(value);
  for (int b = 0; b < 4; ++b)
    beat.bytes[static_cast<std::size_t>(beat.size++)] = static_cast<std::uint8_t>(word >> (8 * b));
}

}  // namespace quadrille::hw
