// The write port of the CIM bank beat by beat: one granule per cycle on the
// write bus, directly or out of one of two transpose buffers.
#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "hw/engines/cim/cim_bank.h"

namespace quadrille::hw {
namespace {

class CimWriteBeatBody final : public BeatEngine<CimWrite> {
 public:
  explicit CimWriteBeatBody(CimBank& bank)
      : bank_(bank), config_(bank.config()), granule_(write_granule(bank.config())) {}

  bool command_ready() const override { return !operation_.has_value(); }
  bool input_ready() const override {
    if (!operation_ || fill_.done) return false;
    return !operation_->transpose || !block(fill_.index).full;
  }
  bool output_valid() const override { return false; }
  const Beat& output() const override { return nothing_; }

  void tick(const BeatInputs<CimWrite>& inputs) override {
    const bool starts = inputs.command != nullptr && command_ready();
    const bool takes_input = inputs.input != nullptr && input_ready();
    const bool drains =
        operation_ && operation_->transpose && !drain_.done && block(drain_.index).full;
    if (bus_.used) write_cells();
    if (drains) drain();
    if (takes_input) {
      if (operation_->transpose) {
        fill(*inputs.input);
      } else {
        pass(*inputs.input);
      }
    }
    if (operation_ && fill_.done && (!operation_->transpose || drain_.done) && !bus_.used) {
      bank_.finish(*operation_);
      operation_.reset();
    }
    if (starts) {
      bank_.start(*inputs.command);
      operation_ = *inputs.command;
      fill_ = drain_ = Position{};
    }
  }

 private:
  /// The place of the next granule, in the order of input_stream().
  struct Position {
    int column = 0;  ///< First column of the granule or block.
    int row = 0;     ///< Row of the granule, or first row of the block.
    int step = 0;    ///< Beats of the block so far.
    int index = 0;   ///< Blocks so far.
    bool done = false;
  };
  struct Bus {
    int row = 0;
    int column = 0;
    std::vector<std::uint8_t> codes;
    bool used = false;
  };
  struct Block {
    std::vector<std::uint8_t> codes;  ///< granule x granule, a source row each.
    bool full = false;
  };

  Block& block(int index) { return blocks_[static_cast<std::size_t>(index) % blocks_.size()]; }
  const Block& block(int index) const {
    return blocks_[static_cast<std::size_t>(index) % blocks_.size()];
  }

  /// Columns of the granule that starts at `column`: up to its tile's end.
  int width_at(int column) const {
    const int tile_end = (column / config_.columns + 1) * config_.columns;
    return std::min({granule_, tile_end - column, operation_->columns - column});
  }
  int height_at(int row) const { return std::min(granule_, operation_->rows - row); }

  void pass(const Beat& beat) {
    const int width = width_at(fill_.column);
    bus_.row = fill_.row;
    bus_.column = fill_.column;
    bus_.codes.assign(beat.bytes.begin(), beat.bytes.begin() + width);
    bus_.used = true;
    // Along the row to the tile's end, then the tile's next row, then the next tile.
    const int tile_start = fill_.column / config_.columns * config_.columns;
    fill_.column += width;
    if (fill_.column < std::min(tile_start + config_.columns, operation_->columns)) return;
    if (++fill_.row < operation_->rows) {
      fill_.column = tile_start;
      return;
    }
    fill_.row = 0;
    fill_.done = fill_.column == operation_->columns;
  }

  void fill(const Beat& beat) {
    Block& target = block(fill_.index);
    target.codes.resize(static_cast<std::size_t>(granule_) * static_cast<std::size_t>(granule_));
    std::copy_n(beat.bytes.begin(), height_at(fill_.row),
                target.codes.begin() + std::ptrdiff_t{fill_.step} * granule_);
    if (++fill_.step < width_at(fill_.column)) return;
    target.full = true;
    next_block(fill_);
  }

  void drain() {
    Block& source = block(drain_.index);
    bus_.row = drain_.row + drain_.step;
    bus_.column = drain_.column;
    bus_.codes.resize(static_cast<std::size_t>(width_at(drain_.column)));
    for (std::size_t j = 0; j < bus_.codes.size(); ++j)
      bus_.codes[j] = source.codes[j * static_cast<std::size_t>(granule_) +
                                   static_cast<std::size_t>(drain_.step)];
    bus_.used = true;
    if (++drain_.step < height_at(drain_.row)) return;
    source.full = false;
    next_block(drain_);
  }

  void next_block(Position& position) const {
    position.step = 0;
    ++position.index;
    position.row += granule_;
    if (position.row < operation_->rows) return;
    position.row = 0;
    position.column += width_at(position.column);
    position.done = position.column == operation_->columns;
  }

  void write_cells() {
    const int macro = operation_->region.first_macro +
                      bus_.row / config_.rows * operation_->region.column_tiles +
                      bus_.column / config_.columns;
    std::int8_t* cells = bank_.cell_row(macro, bus_.row % config_.rows);
    for (std::size_t j = 0; j < bus_.codes.size(); ++j)
      cells[static_cast<std::size_t>(bus_.column % config_.columns) + j] =
          static_cast<std::int8_t>(low_bits(bus_.codes[j], operation_->weight_bits, true));
    bus_.used = false;
  }

  CimBank& bank_;
  const CimConfig& config_;
  int granule_;
  std::optional<CimWrite> operation_;
  Position fill_;   ///< Where the next input beat goes.
  Position drain_;  ///< Where the next granule out of the transpose buffers goes.
  Bus bus_;
  std::array<Block, static_cast<std::size_t>(kCimTiming.transpose_buffers)> blocks_;
  Beat nothing_;
};

}  // namespace

std::unique_ptr<BeatEngine<CimWrite>> make_cim_write_beat_body(CimBank& bank) {
  return std::make_unique<CimWriteBeatBody>(bank);
}

}  // namespace quadrille::hw
