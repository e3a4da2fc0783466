#include "hw/tensor_traffic.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <type_traits>
#include <utility>
#include <variant>

#include "hw/mapper/footprint.h"

namespace quadrille::hw {
namespace {

constexpr int kMadeOnChip = -1;

const char* role_word(model::Role role) {
  switch (role) {
    case model::Role::kInput:
      return "input";
    case model::Role::kWeight:
      return "weight";
    case model::Role::kState:
      return "state";
    case model::Role::kOutput:
      return "output";
    case model::Role::kValue:
      return "spilled";
  }
  throw InvariantError("a role without a name");
}

/// Which tensor every byte of the DRAM belongs to.
class DramOwners {
 public:
  explicit DramOwners(const std::vector<DramTensor>& tensors) {
    for (std::size_t i = 0; i < tensors.size(); ++i) {
      for (const DramPiece& piece : tensors[i].pieces)
        owners_.emplace(piece.address, static_cast<int>(i));
    }
  }

  /// Pieces do not overlap, so the last one that begins at or before the address holds it.
  int at(std::uint64_t address) const {
    const auto behind = owners_.upper_bound(address);
    if (behind == owners_.begin()) throw InvariantError("a copy of bytes that no tensor owns");
    return std::prev(behind)->second;
  }

 private:
  std::map<std::uint64_t, int> owners_;
};

/// Which tensor was last copied to every byte of the scratchpad.
class ScratchpadOwners {
 public:
  void write(std::int64_t begin, std::int64_t end, int owner) {
    split(begin);
    split(end);
    owners_.erase(owners_.lower_bound(begin), owners_.lower_bound(end));
    owners_[begin] = {end, owner};
  }

  /// kMadeOnChip unless one tensor holds every written byte of [begin, end).
  int of(std::int64_t begin, std::int64_t end) const {
    auto at = owners_.upper_bound(begin);
    if (at != owners_.begin() && std::prev(at)->second.end > begin) --at;
    if (at == owners_.end() || at->first >= end) return kMadeOnChip;
    const int owner = at->second.owner;
    for (; at != owners_.end() && at->first < end; ++at) {
      if (at->second.owner != owner) return kMadeOnChip;
    }
    return owner;
  }

 private:
  struct Span {
    std::int64_t end = 0;
    int owner = kMadeOnChip;
  };

  /// Makes an interval begin at `place` if one runs across it.
  void split(std::int64_t place) {
    auto at = owners_.lower_bound(place);
    if (at == owners_.begin()) return;
    Span& before = std::prev(at)->second;
    if (before.end <= place) return;
    owners_[place] = before;
    before.end = place;
  }

  std::map<std::int64_t, Span> owners_;
};

/// Puts the bytes of one command after the other into rows.
class Attribution {
 public:
  explicit Attribution(const Mapping& mapping) : dram_(mapping.tensors) {
    for (const DramTensor& tensor : mapping.tensors)
      rows_.push_back({tensor.name, role_word(tensor.role), tensor.bytes(), {}});
    first_node_ = rows_.size();
    for (const ProgramNode& node : mapping.program.nodes)
      rows_.push_back({node.name, "node", 0, {}});
  }

  void add(const Command& command, const Traffic& traffic) {
    std::visit([&](const auto& operation) { add(operation, command.node, traffic); },
               command.operation);
  }

  std::vector<TensorTraffic> rows() const {
    std::vector<TensorTraffic> filled;
    std::copy_if(
        rows_.begin(), rows_.end(), std::back_inserter(filled), [](const TensorTraffic& row) {
          const Traffic& traffic = row.traffic;
          return traffic.dram_read_bytes + traffic.dram_write_bytes + traffic.sram_read.bytes +
                     traffic.sram_write.bytes + traffic.cim_write_bytes >
                 0;
        });
    return filled;
  }

 private:
  Traffic& node(int index) { return rows_[first_node_ + static_cast<std::size_t>(index)].traffic; }

  void add(const DmaCopy& copy, int, const Traffic& traffic) {
    const int tensor = dram_.at(copy.dram_address);
    rows_[static_cast<std::size_t>(tensor)].traffic += traffic;
    if (copy.to_scratchpad) write(Footprint(copy), tensor);
  }

  /// An engine's reads are the tensor's if all of them are of one; what it writes is new.
  template <typename Op>
  void add(const Op& operation, int index, const Traffic& traffic) {
    int owner = kMadeOnChip;
    if constexpr (std::is_constructible_v<Footprint, const Op&>) {
      const Footprint footprint(operation);
      owner = read_by(footprint);
      write(footprint, kMadeOnChip);
    }
    Traffic written = traffic;
    if (owner != kMadeOnChip) {
      Traffic read;
      std::swap(read.sram_read, written.sram_read);
      std::swap(read.cim_write_bytes, written.cim_write_bytes);
      rows_[static_cast<std::size_t>(owner)].traffic += read;
    }
    node(index) += written;
  }

  int read_by(const Footprint& footprint) const {
    int owner = kMadeOnChip;
    bool first = true;
    for (const Footprint::Touch& touch : footprint) {
      if (touch.write || touch.space != Footprint::Space::kScratchpad) continue;
      const int found = scratchpad_.of(touch.begin, touch.end);
      if (!first && found != owner) return kMadeOnChip;
      owner = found;
      first = false;
    }
    return owner;
  }

  void write(const Footprint& footprint, int owner) {
    for (const Footprint::Touch& touch : footprint) {
      if (touch.write && touch.space == Footprint::Space::kScratchpad)
        scratchpad_.write(touch.begin, touch.end, owner);
    }
  }

  DramOwners dram_;
  ScratchpadOwners scratchpad_;
  std::vector<TensorTraffic> rows_;
  std::size_t first_node_ = 0;
};

}  // namespace

std::vector<TensorTraffic> tensor_traffic(const Mapping& mapping,
                                          const std::vector<CommandRecord>& records) {
  // A program's commands stand in an order in which each finds what it reads.
  Attribution attribution(mapping);
  for (std::size_t i = 0; i < records.size(); ++i)
    attribution.add(mapping.program.commands[i], records[i].traffic);
  return attribution.rows();
}

}  // namespace quadrille::hw
