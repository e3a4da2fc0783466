#include "hw/memory/dma.h"

#include <algorithm>
#include <cstring>
#include <string>

namespace quadrille::hw {
namespace {

/// Copies of more bursts are timed by trains even where those are not exact.
constexpr std::int64_t kWalkedBursts = 4096;

struct DmaRules {
  std::int64_t burst_bytes;
  std::int64_t word_bytes;
  std::size_t window;
  std::int64_t read_latency;
};

/// Is true when every burst is one bank access: then a train's spacing and
/// release say it all.
bool one_access_each(const DmaCopy& copy, const DmaRules& rules) {
  const std::int64_t burst = rules.burst_bytes;
  const auto aligned = [&](std::uint64_t address, std::int64_t pitch) {
    return static_cast<std::int64_t>(address) % burst == 0 &&
           (copy.rows == 1 || pitch % burst == 0);
  };
  return burst <= rules.word_bytes && copy.row_bytes % burst == 0 &&
         aligned(copy.dram_address, copy.dram_pitch_bytes) &&
         aligned(copy.scratchpad_address, copy.scratchpad_pitch_bytes);
}

/// The recurrence of beat timing, burst by burst, when no bank refuses: the cycle
/// in which the copy has ended. `send(address, bytes, issue)` gives the cycle in
/// which a burst's data have crossed the bus.
template <typename Send>
std::int64_t walk_bursts(const DmaCopy& copy, const DmaRules& rules, std::int64_t start,
                         Send send) {
  std::vector<std::int64_t> free(rules.window, start + 1);  // A slot's next free cycle.
  std::int64_t issued = start;
  std::int64_t moved = start;  // Cycle of the last bank access.
  std::int64_t end = start;    // Data answer in order.
  std::size_t slot = 0;
  for (BurstCursor burst(copy, rules.burst_bytes, rules.word_bytes); !burst.done();
       burst.advance(), slot = (slot + 1) % rules.window) {
    const std::int64_t pieces = burst.pieces(burst.position(), burst.position() + burst.bytes());
    if (copy.to_scratchpad) {
      issued = std::max(issued + 1, free[slot]);
      end = std::max(end, send(burst.dram_address(), burst.bytes(), issued));
      moved = std::max(end, moved + 1) + pieces - 1;
      free[slot] = moved + 1;
    } else {
      moved = std::max(moved + 1, free[slot]) + pieces - 1;
      issued = std::max(issued + 1, moved + rules.read_latency);
      end = std::max(end, send(burst.dram_address(), burst.bytes(), issued));
      free[slot] = end;
    }
  }
  return copy.to_scratchpad ? moved + 1 : end;
}

}  // namespace

Dma::Dma(sc_core::sc_module_name name, const ChipConfig& config, const Clock& clock, bool data,
         bool external_dram)
    : sc_core::sc_module(name),
      dram_socket("dram_socket"),
      scratchpad_socket("scratchpad_socket"),
      burst_bytes_(config.dram.burst_bytes),
      word_bytes_(config.scratchpad.word_bytes),
      read_latency_(config.scratchpad.read_latency_cycles),
      window_(config.dma.outstanding_bursts),
      clock_(clock),
      data_(data),
      external_(external_dram) {
  payload_.set_byte_enable_ptr(nullptr);
}

Dma::~Dma() {
  // The payload must not free what it does not own.
  payload_.clear_extension<BurstTrain>();
}

Bytes Dma::dmi_of(tlm_utils::simple_initiator_socket<Dma>& socket) {
  tlm::tlm_generic_payload request;
  tlm::tlm_dmi dmi;
  request.set_address(0);
  if (!socket->get_direct_mem_ptr(request, dmi)) {
    throw InvariantError("the DMA's memory gives no direct memory pointer");
  }
  return Bytes(dmi.get_dmi_ptr(), dmi.get_end_address() + 1);
}

std::uint8_t* Dma::scratchpad(std::uint64_t address, std::int64_t bytes) {
  if (scratchpad_bytes_.size() == 0) scratchpad_bytes_ = dmi_of(scratchpad_socket);
  return scratchpad_bytes_.at(address, static_cast<std::uint64_t>(bytes));
}

std::int64_t Dma::transport(bool read, std::uint64_t address, std::int64_t length,
                            std::uint8_t* data, std::int64_t issue) {
  payload_.set_command(read ? tlm::TLM_READ_COMMAND : tlm::TLM_WRITE_COMMAND);
  payload_.set_address(address);
  payload_.set_data_ptr(data);
  payload_.set_data_length(static_cast<unsigned>(length));
  payload_.set_streaming_width(static_cast<unsigned>(length));
  payload_.set_dmi_allowed(false);
  payload_.set_response_status(tlm::TLM_INCOMPLETE_RESPONSE);
  const std::int64_t now = clock_.now();
  sc_core::sc_time delay = clock_.time(issue - now);
  dram_socket->b_transport(payload_, delay);
  if (payload_.is_response_error()) {
    throw InvariantError("the DRAM answers " + payload_.get_response_string() + " to a DMA " +
                         (read ? "read" : "write") + " of " + std::to_string(length) +
                         " bytes at " + std::to_string(address));
  }
  return now + clock_.cycles(delay);
}

void Dma::count(const DmaCopy& copy, const DmaFootprint& footprint) {
  if (copy.to_scratchpad) {
    counts_.read_bursts += footprint.bursts;
    counts_.read_useful_bytes += footprint.useful_bytes;
    counts_.read_padding_bytes += footprint.padding_bytes;
  } else {
    counts_.write_bursts += footprint.bursts;
    counts_.write_useful_bytes += footprint.useful_bytes;
    counts_.write_padding_bytes += footprint.padding_bytes;
  }
}

void Dma::set_train(const DmaCopy& copy, const DmaFootprint& footprint, std::int64_t start) {
  const int pieces = static_cast<int>(footprint.most_pieces);
  train_.window = window_;
  if (copy.to_scratchpad) {
    train_.spacing = 1;
    train_.release = pieces;
    train_.begin(start + 1);
  } else {
    train_.spacing = pieces;
    train_.release = read_latency_ + pieces - 1;
    train_.begin(start + read_latency_ + pieces);
  }
}

std::int64_t Dma::run(const DmaCopy& copy, std::int64_t start) {
  const DmaFootprint footprint = dma_footprint(copy, burst_bytes_, word_bytes_);
  count(copy, footprint);
  if (footprint.bursts == 0) return start + 1;
  set_train(copy, footprint, start);
  return external_ ? run_bursts(copy, footprint, start) : run_trains(copy, footprint, start);
}

std::int64_t Dma::run_trains(const DmaCopy& copy, const DmaFootprint& footprint,
                             std::int64_t start) {
  const DmaRules rules{burst_bytes_, word_bytes_, static_cast<std::size_t>(window_), read_latency_};
  const bool walked = footprint.bursts <= kWalkedBursts && !one_access_each(copy, rules);
  std::int64_t walk_end = 0;
  if (walked) {
    walk_end = walk_bursts(copy, rules, start,
                           [&](std::uint64_t address, std::int64_t bytes, std::int64_t issue) {
                             return transport(copy.to_scratchpad, address, bytes, nullptr, issue);
                           });
  } else {
    const bool one_run = contiguous_in_dram(copy);
    train_.rows = one_run ? 1 : copy.rows;
    train_.pitch_bytes = copy.dram_pitch_bytes;
    payload_.set_extension(&train_);
    transport(copy.to_scratchpad, copy.dram_address,
              one_run ? copy.rows * copy.row_bytes : copy.row_bytes, nullptr, start);
    payload_.clear_extension<BurstTrain>();
  }
  if (data_) {
    if (dram_bytes_.size() == 0) dram_bytes_ = dmi_of(dram_socket);
    const auto length = static_cast<std::uint64_t>(copy.row_bytes);
    for (std::int64_t row = 0; row < copy.rows; ++row) {
      std::uint8_t* dram = dram_bytes_.at(
          copy.dram_address + static_cast<std::uint64_t>(row * copy.dram_pitch_bytes), length);
      std::uint8_t* here = scratchpad(
          copy.scratchpad_address + static_cast<std::uint64_t>(row * copy.scratchpad_pitch_bytes),
          copy.row_bytes);
      if (copy.to_scratchpad) {
        std::memcpy(here, dram, length);
      } else {
        std::memcpy(dram, here, length);
      }
      copied_bytes_ += copy.row_bytes;
    }
  }
  if (walked) return walk_end;
  if (!copy.to_scratchpad) return train_.last_end();
  return std::max(train_.last_end() + train_.release,
                  train_.first_end() + footprint.scratchpad.accesses);
}

std::int64_t Dma::run_bursts(const DmaCopy& copy, const DmaFootprint& footprint,
                             std::int64_t start) {
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(burst_bytes_));
  const auto move = [&](const BurstCursor& burst, bool into_scratchpad) {
    const std::int64_t end = burst.position() + burst.bytes();
    for (std::int64_t at = burst.position(); at < end;) {
      const std::int64_t count = burst.piece_bytes(at, end);
      std::uint8_t* here = scratchpad(burst.scratchpad_address(at), count);
      std::uint8_t* there = bytes.data() + (at - burst.position());
      std::memcpy(into_scratchpad ? here : there, into_scratchpad ? there : here,
                  static_cast<std::size_t>(count));
      copied_bytes_ += count;
      at += count;
    }
  };
  // A foreign memory may finish out of order; the DMA's slots do not.
  std::int64_t in_order = start;
  for (BurstCursor burst(copy, burst_bytes_, word_bytes_); !burst.done(); burst.advance()) {
    if (data_ && !copy.to_scratchpad) move(burst, false);
    const std::int64_t issue = train_.next_issue();
    in_order = std::max(in_order, transport(copy.to_scratchpad, burst.dram_address(), burst.bytes(),
                                            bytes.data(), issue));
    train_.record(issue, in_order);
    if (data_ && copy.to_scratchpad) move(burst, true);
  }
  if (!copy.to_scratchpad) return train_.last_end();
  return std::max(train_.last_end() + train_.release,
                  train_.first_end() + footprint.scratchpad.accesses);
}

