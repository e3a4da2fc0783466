#include "hw/memory/stream.h"

#include <algorithm>

#include "model/numerics/integers.h"

namespace quadrille::hw {

StreamSegment matrix_rows(std::uint64_t address, std::int64_t rows, std::int64_t row_bytes,
                          std::int64_t row_pitch_bytes, int beat_bytes) {
  StreamSegment segment;
  segment.address = address;
  segment.inner_count = model::ceil_div(row_bytes, beat_bytes);
  segment.inner_stride_bytes = beat_bytes;
  segment.outer_count = rows;
  segment.outer_stride_bytes = row_pitch_bytes;
  segment.beat_bytes = beat_bytes;
  segment.last_beat_bytes =
      static_cast<int>(row_bytes - (segment.inner_count - 1) * std::int64_t{beat_bytes});
  return segment;
}

namespace {

/// Values that k * stride takes modulo `period`, a power of two.
std::int64_t residues(std::int64_t stride, std::int64_t period) {
  const std::int64_t step = stride & (period - 1);
  return step == 0 ? 1 : period / (step & -step);
}

/// Of the row that begins at `address`.
std::optional<StreamBeat> straddling_beat_of_row(const StreamSegment& segment,
                                                 std::uint64_t address, std::int64_t word_bytes) {
  const auto fits = [&](const StreamBeat& beat) {
    const std::int64_t offset = static_cast<std::int64_t>(beat.address) & (word_bytes - 1);
    return offset == 0 || offset + beat.bytes <= word_bytes;
  };
  const auto beat_at = [&](std::int64_t inner, int bytes) {
    return StreamBeat{address + static_cast<std::uint64_t>(inner * segment.inner_stride_bytes),
                      bytes};
  };
  const StreamBeat last = beat_at(segment.inner_count - 1, segment.last_beat_bytes);
  if (!fits(last)) return last;
  const std::int64_t others =
      std::min(segment.inner_count - 1, residues(segment.inner_stride_bytes, word_bytes));
  for (std::int64_t inner = 0; inner < others; ++inner) {
    const StreamBeat beat = beat_at(inner, segment.beat_bytes);
    if (!fits(beat)) return beat;
  }
  return std::nullopt;
}

}  // namespace

std::optional<StreamBeat> straddling_beat(const StreamSegment& segment, std::int64_t word_bytes) {
  if (segment.beats() <= 0) return std::nullopt;
  // Where everything lies on multiples of a beat, no beat of a divisor of the word can
  // straddle: the common case, and the planner's.
  const std::int64_t beat = std::max(segment.beat_bytes, segment.last_beat_bytes);
  const bool divides = beat > 0 && beat <= word_bytes && (beat & (beat - 1)) == 0;
  const std::int64_t places = static_cast<std::int64_t>(segment.address) |
                              segment.inner_stride_bytes | segment.outer_stride_bytes;
  if (divides && (places & (beat - 1)) == 0) return std::nullopt;
  const std::int64_t rows =
      std::min(segment.outer_count, residues(segment.outer_stride_bytes, word_bytes));
  for (std::int64_t row = 0; row < rows; ++row) {
    const std::uint64_t address =
        segment.address + static_cast<std::uint64_t>(row * segment.outer_stride_bytes);
    if (const auto found = straddling_beat_of_row(segment, address, word_bytes)) return found;
  }
  return std::nullopt;
}

std::int64_t stream_beats(const Stream& stream) {
  std::int64_t beats = 0;
  for (const StreamSegment& segment : stream) beats += segment.beats();
  return beats;
}

std::int64_t stream_bytes(const Stream& stream) {
  std::int64_t bytes = 0;
  for (const StreamSegment& segment : stream) bytes += segment.bytes();
  return bytes;
}

StreamCursor::StreamCursor(const Stream& stream) : stream_(&stream) { skip_empty(); }

std::uint64_t StreamCursor::address() const {
  const StreamSegment& segment = (*stream_)[segment_];
  return segment.address + static_cast<std::uint64_t>(outer_ * segment.outer_stride_bytes +
                                                      inner_ * segment.inner_stride_bytes);
}

int StreamCursor::bytes() const {
  const StreamSegment& segment = (*stream_)[segment_];
  return inner_ + 1 == segment.inner_count ? segment.last_beat_bytes : segment.beat_bytes;
}

void StreamCursor::advance() {
  const StreamSegment& segment = (*stream_)[segment_];
  if (++inner_ < segment.inner_count) return;
  inner_ = 0;
  if (++outer_ < segment.outer_count) return;
  outer_ = 0;
  ++segment_;
  skip_empty();
}

void StreamCursor::skip_empty() {
  while (segment_ < stream_->size() && (*stream_)[segment_].beats() == 0) ++segment_;
}

}  // namespace quadrille::hw
