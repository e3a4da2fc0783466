#include "hw/memory/stream.h"

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
