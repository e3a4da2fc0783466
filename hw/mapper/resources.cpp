#include "hw/mapper/resources.h"

#include <algorithm>

#include "model/errors.h"

namespace quadrille::hw {

std::int64_t divide_up(std::int64_t value, std::int64_t divisor) {
  return (value + divisor - 1) / divisor;
}

std::int64_t round_up(std::int64_t value, std::int64_t multiple) {
  return divide_up(value, multiple) * multiple;
}

ScratchpadPlan::ScratchpadPlan(const ChipConfig& config, ProgramBuilder& builder)
    : config_(config), builder_(builder) {}

std::int64_t ScratchpadPlan::matrix_bytes(std::int64_t rows, std::int64_t row_bytes) const {
  return rows * round_up(row_bytes, config_.scratchpad.word_bytes);
}

Buffer ScratchpadPlan::matrix(std::int64_t rows, std::int64_t row_bytes, const std::string& what) {
  const std::int64_t bytes = matrix_bytes(rows, row_bytes);
  if (bytes > free_bytes()) {
    throw InputError(config_.source(), "scratchpad.capacity_kib",
                     "expected room for " + what + ", " + std::to_string(bytes) + " bytes beside " +
                         std::to_string(used_) + " already placed, found " +
                         std::to_string(config_.scratchpad.capacity_bytes) + " bytes in all");
  }
  const Buffer buffer{static_cast<std::uint64_t>(used_),
                      round_up(row_bytes, config_.scratchpad.word_bytes), builder_.new_storage()};
  used_ += bytes;
  return buffer;
}

Rotation<Buffer> ScratchpadPlan::matrices(int count, std::int64_t rows, std::int64_t row_bytes,
                                          const std::string& what) {
  std::vector<Buffer> buffers;
  for (int i = 0; i < count; ++i) buffers.push_back(matrix(rows, row_bytes, what));
  return Rotation<Buffer>(std::move(buffers));
}

const DramTensor& DramPlan::place(const std::string& name, std::int64_t rows,
                                  std::int64_t row_elements, int element_bytes, bool output) {
  DramTensor tensor{name,  static_cast<std::uint64_t>(used_), rows, row_elements, 0, element_bytes,
                    output};
  tensor.pitch_bytes = round_up(row_elements * element_bytes, config_.dram.burst_bytes);
  used_ += rows * tensor.pitch_bytes;
  if (used_ > config_.dram.capacity_bytes) {
    throw InputError(
        config_.source(), "dram.capacity_mib",
        "expected room for tensor " + name + ", which ends at byte " + std::to_string(used_));
  }
  tensors_.push_back(std::move(tensor));
  return tensors_.back();
}

const DramTensor& DramPlan::at(const std::string& name) const {
  const auto found = std::find_if(tensors_.begin(), tensors_.end(),
                                  [&](const DramTensor& tensor) { return tensor.name == name; });
  if (found == tensors_.end()) throw InvariantError("mapper: no DRAM tensor named " + name);
  return *found;
}

Rotation<MacroSlot> macro_slots(ProgramBuilder& builder, int first, int count,
                                int macros_per_slot) {
  std::vector<MacroSlot> slots;
  for (int macro = first; macro + macros_per_slot <= first + count; macro += macros_per_slot)
    slots.push_back({macro, macros_per_slot, builder.new_storage()});
  if (slots.empty()) throw InvariantError("mapper: no macros left for a slot");
  return Rotation<MacroSlot>(std::move(slots));
}

std::vector<Strip> strips_of(int columns, int columns_per_strip) {
  std::vector<Strip> strips;
  for (int first = 0; first < columns; first += columns_per_strip)
    strips.push_back({first, std::min(columns_per_strip, columns - first)});
  return strips;
}

CimRegion region_for(const CimConfig& config, int first_macro, int rows, int columns) {
  return {first_macro, static_cast<int>(divide_up(rows, config.rows)),
          static_cast<int>(divide_up(columns, config.columns))};
}

const DramTensor& Mapping::tensor(const std::string& name) const {
  const auto found = std::find_if(tensors.begin(), tensors.end(),
                                  [&](const DramTensor& item) { return item.name == name; });
  if (found == tensors.end()) throw InvariantError("mapping: no tensor named " + name);
  return *found;
}

}  // namespace quadrille::hw
