#include "hw/mapper/emitter.h"

#include <algorithm>
#include <numeric>

#include "model/errors.h"

namespace quadrille::hw {
namespace {

constexpr int kNobody = -1;

std::array<int, kUnits> nobody() {
  std::array<int, kUnits> none{};
  none.fill(kNobody);
  return none;
}

std::int64_t round_up(std::int64_t value, std::int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

}  // namespace

// --- uses ----------------------------------------------------------------------

UseMap::UseMap() : begins_{0}, slots_{0}, uses_{{kNobody, nobody()}} {}

std::size_t UseMap::find(std::int64_t at) const {
  const auto behind = std::upper_bound(begins_.begin(), begins_.end(), at);
  return static_cast<std::size_t>(behind - begins_.begin()) - 1;
}

std::size_t UseMap::split(std::int64_t at) {
  const std::size_t index = find(at);
  if (begins_[index] == at) return index;
  insert(index + 1, at);
  return index + 1;
}

void UseMap::insert(std::size_t index, std::int64_t at) {
  const Use use = uses_[slots_[index - 1]];
  const auto place = static_cast<std::ptrdiff_t>(index);
  auto slot = static_cast<std::uint32_t>(uses_.size());
  if (spare_.empty()) {
    uses_.push_back(use);
  } else {
    slot = spare_.back();
    spare_.pop_back();
    uses_[slot] = use;
  }
  begins_.insert(begins_.begin() + place, at);
  slots_.insert(slots_.begin() + place, slot);
}

void UseMap::replace(std::size_t first, std::size_t last, int writer) {
  uses_[slots_[first]] = {writer, nobody()};
  const auto from = static_cast<std::ptrdiff_t>(first) + 1;
  const auto to = static_cast<std::ptrdiff_t>(last);
  if (from >= to) return;
  spare_.insert(spare_.end(), slots_.begin() + from, slots_.begin() + to);
  begins_.erase(begins_.begin() + from, begins_.begin() + to);
  slots_.erase(slots_.begin() + from, slots_.begin() + to);
}

// --- memory --------------------------------------------------------------------

ScratchpadAllocator::ScratchpadAllocator(const ScratchpadConfig& config)
    : word_bytes_(config.word_bytes), free_{{0, config.capacity_bytes}} {}

std::int64_t ScratchpadAllocator::pitch(std::int64_t row_bytes) const {
  if (row_bytes >= word_bytes_) return round_up(row_bytes, word_bytes_);
  std::int64_t pitch = 1;
  while (pitch < row_bytes) pitch *= 2;
  return pitch;
}

std::int64_t ScratchpadAllocator::bytes(std::int64_t rows, std::int64_t row_bytes) const {
  return round_up(rows * pitch(row_bytes), word_bytes_);
}

bool ScratchpadAllocator::fits(std::int64_t bytes) const {
  return std::any_of(free_.begin(), free_.end(),
                     [&](const auto& hole) { return hole.second - hole.first >= bytes; });
}

Buffer ScratchpadAllocator::allocate(std::int64_t rows, std::int64_t row_bytes) {
  const std::int64_t wanted = bytes(rows, row_bytes);
  for (auto hole = free_.begin(); hole != free_.end(); ++hole) {
    if (hole->second - hole->first < wanted) continue;
    const Buffer buffer{static_cast<std::uint64_t>(hole->first), pitch(row_bytes), wanted};
    hole->first += wanted;
    high_water_ = std::max(high_water_, hole->first);
    if (hole->first == hole->second) free_.erase(hole);
    return buffer;
  }
  return {};
}

void ScratchpadAllocator::release(Buffer& buffer) {
  if (buffer.bytes == 0) return;
  const auto begin = static_cast<std::int64_t>(buffer.address);
  const std::int64_t end = begin + buffer.bytes;
  auto behind = std::lower_bound(free_.begin(), free_.end(), std::pair{begin, begin});
  if (behind != free_.begin() && std::prev(behind)->second == begin) {
    const auto before = std::prev(behind);
    before->second = end;
    if (behind != free_.end() && behind->first == end) {
      before->second = behind->second;
      free_.erase(behind);
    }
  } else if (behind != free_.end() && behind->first == end) {
    behind->first = begin;
  } else {
    free_.insert(behind, {begin, end});
  }
  buffer = {};
}

std::int64_t ScratchpadAllocator::largest_free() const {
  std::int64_t largest = 0;
  for (const auto& hole : free_) largest = std::max(largest, hole.second - hole.first);
  return largest;
}

// --- commands ------------------------------------------------------------------

Emitter::Emitter(const ChipConfig& config, const CommandCost& cost, bool keep)
    : config_(config), cost_(cost), keep_(keep), memory_(config.scratchpad) {}

Buffer Emitter::allocate(std::int64_t rows, std::int64_t row_bytes, const char* what) {
  const Buffer buffer = memory_.allocate(rows, row_bytes);
  if (buffer.bytes > 0 || rows * row_bytes == 0) return buffer;
  throw DoesNotFit{node_, what, memory_.bytes(rows, row_bytes), memory_.largest_free(),
                   DoesNotFit::Resource::kScratchpad};
}

std::int64_t Emitter::schedule(Unit unit, const Footprint& footprint, std::int64_t cycles) {
  const int index = static_cast<int>(ends_.size());
  latest_ = nobody();
  const auto depend = [this, index](int command) {
    if (command == kNobody || command == index) return;
    int& latest = latest_[static_cast<std::size_t>(units_[static_cast<std::size_t>(command)])];
    latest = std::max(latest, command);
  };
  // A touch that meets an earlier one of the same command finds the command itself, or
  // nobody: what was there before is known already.
  for (const Footprint::Touch& touch : footprint) {
    UseMap& map = touch.space == Footprint::Space::kMacros ? macros_ : scratchpad_;
    map.touch(touch.begin, touch.end, touch.write, unit, index, [&](const Use& use) {
      depend(use.writer);
      if (!touch.write) return;
      for (const int reader : use.readers) depend(reader);
    });
  }
  // A unit works in the order of its queue.
  latest_[static_cast<std::size_t>(unit)] = kNobody;
  std::int64_t start = free_at(unit);
  if (!config_.cim.write_while_compute && (unit == Unit::kCimWrite || unit == Unit::kCimCompute))
    start = std::max(free_at(Unit::kCimWrite), free_at(Unit::kCimCompute));
  for (const int command : latest_) {
    if (command != kNobody) start = std::max(start, ends_[static_cast<std::size_t>(command)]);
  }
  const std::int64_t end = start + cycles;
  free_at_[static_cast<std::size_t>(unit)] = end;
  ends_.push_back(end);
  units_.push_back(unit);
  cycles_ = std::max(cycles_, end);
  busy_[static_cast<std::size_t>(unit)] += cycles;
  return end;
}

std::int64_t Emitter::busy_cycles() const {
  return std::accumulate(busy_.begin(), busy_.end(), std::int64_t{0});
}

std::int64_t Emitter::busiest_cycles() const {
  return *std::max_element(busy_.begin(), busy_.end());
}

Command Emitter::command(Operation operation) const {
  Command command;
  command.operation = std::move(operation);
  for (const int dependency : latest_) {
    if (dependency != kNobody) command.depends_on.push_back(dependency);
  }
  std::sort(command.depends_on.begin(), command.depends_on.end());
  command.node = node_;
  command.step = step_;
  command.head = head_;
  return command;
}

std::int64_t Emitter::written_at(std::uint64_t address, std::int64_t bytes) const {
  std::int64_t cycle = 0;
  const auto begin = static_cast<std::int64_t>(address);
  scratchpad_.visit(begin, begin + bytes, [&](const Use& use) {
    if (use.writer != kNobody) cycle = std::max(cycle, ends_[static_cast<std::size_t>(use.writer)]);
  });
  return cycle;
}

std::int64_t Emitter::macros_free_at(int first, int count) const {
  std::int64_t cycle = 0;
  macros_.visit(first, first + count, [&](const Use& use) {
    for (const int reader : use.readers) {
      if (reader != kNobody) cycle = std::max(cycle, ends_[static_cast<std::size_t>(reader)]);
    }
  });
  return cycle;
}

}  // namespace quadrille::hw
