#include "hw/memory/stream_port.h"

#include <algorithm>
#include <cstring>
#include <string>

namespace quadrille::hw {
namespace {

const Stream kEmpty;

void check_inside(std::uint64_t address, int size, std::uint64_t begin, std::uint64_t end) {
  if (address >= begin && address + static_cast<std::uint64_t>(size) <= end) return;
  throw InvariantError("a beat of " + std::to_string(size) + " bytes at scratchpad address " +
                       std::to_string(address) + " straddles words");
}

}  // namespace

BankArbiter::BankArbiter(const ScratchpadConfig& config, const std::vector<PortClass>& ports)
    : word_bytes_(static_cast<std::uint64_t>(config.word_bytes)),
      bank_(ports.size(), -1),
      words_(ports.size(), 1),
      granted_(ports.size(), false),
      taken_(static_cast<std::size_t>(config.banks), -1),
      conflicts_(static_cast<std::size_t>(config.banks), 0) {
  for (std::size_t port = 0; port < ports.size(); ++port) {
    classes_[static_cast<std::size_t>(ports[port])].push_back(static_cast<int>(port));
  }
}

void BankArbiter::clear() {
  for (std::size_t port = 0; port < bank_.size(); ++port) {
    bank_[port] = -1;
    granted_[port] = false;
  }
}

void BankArbiter::request(int port, const PortRequest& request) {
  if (request.bytes < 1 || request.bytes > Beat::kBytes) {
    throw InvariantError("a bank access of " + std::to_string(request.bytes) + " bytes at " +
                         std::to_string(request.address) + " from port " + std::to_string(port));
  }
  const std::uint64_t first = request.address / word_bytes_;
  const std::uint64_t last =
      (request.address + static_cast<std::uint64_t>(request.bytes) - 1) / word_bytes_;
  bank_[static_cast<std::size_t>(port)] = static_cast<int>(first % conflicts_.size());
  words_[static_cast<std::size_t>(port)] = static_cast<int>(last - first + 1);
}

void BankArbiter::arbitrate(std::int64_t cycle) {
  const bool turned = cycle % kTurn == kTurn - 1;
  const int classes = static_cast<int>(classes_.size());
  for (int c = 0; c < classes; ++c) {
    const std::vector<int>& members =
        classes_[static_cast<std::size_t>(turned ? classes - 1 - c : c)];
    std::size_t next = static_cast<std::size_t>(cycle) % std::max<std::size_t>(1, members.size());
    for (std::size_t i = 0; i < members.size(); ++i) {
      serve(static_cast<std::size_t>(members[next]), cycle);
      if (++next == members.size()) next = 0;
    }
  }
}

void BankArbiter::serve(std::size_t port, std::int64_t cycle) {
  if (bank_[port] < 0) return;
  const auto first = static_cast<std::size_t>(bank_[port]);
  const auto words = static_cast<std::size_t>(words_[port]);
  for (std::size_t w = 0; w < words; ++w) {
    const std::size_t bank = (first + w) % conflicts_.size();
    if (taken_[bank] != cycle) continue;
    ++conflicts_[bank];
    return;
  }
  for (std::size_t w = 0; w < words; ++w) taken_[(first + w) % conflicts_.size()] = cycle;
  granted_[port] = true;
}

StreamReader::StreamReader(const ScratchpadConfig& config, bool data)
    : read_latency_(config.read_latency_cycles),
      word_bytes_(config.word_bytes),
      data_(data),
      fifo_(static_cast<std::size_t>(config.reader_fifo_words)),
      accesses_(kEmpty, config.word_bytes),
      beats_(kEmpty) {
  if (!data) front_.bytes.fill(kNoData);
}

void StreamReader::start(const Stream* stream, std::int64_t cycle) {
  accesses_ = AccessCursor(*stream, word_bytes_);
  beats_ = StreamCursor(*stream);
  start_ = cycle;
  head_ = tail_ = 0;
  conflicts_ = 0;
}

bool StreamReader::request(std::int64_t cycle, PortRequest& request) const {
  if (cycle <= start_ || accesses_.done() ||
      tail_ - head_ >= static_cast<std::int64_t>(fifo_.size())) {
    return false;
  }
  request.write = false;
  request.address = accesses_.address();
  request.bytes = accesses_.bytes();
  return true;
}

const Beat* StreamReader::front(std::int64_t cycle) const {
  return head_ != tail_ && head().arrival <= cycle ? &front_ : nullptr;
}

void StreamReader::fill_front() {
  if (head_ == tail_) return;
  const int size = beats_.bytes();
  check_inside(beats_.address(), size, head().address, head().end);
  if (data_) {
    const auto count = static_cast<std::size_t>(size);
    // Bytes beyond the size are zero.
    if (front_.size > size) {
      std::memset(front_.bytes.data() + count, 0, static_cast<std::size_t>(front_.size) - count);
    }
    std::memcpy(front_.bytes.data(), head().bytes.data() + (beats_.address() - head().address),
                count);
  }
  front_.size = size;
}

void StreamReader::step(std::int64_t cycle, bool granted, bool popped,
                        const Scratchpad& scratchpad) {
  PortRequest access;
  const bool wanted = request(cycle, access);
  const bool was_empty = head_ == tail_;
  if (wanted && !granted) ++conflicts_;
  if (wanted && granted) {
    Place& place = fifo_[static_cast<std::size_t>(tail_) % fifo_.size()];
    place.address = access.address;
    place.end = access.address + static_cast<std::uint64_t>(access.bytes);
    place.arrival = cycle + read_latency_;
    if (data_) {
      const auto size = static_cast<std::size_t>(access.bytes);
      std::memcpy(place.bytes.data(), scratchpad.bytes().at(access.address, size), size);
    }
    accesses_.advance();
    ++tail_;
  }
  if (popped) {
    const std::uint64_t end = beats_.address() + static_cast<std::uint64_t>(beats_.bytes());
    if (end == head().end) ++head_;
    beats_.advance();
  }
  if (popped || was_empty) fill_front();
}

StreamWriter::StreamWriter(const ScratchpadConfig& config, bool data)
    : word_bytes_(config.word_bytes),
      data_(data),
      fifo_(static_cast<std::size_t>(config.writer_fifo_words)),
      accesses_(kEmpty, config.word_bytes),
      beats_(kEmpty) {}

void StreamWriter::start(const Stream* stream) {
  accesses_ = AccessCursor(*stream, word_bytes_);
  beats_ = StreamCursor(*stream);
  head_ = tail_ = given_ = 0;
  conflicts_ = 0;
}

bool StreamWriter::request(PortRequest& request) const {
  if (head_ == tail_) return false;
  const Place& place = fifo_[static_cast<std::size_t>(head_) % fifo_.size()];
  request.write = true;
  request.address = place.address;
  request.bytes = place.size;
  return true;
}

void StreamWriter::step(bool granted, const Beat* pushed, const Scratchpad& scratchpad) {
  const bool wanted = head_ != tail_;
  if (pushed != nullptr) {
    if (beats_.done()) throw InvariantError("an engine gave more output beats than its stream");
    if (pushed->size != beats_.bytes()) {
      throw InvariantError("an engine gave an output beat of " + std::to_string(pushed->size) +
                           " bytes where its stream lists " + std::to_string(beats_.bytes()));
    }
    Place& place = fifo_[static_cast<std::size_t>(tail_) % fifo_.size()];
    place.address = accesses_.address();
    place.size = accesses_.bytes();
    check_inside(beats_.address(), pushed->size, place.address,
                 place.address + static_cast<std::uint64_t>(place.size));
    const std::uint64_t offset = beats_.address() - place.address;
    const auto size = static_cast<std::size_t>(pushed->size);
    if (data_) std::memcpy(place.bytes.data() + offset, pushed->bytes.data(), size);
    beats_.advance();
    ++given_;
    if (offset + size == static_cast<std::uint64_t>(place.size)) {
      accesses_.advance();
      ++tail_;
    }
  }
  if (!wanted) return;
  if (!granted) {
    ++conflicts_;
    return;
  }
  const Place& place = fifo_[static_cast<std::size_t>(head_) % fifo_.size()];
  if (data_) {
    const auto size = static_cast<std::size_t>(place.size);
    std::memcpy(scratchpad.bytes().at(place.address, size), place.bytes.data(), size);
  }
  ++head_;
}

}  // namespace quadrille::hw
