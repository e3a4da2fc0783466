#include "hw/memory/traffic.h"

#include <algorithm>

namespace quadrille::hw {
namespace {

/// Multiples of `step` in the open interval (begin, begin + length).
std::int64_t cuts(std::int64_t begin, std::int64_t length, std::int64_t step) {
  return (begin + length - 1) / step - begin / step;
}

/// Members of 0..count-1 that are `residue` modulo `period`.
std::int64_t residue_class(std::int64_t count, std::int64_t residue, std::int64_t period) {
  return count > residue ? (count - residue - 1) / period + 1 : 0;
}

void add_run(AccessCounts& counts, std::uint64_t address, std::int64_t bytes,
             std::int64_t word_bytes, std::int64_t times) {
  const auto offset = static_cast<std::int64_t>(address) % word_bytes;
  counts.accesses += times * ((offset + bytes - 1) / word_bytes + 1);
  counts.slices += times * slices_of(address, bytes);
}

void add_segment(AccessCounts& counts, const StreamSegment& segment, std::int64_t word_bytes) {
  counts.bytes += segment.bytes();
  const bool contiguous =
      segment.inner_count == 1 || segment.inner_stride_bytes == segment.beat_bytes;
  const std::int64_t row_bytes = segment.bytes() / segment.outer_count;
  // Counts depend on addresses modulo the word only, a power of two: one row
  // of each residue class stands for all.
  const std::int64_t stride = segment.outer_stride_bytes;
  const std::int64_t period = stride % word_bytes == 0 ? 1 : word_bytes / (stride & -stride);
  for (std::int64_t o = 0; o < std::min(segment.outer_count, period); ++o) {
    const std::int64_t times = residue_class(segment.outer_count, o, period);
    const std::uint64_t row = segment.address + static_cast<std::uint64_t>(o * stride);
    if (contiguous) {
      add_run(counts, row, row_bytes, word_bytes, times);
      continue;
    }
    for (std::int64_t i = 0; i < segment.inner_count; ++i) {
      add_run(counts, row + static_cast<std::uint64_t>(i * segment.inner_stride_bytes),
              i + 1 == segment.inner_count ? segment.last_beat_bytes : segment.beat_bytes,
              word_bytes, times);
    }
  }
}

}  // namespace

AccessCounts stream_accesses(const Stream& stream, std::int64_t word_bytes) {
  AccessCounts counts;
  for (const StreamSegment& segment : stream) {
    if (segment.beats() > 0) add_segment(counts, segment, word_bytes);
  }
  return counts;
}

Traffic& Traffic::operator+=(const Traffic& other) {
  sram_read += other.sram_read;
  sram_write += other.sram_write;
  dram_read_bytes += other.dram_read_bytes;
  dram_write_bytes += other.dram_write_bytes;
  dram_read_padding_bytes += other.dram_read_padding_bytes;
  dram_write_padding_bytes += other.dram_write_padding_bytes;
  dram_row_hits += other.dram_row_hits;
  dram_row_misses += other.dram_row_misses;
  cim_write_bytes += other.cim_write_bytes;
  return *this;
}

namespace {

/// Copies of up to so many bursts whose rows end inside bursts are walked burst by
/// burst; longer ones get a bound.
constexpr std::int64_t kScannedBursts = 4096;

std::int64_t most_pieces_of(const DmaCopy& copy, std::int64_t burst_bytes,
                            std::int64_t word_bytes) {
  std::int64_t most = 1;
  for (BurstCursor burst(copy, burst_bytes, word_bytes); !burst.done(); burst.advance())
    most = std::max(most, burst.pieces(burst.position(), burst.position() + burst.bytes()));
  return most;
}

}  // namespace

DmaFootprint dma_footprint(const DmaCopy& copy, std::int64_t burst_bytes, std::int64_t word_bytes) {
  DmaFootprint footprint;
  footprint.useful_bytes = copy.rows * copy.row_bytes;
  if (footprint.useful_bytes == 0) return footprint;
  const auto dram = static_cast<std::int64_t>(copy.dram_address);
  const auto scratchpad = static_cast<std::int64_t>(copy.scratchpad_address);
  const bool one_run = contiguous_in_dram(copy);
  if (one_run) footprint.bursts = cuts(dram, footprint.useful_bytes, burst_bytes) + 1;

  const auto add_row = [&](std::int64_t row, std::int64_t times) {
    const std::int64_t d = dram + row * copy.dram_pitch_bytes;
    const std::int64_t s = scratchpad + row * copy.scratchpad_pitch_bytes;
    const std::int64_t burst_cuts = cuts(d, copy.row_bytes, burst_bytes);
    const std::int64_t word_cuts = cuts(s, copy.row_bytes, word_bytes);
    // Both sizes are powers of two: the coarser cuts are among the finer ones
    // or fall between them all.
    const bool nested = (s - d) % std::min(burst_bytes, word_bytes) == 0;
    footprint.scratchpad.accesses +=
        times * (1 + (nested ? std::max(burst_cuts, word_cuts) : burst_cuts + word_cuts));
    footprint.scratchpad.slices +=
        times * (slices_of(static_cast<std::uint64_t>(s), copy.row_bytes) +
                 ((s - d) % kSliceBytes == 0 ? 0 : burst_cuts));
    if (!one_run) footprint.bursts += times * (burst_cuts + 1);
    footprint.most_pieces =
        std::max(footprint.most_pieces, nested ? std::max<std::int64_t>(1, burst_bytes / word_bytes)
                                               : (burst_bytes - 1) / word_bytes + 2);
  };
  if (copy.rows == 1 ||
      (copy.dram_pitch_bytes % burst_bytes == 0 && copy.scratchpad_pitch_bytes % word_bytes == 0)) {
    add_row(0, copy.rows);
  } else {
    for (std::int64_t row = 0; row < copy.rows; ++row) add_row(row, 1);
  }
  const bool rows_end_in_bursts = copy.row_bytes % burst_bytes != 0 || dram % burst_bytes != 0;
  if (one_run && rows_end_in_bursts && copy.rows > 1) {
    footprint.most_pieces =
        footprint.bursts <= kScannedBursts
            ? most_pieces_of(copy, burst_bytes, word_bytes)
            // Each row end in a burst cuts it once, and the next row may
            // lie off its words.
            : footprint.most_pieces + 2 * ((burst_bytes - 1) / copy.row_bytes + 1);
  }
  footprint.scratchpad.bytes = footprint.useful_bytes;
  footprint.padding_bytes = footprint.bursts * burst_bytes - footprint.useful_bytes;
  return footprint;
}

AccessCursor::AccessCursor(const Stream& stream, std::int64_t word_bytes)
    : stream_(&stream), word_bytes_(word_bytes) {
  begin_segment();
}

void AccessCursor::begin_segment() {
  while (segment_ < stream_->size() && (*stream_)[segment_].beats() == 0) ++segment_;
  row_ = 0;
  begin_row();
}

void AccessCursor::begin_row() {
  inner_ = 0;
  begin_run();
}

void AccessCursor::begin_run() {
  if (done()) return;
  const StreamSegment& segment = (*stream_)[segment_];
  address_ = segment.address + static_cast<std::uint64_t>(row_ * segment.outer_stride_bytes +
                                                          inner_ * segment.inner_stride_bytes);
  const bool contiguous =
      segment.inner_count == 1 || segment.inner_stride_bytes == segment.beat_bytes;
  if (contiguous) {
    run_end_ = address_ + static_cast<std::uint64_t>(segment.bytes() / segment.outer_count);
    inner_ = segment.inner_count;
  } else {
    ++inner_;
    run_end_ = address_ + static_cast<std::uint64_t>(inner_ == segment.inner_count
                                                         ? segment.last_beat_bytes
                                                         : segment.beat_bytes);
  }
  width_ = std::max<std::int64_t>(word_bytes_, segment.beat_bytes);
}

std::int64_t AccessCursor::bytes() const {
  const auto to_word_end =
      width_ - static_cast<std::int64_t>(address_ % static_cast<std::uint64_t>(word_bytes_));
  return std::min(to_word_end, static_cast<std::int64_t>(run_end_ - address_));
}

void AccessCursor::advance() {
  address_ += static_cast<std::uint64_t>(bytes());
  if (address_ < run_end_) return;
  const StreamSegment& segment = (*stream_)[segment_];
  if (inner_ < segment.inner_count) return begin_run();
  if (++row_ < segment.outer_count) return begin_row();
  ++segment_;
  begin_segment();
}

BurstCursor::BurstCursor(const DmaCopy& copy, std::int64_t burst_bytes, std::int64_t word_bytes)
    : copy_(copy),
      burst_bytes_(burst_bytes),
      word_bytes_(word_bytes),
      total_(copy.rows * copy.row_bytes) {}

std::uint64_t BurstCursor::dram_address() const {
  return copy_.dram_address +
         static_cast<std::uint64_t>((position_ / copy_.row_bytes) * copy_.dram_pitch_bytes +
                                    position_ % copy_.row_bytes);
}

std::int64_t BurstCursor::bytes() const {
  const std::int64_t to_burst_end =
      burst_bytes_ - static_cast<std::int64_t>(dram_address()) % burst_bytes_;
  const std::int64_t to_run_end = contiguous_in_dram(copy_)
                                      ? total_ - position_
                                      : copy_.row_bytes - position_ % copy_.row_bytes;
  return std::min(to_burst_end, to_run_end);
}

std::uint64_t BurstCursor::scratchpad_address(std::int64_t position) const {
  return copy_.scratchpad_address +
         static_cast<std::uint64_t>((position / copy_.row_bytes) * copy_.scratchpad_pitch_bytes +
                                    position % copy_.row_bytes);
}

std::int64_t BurstCursor::piece_bytes(std::int64_t position, std::int64_t end) const {
  const std::int64_t to_word_end =
      word_bytes_ - static_cast<std::int64_t>(scratchpad_address(position)) % word_bytes_;
  const std::int64_t to_row_end = copy_.row_bytes - position % copy_.row_bytes;
  return std::min({to_word_end, to_row_end, end - position});
}

std::int64_t BurstCursor::pieces(std::int64_t begin, std::int64_t end) const {
  std::int64_t count = 0;
  for (std::int64_t at = begin; at < end; at += piece_bytes(at, end)) ++count;
  return count;
}

}  // namespace quadrille::hw
