// Address patterns of the streams between the scratchpad and the engines.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace quadrille::hw {

/// A two-level loop of beats: for o in 0..outer_count-1, for i in
/// 0..inner_count-1 a beat at address + o * outer_stride + i * inner_stride
/// (bytes). A beat has beat_bytes bytes, the last of each inner loop
/// last_beat_bytes. No beat may straddle a scratchpad word.
struct StreamSegment {
  std::uint64_t address = 0;
  std::int64_t inner_count = 1;
  std::int64_t inner_stride_bytes = 0;
  std::int64_t outer_count = 1;
  std::int64_t outer_stride_bytes = 0;
  int beat_bytes = 0;
  int last_beat_bytes = 0;

  std::int64_t beats() const { return inner_count * outer_count; }
  std::int64_t bytes() const {
    return inner_count == 0
               ? 0
               : outer_count * ((inner_count - 1) * beat_bytes + std::int64_t{last_beat_bytes});
  }
};

/// A stream is its segments one after the other.
using Stream = std::vector<StreamSegment>;

/// Rows of row_bytes bytes, row_pitch_bytes apart, in beats of at most
/// beat_bytes: the pattern of a row-major matrix.
StreamSegment matrix_rows(std::uint64_t address, std::int64_t rows, std::int64_t row_bytes,
                          std::int64_t row_pitch_bytes, int beat_bytes);

struct StreamBeat {
  std::uint64_t address = 0;
  std::int64_t bytes = 0;
};

/// A beat of the segment that a scratchpad of such words (a power of two of bytes)
/// cannot move in one access: it lies neither in one word nor on whole words from a
/// word's begin on. In closed form: at most word_bytes beats of as many rows are
/// looked at, usually none.
std::optional<StreamBeat> straddling_beat(const StreamSegment& segment, std::int64_t word_bytes);

std::int64_t stream_beats(const Stream& stream);
std::int64_t stream_bytes(const Stream& stream);

/// Walks a stream beat by beat.
class StreamCursor {
 public:
  explicit StreamCursor(const Stream& stream);
  bool done() const { return segment_ == stream_->size(); }
  std::uint64_t address() const;
  int bytes() const;
  void advance();

 private:
  void skip_empty();
  const Stream* stream_;
  std::size_t segment_ = 0;
  std::int64_t outer_ = 0;
  std::int64_t inner_ = 0;
};

}  // namespace quadrille::hw
