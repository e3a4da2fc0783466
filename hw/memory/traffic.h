// The bytes that a command moves over each link, in closed form.
#pragma once

#include <cstdint>

#include "hw/memory/dma_operations.h"
#include "hw/memory/stream.h"

namespace quadrille::hw {

/// A bank word is made of 128-bit slices; an access activates only those that
/// its bytes fall in. It is the unit in which SRAM energy is tabulated.
inline constexpr std::int64_t kSliceBytes = 16;

/// Slices that `bytes` bytes at `address` fall in.
constexpr std::int64_t slices_of(std::uint64_t address, std::int64_t bytes) {
  const std::int64_t offset = static_cast<std::int64_t>(address % kSliceBytes);
  return bytes == 0 ? 0 : (offset + bytes - 1) / kSliceBytes + 1;
}

struct AccessCounts {
  std::int64_t bytes = 0;
  std::int64_t accesses = 0;  ///< Bank words granted.
  std::int64_t slices = 0;

  AccessCounts& operator+=(const AccessCounts& other) {
    bytes += other.bytes;
    accesses += other.accesses;
    slices += other.slices;
    return *this;
  }
  AccessCounts operator*(std::int64_t times) const {
    return {bytes * times, accesses * times, slices * times};
  }
  bool operator==(const AccessCounts& other) const {
    return bytes == other.bytes && accesses == other.accesses && slices == other.slices;
  }
};

/// Bank accesses of a stream: the consecutive beats of a row that lie in one
/// word are one access; a beat wider than a word is one per word.
AccessCounts stream_accesses(const Stream& stream, std::int64_t word_bytes);

/// Walks a stream access by access, as the stream's reader or writer does. An
/// access is a word, a part of one, or the whole words of a wide beat.
class AccessCursor {
 public:
  AccessCursor(const Stream& stream, std::int64_t word_bytes);
  bool done() const { return segment_ == stream_->size(); }
  std::uint64_t address() const { return address_; }
  std::int64_t bytes() const;
  void advance();

 private:
  void begin_segment();
  void begin_row();
  void begin_run();

  const Stream* stream_;
  std::int64_t word_bytes_;
  std::size_t segment_ = 0;
  std::int64_t row_ = 0;
  std::int64_t inner_ = 0;     ///< Beats of the row that runs so far cover.
  std::uint64_t address_ = 0;  ///< Where the current access begins.
  std::uint64_t run_end_ = 0;  ///< Where its contiguous bytes end.
  std::int64_t width_ = 0;     ///< Bytes an access covers from a word's begin on.
};

/// Bytes per link of one command, or of a run.
struct Traffic {
  AccessCounts sram_read;
  AccessCounts sram_write;
  std::int64_t dram_read_bytes = 0;   ///< Bytes on the DRAM's bus, padding included.
  std::int64_t dram_write_bytes = 0;  ///< Counted alike.
  std::int64_t dram_read_padding_bytes = 0;
  std::int64_t dram_write_padding_bytes = 0;
  std::int64_t dram_row_hits = 0;
  std::int64_t dram_row_misses = 0;
  std::int64_t cim_write_bytes = 0;

  Traffic& operator+=(const Traffic& other);
};

/// The bursts of the DRAM and the words of the scratchpad that a strided copy
/// falls into.
struct DmaFootprint {
  std::int64_t bursts = 0;
  std::int64_t useful_bytes = 0;
  std::int64_t padding_bytes = 0;  ///< Carried by the bursts, used by nobody.
  AccessCounts scratchpad;         ///< Each burst is cut at word and row ends.
  std::int64_t most_pieces = 1;    ///< Bank accesses of any one burst, at most.
};
DmaFootprint dma_footprint(const DmaCopy& copy, std::int64_t burst_bytes, std::int64_t word_bytes);

/// True when the copy is one run of DRAM addresses: its bursts may span rows.
inline bool contiguous_in_dram(const DmaCopy& copy) {
  return copy.rows <= 1 || copy.dram_pitch_bytes == copy.row_bytes;
}

/// Walks a copy burst by burst, and each burst piece by piece (a piece lies in
/// one scratchpad word). Positions count useful bytes from the copy's begin.
class BurstCursor {
 public:
  BurstCursor(const DmaCopy& copy, std::int64_t burst_bytes, std::int64_t word_bytes);
  bool done() const { return position_ >= total_; }
  std::int64_t position() const { return position_; }
  /// First useful byte of the burst, and how many lie in it.
  std::uint64_t dram_address() const;
  std::int64_t bytes() const;
  void advance() { position_ += bytes(); }

  std::uint64_t scratchpad_address(std::int64_t position) const;
  /// Bytes from `position` on that lie in one word and before `end`.
  std::int64_t piece_bytes(std::int64_t position, std::int64_t end) const;
  std::int64_t pieces(std::int64_t begin, std::int64_t end) const;

 private:
  DmaCopy copy_;
  std::int64_t burst_bytes_;
  std::int64_t word_bytes_;
  std::int64_t total_;
  std::int64_t position_ = 0;
};

}  // namespace quadrille::hw