void Dma::start(const DmaCopy& copy, std::int64_t cycle) {
  if (active_) throw InvariantError("the DMA was started while a copy was running");
  count(copy, dma_footprint(copy, burst_bytes_, word_bytes_));
  active_ = true;
  copy_ = copy;
  cursor_ = BurstCursor(copy, burst_bytes_, word_bytes_);
  if (slots_.empty()) {
    slots_.resize(static_cast<std::size_t>(window_));
    for (Slot& each : slots_) each.bytes.resize(static_cast<std::size_t>(burst_bytes_));
  }
  head_ = issued_ = tail_ = 0;
  start_ = cycle;
  last_end_ = 0;
  conflicts_ = 0;
  for (Slot& each : slots_) each.moved = 0;
}

bool Dma::request(std::int64_t cycle, PortRequest& request) const {
  if (!active_ || cycle <= start_) return false;
  std::int64_t at = 0;
  std::int64_t end = 0;
  if (copy_.to_scratchpad) {
    if (head_ == tail_ || slot(head_).ready > cycle) return false;
    at = slot(head_).moved;
    end = slot(head_).end;
  } else {
    if (cursor_.done() || tail_ - head_ >= window_) return false;
    at = std::max(cursor_.position(), slot(tail_).moved);
    end = cursor_.position() + cursor_.bytes();
  }
  request.write = copy_.to_scratchpad;
  request.address = cursor_.scratchpad_address(at);
  request.bytes = cursor_.piece_bytes(at, end);
  return true;
}

