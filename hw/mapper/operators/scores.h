// Products of run-time operands: K (or V) is written into macros, strip by strip,
// and blocks of queries (or of weights) pass.
#pragma once

#include <cstdint>
#include <vector>

#include "hw/mapper/operators/stage.h"

namespace quadrille::hw {

/// Columns [first, first + columns) of a run-time matrix.
struct Strip {
  std::int64_t first = 0;
  std::int64_t columns = 0;
};

/// Strips of at most `most` columns, equal but for the last. Their sums begin where
/// beats of `granule` columns may begin.
std::vector<Strip> aligned_strips(std::int64_t columns, std::int64_t most, std::int64_t granule);

/// A run-time matrix of rows x columns in macros: whole, in several copies used in
/// turn, or strip by strip through slots, written anew for every use.
struct DynamicMatrix {
  std::int64_t rows = 0;
  std::vector<Strip> strips;
  bool whole = true;
  int first_macro = 0;
  int slots = 1;
  int slot_macros = 0;  ///< Of the whole, or of a strip.
  int turn = 0;         ///< Slot of the present content.

  int macros() const { return slots * slot_macros; }
  /// Macros of `columns` columns of `rows` rows.
  static int macros_of(const CimConfig& cim, std::int64_t rows, std::int64_t columns);
  /// The region of strip `index` of the first `rows` rows in the present slot.
  CimRegion region(const CimConfig& cim, std::size_t index, std::int64_t rows) const;
  void next_slot() { turn = (turn + 1) % slots; }
};

/// Columns whose sums fill one beat of the CIM bank's output.
std::int64_t sums_of_beat(const ChipConfig& config);

/// The grid of a query tensor (or a result), and of a key tensor, with rows and
/// columns of one instance.
Grid query_grid(const model::Heads& heads, const model::Tensor& tensor);
Grid key_grid(const model::Heads& heads, const model::Tensor& tensor);

/// Q K^T: scores of blocks of queries.
class Scores {
 public:
  struct Operands {
    model::TensorId q = 0, k = 0;
    model::Heads heads;
    bool causal = false;
    std::int64_t offset = 0;  ///< Query i sees keys up to i + offset.
  };
  /// Macros that K wants, whole.
  static int macros_of(const ChipConfig& config, std::int64_t width, std::int64_t keys,
                       int key_groups);

  /// `copies` of K, or (0) strips through `macros`.
  Scores(Workspace& workspace, int node, const Operands& operands, int key_groups, int copies,
         const MacroRange& macros);
  const DynamicMatrix& matrix() const { return matrix_; }
  std::int64_t keys() const { return keys_; }
  std::int64_t width() const { return matrix_.rows; }

  void carve(Arena& arena, std::int64_t block_rows);
  bool ready(int instance);
  std::int64_t starts_at(int instance);
  /// 32-bit scores of queries row .. row + rows - 1 against the first `keys` keys
  /// (whole strips).
  void emit(int instance, std::int64_t row, std::int64_t rows, std::int64_t keys,
            const View& scores);
  void done(int instance);

 private:
  void write(int instance, std::size_t strip);

  Workspace& workspace_;
  int node_;
  Operands operands_;
  std::int64_t keys_;
  DynamicMatrix matrix_;
  int held_ = -1;  ///< The key instance whose K is in the macros.
  std::size_t strips_held_ = 0;
  Rotation queries_, strips_;
};

}  // namespace quadrille::hw
