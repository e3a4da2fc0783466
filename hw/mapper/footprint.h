// What a command touches: intervals of the scratchpad and macros of the CIM bank,
// taken from its own fields.
#pragma once

#include <cstdint>

#include "hw/sequencer/program.h"

namespace quadrille::hw {

/// Intervals [begin, end) that hold every byte, or macro, that a command reads or
/// writes. A rectangle counts as the interval from its first byte to its last.
class Footprint {
 public:
  enum class Space { kScratchpad, kMacros };
  struct Touch {
    Space space;
    bool write;
    std::int64_t begin;
    std::int64_t end;
  };

  explicit Footprint(const DmaCopy& operation);
  explicit Footprint(const CimWrite& operation);
  explicit Footprint(const CimMultiply& operation);
  explicit Footprint(const SoftmaxRows& operation);
  explicit Footprint(const DamfProject& operation);
  explicit Footprint(const DamfAttend& operation);
  explicit Footprint(const VectorRequantise& operation);
  explicit Footprint(const SinkhornScale& operation);
  explicit Footprint(const SinkhornApply& operation);
  explicit Footprint(const LinearAttend& operation);

  const Touch* begin() const { return touches_; }
  const Touch* end() const { return touches_ + count_; }

 private:
  static constexpr int kMost = 10;  ///< A linear-attention piece touches the most.

  /// `rows` rows of row_bytes bytes; nothing where there is none.
  void rows(bool write, std::uint64_t address, std::int64_t rows, std::int64_t row_bytes,
            std::int64_t pitch_bytes);
  void macros(bool write, const CimRegion& region);

  Touch touches_[kMost];
  int count_ = 0;
};

}  // namespace quadrille::hw
