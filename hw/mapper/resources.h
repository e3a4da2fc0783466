// What a mapper hands out: scratchpad addresses, DRAM addresses, macros.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "hw/chip_config.h"
#include "hw/mapper/mapping.h"
#include "hw/mapper/program_builder.h"

namespace quadrille::hw {

std::int64_t round_up(std::int64_t value, std::int64_t multiple);
std::int64_t divide_up(std::int64_t value, std::int64_t divisor);

/// A row-major matrix in the scratchpad; rows start at word boundaries.
struct Buffer {
  std::uint64_t address = 0;
  std::int64_t pitch_bytes = 0;
  Storage storage = -1;
};

/// Hands out scratchpad words from the bottom up; nothing is freed, since a
/// program is one layer or one operator.
class ScratchpadPlan {
 public:
  ScratchpadPlan(const ChipConfig& config, ProgramBuilder& builder);

  /// Throws InputError naming `what` when the scratchpad is too small.
  Buffer matrix(std::int64_t rows, std::int64_t row_bytes, const std::string& what);
  Rotation<Buffer> matrices(int count, std::int64_t rows, std::int64_t row_bytes,
                            const std::string& what);
  std::int64_t matrix_bytes(std::int64_t rows, std::int64_t row_bytes) const;

  std::int64_t used_bytes() const { return used_; }
  std::int64_t free_bytes() const { return config_.scratchpad.capacity_bytes - used_; }

 private:
  const ChipConfig& config_;
  ProgramBuilder& builder_;
  std::int64_t used_ = 0;
};

/// Places tensors in DRAM one after the other, rows at burst boundaries.
class DramPlan {
 public:
  explicit DramPlan(const ChipConfig& config) : config_(config) {}
  const DramTensor& place(const std::string& name, std::int64_t rows, std::int64_t row_elements,
                          int element_bytes, bool output);
  const DramTensor& at(const std::string& name) const;
  std::vector<DramTensor> take() { return std::move(tensors_); }

 private:
  const ChipConfig& config_;
  std::vector<DramTensor> tensors_;
  std::int64_t used_ = 0;
};

/// A group of macros with a matrix (or a strip of its columns) in it.
struct MacroSlot {
  int first_macro = 0;
  int macros = 0;
  Storage storage = -1;
};

/// Cuts macros first .. first + count - 1 into equal slots.
Rotation<MacroSlot> macro_slots(ProgramBuilder& builder, int first, int count, int macros_per_slot);

/// Columns first .. first + columns - 1 of a k x n matrix, as many as fit a slot.
struct Strip {
  int first_column = 0;
  int columns = 0;
};

/// Equal strips of at most `columns_per_strip` columns.
std::vector<Strip> strips_of(int columns, int columns_per_strip);

/// Region that a k x columns strip takes from macro `first_macro` on.
CimRegion region_for(const CimConfig& config, int first_macro, int rows, int columns);

}  // namespace quadrille::hw