bool Dma::step(std::int64_t cycle, bool granted) {
  if (!active_ || cycle <= start_) {
    if (active_ && cursor_.done()) active_ = false;  // An empty copy takes one cycle.
    return !active_;
  }
  PortRequest access;
  const bool wanted = request(cycle, access);
  if (wanted && !granted) ++conflicts_;
  if (copy_.to_scratchpad) {
    const bool may_issue = !cursor_.done() && tail_ - head_ < window_;
    if (wanted && granted) {
      Slot& each = slot(head_);
      if (data_) {
        std::memcpy(scratchpad(access.address, access.bytes),
                    each.bytes.data() + (each.moved - each.begin),
                    static_cast<std::size_t>(access.bytes));
      }
      each.moved += access.bytes;
      if (each.moved == each.end) ++head_;
    }
    if (may_issue) {
      Slot& each = slot(tail_);
      each.begin = each.moved = cursor_.position();
      each.end = each.begin + cursor_.bytes();
      last_end_ = std::max(last_end_, transport(true, cursor_.dram_address(), cursor_.bytes(),
                                                each.bytes.data(), cycle));
      each.ready = last_end_;
      cursor_.advance();
      ++tail_;
    }
    active_ = !(cursor_.done() && head_ == tail_);
    return !active_;
  }
  if (issued_ < tail_ && slot(issued_).ready <= cycle) {
    Slot& each = slot(issued_);
    last_end_ = std::max(last_end_, transport(false, each.dram_address, each.end - each.begin,
                                              each.bytes.data(), cycle));
    each.ready = last_end_;
    ++issued_;
  }
  if (wanted && granted) {
    Slot& each = slot(tail_);
    const std::int64_t begin = cursor_.position();
    const std::int64_t at = std::max(begin, each.moved);
    if (data_) {
      std::memcpy(each.bytes.data() + (at - begin), scratchpad(access.address, access.bytes),
                  static_cast<std::size_t>(access.bytes));
    }
    each.moved = at + access.bytes;
    if (each.moved == begin + cursor_.bytes()) {
      each.begin = begin;
      each.end = each.moved;
      each.dram_address = cursor_.dram_address();
      each.ready = cycle + read_latency_;
      cursor_.advance();
      ++tail_;
    }
  }
  while (head_ < issued_ && slot(head_).ready <= cycle + 1) ++head_;
  active_ = !(cursor_.done() && head_ == tail_);
  return !active_;
}

std::int64_t Dma::next_cycle(std::int64_t cycle) const {
  const std::int64_t soon = cycle + 1;
  if (!cursor_.done() && tail_ - head_ < window_) return soon;
  if (copy_.to_scratchpad) return std::max(soon, slot(head_).ready);
  // A slot is free in the cycle in which its data end: step just before it.
  std::int64_t next = slot(head_).ready - (head_ < issued_ ? 1 : 0);
  if (issued_ < tail_) next = std::min(next, slot(issued_).ready);
  return std::max(soon, next);
}

}  // namespace quadrille::hw
