#include "hw/engines/sinkhorn/sinkhorn_block.h"

#include <algorithm>
#include <cstdlib>

#include "hw/engines/multiversion.h"
#include "hw/engines/sinkhorn/sinkhorn_line_sums.h"
#include "model/errors.h"
#include "model/numerics/logarithm.h"
#include "model/numerics/reciprocal.h"
#include "model/numerics/rounding.h"

namespace quadrille::hw {
namespace {

using model::Reciprocal;
using model::SinkhornForm;

std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }

struct Shape {
  int rows = 0;
  int columns = 0;
  bool causal = false;

  std::int64_t elements() const { return std::int64_t{rows} * columns; }
  int lines(SinkhornSide side) const { return side == SinkhornSide::kRows ? rows : columns; }
  bool visible(int row, int column) const { return !causal || column <= row; }
  /// Lines of `side` that see element `step` of theirs: [first, end).
  int first_line(SinkhornSide side, int step) const {
    return causal && side == SinkhornSide::kRows ? std::min(step, rows) : 0;
  }
  int end_line(SinkhornSide side, int step) const {
    return causal && side == SinkhornSide::kColumns ? std::min(step + 1, columns) : lines(side);
  }
};

SinkhornSide other_side(SinkhornSide side) {
  return side == SinkhornSide::kRows ? SinkhornSide::kColumns : SinkhornSide::kRows;
}

// --- logarithmic scalings -----------------------------------------------------

/// `copies` matrices whose elements lie interleaved, so that a step's lines are
/// neighbours in memory whatever the shape.
struct Interleaved {
  /// One side's share: its steps' elements, [step][line][copy], and its scalings,
  /// [line][copy], as they are and as the sweep in progress would have them.
  struct Side {
    std::vector<std::int16_t> steps;
    std::vector<std::int32_t> scalings;
    std::vector<std::int32_t> next;
  };
  Side rows, columns;

  Side& side(SinkhornSide which) { return which == SinkhornSide::kRows ? rows : columns; }
  const Side& side(SinkhornSide which) const {
    return which == SinkhornSide::kRows ? rows : columns;
  }
};

class ScalingBlock final : public SinkhornBlock {
 public:
  ScalingBlock(const SinkhornScale& operation, int matrices)
      : shape_{operation.rows, operation.columns, operation.causal},
        left_(model::kLogFractionBits - operation.logit_fraction_bits),
        damped_(operation.update == model::SinkhornUpdate::kDamped),
        column_target_(operation.column_target),
        progress_(operation, matrices) {
    // Small matrices side by side, large ones each with its own lines.
    copies_ = std::max(shape_.rows, shape_.columns) >= matrices ? 1 : matrices;
    tiles_.resize(index(matrices / copies_));
    for (Interleaved& tile : tiles_) {
      for (const SinkhornSide which : {SinkhornSide::kRows, SinkhornSide::kColumns}) {
        Interleaved::Side& side = tile.side(which);
        side.steps.resize(index(shape_.elements() * copies_));
        side.scalings.resize(index(std::int64_t{shape_.lines(which)} * copies_));
        side.next.resize(side.scalings.size());
      }
    }
  }

  void set_logit(std::int64_t position, std::int32_t logit) override {
    const auto matrix = static_cast<int>(position / shape_.elements());
    const std::int64_t row = position % shape_.elements() / shape_.columns;
    const std::int64_t column = position % shape_.columns;
    Interleaved& tile = tiles_[index(matrix / copies_)];
    const std::int64_t copy = matrix % copies_;
    const auto value = static_cast<std::int16_t>(logit);
    tile.rows.steps[index((column * shape_.rows + row) * copies_ + copy)] = value;
    tile.columns.steps[index((row * shape_.columns + column) * copies_ + copy)] = value;
  }
  void set_scaling(SinkhornSide side, std::int64_t position, std::int32_t code) override {
    tiles_[tile_of(side, position)].side(side).scalings[place_of(side, position)] = code;
  }
  void loaded() override {}

  void sweep() override {
    const bool rows = progress_.sums(SinkhornSide::kRows);
    const bool columns = progress_.sums(SinkhornSide::kColumns);
    progress_.begin();
    for (std::size_t t = 0; t < tiles_.size(); ++t) {
      measured_.assign(index(copies_), {});
      clamped_.assign(index(copies_), 0);
      if (rows) sum_and_solve(tiles_[t], SinkhornSide::kRows);
      if (columns) sum_and_solve(tiles_[t], SinkhornSide::kColumns);
      for (int copy = 0; copy < copies_; ++copy) {
        if (!progress_.measured(static_cast<int>(t) * copies_ + copy, measured_[index(copy)]))
          continue;
        saturated_ += clamped_[index(copy)];
        if (rows) replace(tiles_[t].rows, copy);
        if (columns) replace(tiles_[t].columns, copy);
      }
    }
  }

  const SinkhornProgress& progress() const override { return progress_; }
  std::int32_t scaling(SinkhornSide side, std::int64_t position) const override {
    return tiles_[tile_of(side, position)].side(side).scalings[place_of(side, position)];
  }
  std::int32_t kernel(std::int64_t position, std::int64_t& saturated) const override {
    const std::int64_t matrix = position / shape_.elements();
    const std::int64_t row = position % shape_.elements() / shape_.columns;
    const std::int64_t column = position % shape_.columns;
    if (!shape_.visible(static_cast<int>(row), static_cast<int>(column))) return 0;
    const std::int64_t copy = matrix % copies_;
    const std::int64_t logit =
        tiles_[index(matrix / copies_)]
            .rows.steps[index((column * shape_.rows + row) * copies_ + copy)];
    const std::int64_t scalings =
        std::int64_t{scaling(SinkhornSide::kRows, matrix * shape_.rows + row)} +
        scaling(SinkhornSide::kColumns, matrix * shape_.columns + column);
    return static_cast<std::int32_t>(model::power_code(
        logit * (std::int64_t{1} << left_) + scalings, model::kKernelFractionBits, saturated));
  }
  std::int64_t saturated() const override { return saturated_; }

 private:
  std::size_t tile_of(SinkhornSide side, std::int64_t position) const {
    return index(position / shape_.lines(side) / copies_);
  }
  std::size_t place_of(SinkhornSide side, std::int64_t position) const {
    const std::int64_t copy = position / shape_.lines(side) % copies_;
    return index(position % shape_.lines(side) * copies_ + copy);
  }

  void sum_and_solve(Interleaved& tile, SinkhornSide which) {
    Interleaved::Side& side = tile.side(which);
    const std::int32_t* others = tile.side(other_side(which)).scalings.data();
    const auto copies = index(copies_);
    const std::size_t lines = index(shape_.lines(which));
    sums_.clear(lines * copies);
    for (int step = 0; step < shape_.lines(other_side(which)); ++step) {
      const std::size_t first = index(shape_.first_line(which, step));
      const std::size_t count = index(shape_.end_line(which, step)) - first;
      add_terms(sums_, first * copies, &side.steps[(index(step) * lines + first) * copies],
                count * copies, left_, others + index(step) * copies, copies);
    }
    const std::int64_t target = which == SinkhornSide::kRows ? 0 : column_target_;
    for (std::size_t k = 0; k < lines * copies; ++k) {
      side.next[k] = side.scalings[k];
      if (sums_.sums[k] == 0) continue;  // Sees nothing.
      const SolvedLine line = solve_line(sums_.logarithm(k), target, side.scalings[k], damped_);
      model::SinkhornResidualCode& measured = measured_[k % copies];
      std::int32_t& largest = which == SinkhornSide::kRows ? measured.row : measured.column;
      largest = std::max(largest, line.residual);
      clamped_[k % copies] += line.saturated ? 1 : 0;
      side.next[k] = line.scaling;
    }
  }

  void replace(Interleaved::Side& side, int copy) const {
    for (std::size_t k = index(copy); k < side.next.size(); k += index(copies_))
      side.scalings[k] = side.next[k];
  }

  Shape shape_;
  int left_;
  bool damped_;
  std::int64_t column_target_;
  SinkhornProgress progress_;
  int copies_ = 1;
  std::vector<Interleaved> tiles_;
  LogSums sums_;
  std::vector<model::SinkhornResidualCode>
      measured_;  ///< The residuals of the sweep in progress, by copy.
  std::vector<std::int64_t> clamped_;
  std::int64_t saturated_ = 0;
};

// --- held K -------------------------------------------------------------------

constexpr std::int64_t kLargestWord = INT32_MAX;
constexpr std::int64_t kLargestSum = (std::int64_t{1} << 46) - 1;
constexpr std::int64_t kLargestProduct = (std::int64_t{1} << 38) - 1;
constexpr std::int64_t kOne = std::int64_t{1} << model::kKernelFractionBits;
constexpr int kResidualShift = model::kKernelFractionBits - model::kLogFractionBits;

/// A sum as a divisor.
std::int64_t divisor(std::int64_t sum, std::int64_t& saturated) {
  if (sum >= 1 && sum <= kLargestSum) return sum;
  ++saturated;
  return sum < 1 ? 1 : kLargestSum;
}

std::int64_t at_most(std::int64_t x, std::int64_t largest, std::int64_t& saturated) {
  if (x <= largest) return x;
  ++saturated;
  return largest;
}

std::int64_t scaled(std::int64_t x, const Reciprocal& scaling) {
  return model::round_shift(x * static_cast<std::int64_t>(scaling.mantissa),
                            scaling.shift - model::kKernelFractionBits);
}

/// scaled() by one reciprocal for a whole line of K, without a branch.
class Factor {
 public:
  Factor() = default;
  explicit Factor(const Reciprocal& scaling) {
    const int right = scaling.shift - model::kKernelFractionBits;
    mantissa_ = std::uint64_t{scaling.mantissa} << std::max(0, -right);
    round_ = model::RoundShift<std::uint64_t>(std::max(0, right));
  }
  std::uint64_t operator()(std::int32_t x) const {
    return round_(static_cast<std::uint64_t>(x) * mantissa_);
  }

 private:
  std::uint64_t mantissa_ = 0;
  model::RoundShift<std::uint64_t> round_;
};

class HeldBlock final : public SinkhornBlock {
 public:
  HeldBlock(const SinkhornScale& operation, int matrices)
      : shape_{operation.rows, operation.columns, operation.causal},
        left_(model::kLogFractionBits - operation.logit_fraction_bits),
        matrix_form_(operation.form == SinkhornForm::kMatrix),
        inverse_target_(operation.column_target_inverse),
        progress_(operation, matrices),
        words_(index(shape_.elements() * matrices)) {
    for (const SinkhornSide side : {SinkhornSide::kRows, SinkhornSide::kColumns})
      scalings(side).assign(index(std::int64_t{shape_.lines(side)} * matrices), kUnit);
    largest_.assign(index(matrices), INT32_MIN);
  }

  void set_logit(std::int64_t position, std::int32_t logit) override {
    words_[index(position)] = logit;
    if (!visible(position)) return;
    std::int32_t& largest = largest_[index(position / shape_.elements())];
    largest = std::max(largest, logit);
  }
  void set_scaling(SinkhornSide, std::int64_t, std::int32_t) override {
    throw InvariantError("held K has no warm start");
  }

  void loaded() override {
    std::int64_t never = 0;  // K0 is at most 1.
    for (std::size_t k = 0; k < words_.size(); ++k) {
      const auto position = static_cast<std::int64_t>(k);
      const std::int64_t below =
          std::int64_t{words_[k]} - largest_[index(position / shape_.elements())];
      words_[k] = visible(position)
                      ? static_cast<std::int32_t>(model::power_code(
                            below * (std::int64_t{1} << left_), model::kKernelFractionBits, never))
                      : 0;
    }
  }

  void sweep() override {
    const SinkhornSide side =
        progress_.sums(SinkhornSide::kRows) ? SinkhornSide::kRows : SinkhornSide::kColumns;
    progress_.begin();
    const std::int64_t lines = shape_.lines(side);
    for (int matrix = 0; index(matrix) < largest_.size(); ++matrix) {
      sum_lines(matrix, side);
      std::int64_t clamped = 0;
      model::SinkhornResidualCode measured;
      (side == SinkhornSide::kRows ? measured.row : measured.column) =
          solve_lines(matrix, side, clamped);
      if (!progress_.measured(matrix, measured)) continue;
      if (matrix_form_)
        scale_matrix(matrix, side, clamped);
      else
        std::copy(next_.begin(), next_.end(), &scalings(side)[index(matrix * lines)]);
      saturated_ += clamped;
    }
  }

  const SinkhornProgress& progress() const override { return progress_; }
  std::int32_t scaling(SinkhornSide side, std::int64_t position) const override {
    const Reciprocal& word =
        (side == SinkhornSide::kRows ? row_scalings_ : column_scalings_)[index(position)];
    return static_cast<std::int32_t>(packed(word));
  }
  std::int32_t kernel(std::int64_t position, std::int64_t& saturated) const override {
    const std::int32_t word = words_[index(position)];
    if (matrix_form_ || word == 0) return word;
    const std::int64_t matrix = position / shape_.elements();
    const std::int64_t row = position / shape_.columns;  // The row's number over all matrices.
    const std::int64_t column = matrix * shape_.columns + position % shape_.columns;
    const std::int64_t product =
        at_most(scaled(word, row_scalings_[index(row)]), kLargestProduct, saturated);
    return static_cast<std::int32_t>(
        at_most(scaled(product, column_scalings_[index(column)]), kLargestWord, saturated));
  }
  std::int64_t saturated() const override { return saturated_; }

 private:
  static constexpr Reciprocal kUnit{std::uint32_t{1} << 15, 39};

  std::vector<Reciprocal>& scalings(SinkhornSide side) {
    return side == SinkhornSide::kRows ? row_scalings_ : column_scalings_;
  }
  bool visible(std::int64_t position) const {
    const std::int64_t in_matrix = position % shape_.elements();
    return shape_.visible(static_cast<int>(in_matrix / shape_.columns),
                          static_cast<int>(in_matrix % shape_.columns));
  }
  const std::int32_t* row_words(int matrix, int row) const {
    return &words_[index(matrix * shape_.elements() + std::int64_t{row} * shape_.columns)];
  }

  // kKernel multiplies each element by the other side's scaling, kMatrix adds
  // it as it is. Integer sums have no order.
  void sum_lines(int matrix, SinkhornSide side) {
    const bool rows = side == SinkhornSide::kRows;
    const auto columns = index(shape_.columns);
    const SinkhornSide other = other_side(side);
    factors_.clear();
    for (int k = 0; !matrix_form_ && k < shape_.lines(other); ++k)
      factors_.emplace_back(scalings(other)[index(std::int64_t{matrix} * shape_.lines(other) + k)]);
    sums_.assign(index(shape_.lines(side)), 0);
    for (int row = 0; row < shape_.rows; ++row) {
      const std::int32_t* words = row_words(matrix, row);
      if (rows)
        sums_[index(row)] = matrix_form_ ? plain_sum(words, columns)
                                         : weighted_sum(words, factors_.data(), columns);
      else if (matrix_form_)
        add_plain(words, sums_.data(), columns);
      else
        add_weighted(words, factors_[index(row)], sums_.data(), columns);
    }
  }

  static std::int64_t plain_sum(const std::int32_t* words, std::size_t count) {
    std::int64_t sum = 0;
    for (std::size_t k = 0; k < count; ++k) sum += words[k];
    return sum;
  }
  static void add_plain(const std::int32_t* words, std::int64_t* sums, std::size_t count) {
    for (std::size_t k = 0; k < count; ++k) sums[k] += words[k];
  }
  static std::int64_t weighted_sum(const std::int32_t* words, const Factor* factors,
                                   std::size_t count) {
    std::uint64_t sum = 0;
    for (std::size_t k = 0; k < count; ++k) sum += factors[k](words[k]);
    return static_cast<std::int64_t>(sum);
  }
  static void add_weighted(const std::int32_t* words, const Factor& factor, std::int64_t* sums,
                           std::size_t count) {
    for (std::size_t k = 0; k < count; ++k) sums[k] += static_cast<std::int64_t>(factor(words[k]));
  }

  /// Fills next_; returns the largest residual.
  std::int32_t solve_lines(int matrix, SinkhornSide side, std::int64_t& clamped) {
    const int lines = shape_.lines(side);
    const Reciprocal* old = &scalings(side)[index(std::int64_t{matrix} * lines)];
    next_.assign(old, old + lines);
    std::int64_t largest = 0;
    for (int line = 0; line < lines; ++line) {
      const bool column = side == SinkhornSide::kColumns;
      if (column && shape_.causal && line >= shape_.rows) continue;  // Sees nothing.
      std::int64_t sum = divisor(sums_[index(line)], clamped);
      if (column)
        sum = divisor(
            model::round_shift(sum * std::int64_t{inverse_target_.mantissa}, inverse_target_.shift),
            clamped);
      largest = std::max(largest, std::min(residual(sum, old[line]), kLargestWord));
      next_[index(line)] = model::reciprocal(static_cast<std::uint64_t>(sum));
    }
    return static_cast<std::int32_t>(largest);
  }

  std::int64_t residual(std::int64_t sum, const Reciprocal& old) const {
    if (matrix_form_) return model::round_shift(std::llabs(sum - kOne), kResidualShift);
    const std::int64_t ratio = model::round_shift(sum * static_cast<std::int64_t>(old.mantissa),
                                                  old.shift - model::kLogFractionBits);
    return std::llabs(ratio - (std::int64_t{1} << model::kLogFractionBits));
  }

  void scale_matrix(int matrix, SinkhornSide side, std::int64_t& clamped) {
    factors_.clear();
    for (const Reciprocal& scaling : next_) factors_.emplace_back(scaling);
    std::int32_t* word = &words_[index(matrix * shape_.elements())];
    for (int row = 0; row < shape_.rows; ++row) {
      for (int column = 0; column < shape_.columns; ++column, ++word) {
        if (!shape_.visible(row, column)) continue;
        const Factor& factor = factors_[index(side == SinkhornSide::kRows ? row : column)];
        *word = static_cast<std::int32_t>(
            at_most(static_cast<std::int64_t>(factor(*word)), kLargestWord, clamped));
      }
    }
  }

  Shape shape_;
  int left_;
  bool matrix_form_;
  model::Multiplier inverse_target_;
  SinkhornProgress progress_;
  std::vector<std::int32_t> words_;  ///< Logits, then K.
  std::vector<std::int32_t> largest_;
  std::vector<Reciprocal> row_scalings_;
  std::vector<Reciprocal> column_scalings_;
  std::vector<std::int64_t> sums_;  ///< The sweep in progress adds up one matrix here.
  std::vector<Reciprocal> next_;
  std::vector<Factor> factors_;
  std::int64_t saturated_ = 0;
};

}  // namespace

std::unique_ptr<SinkhornBlock> make_sinkhorn_block(const SinkhornScale& operation, int matrices) {
  if (operation.form == SinkhornForm::kScaling)
    return std::make_unique<ScalingBlock>(operation, matrices);
  return std::make_unique<HeldBlock>(operation, matrices);
}

}  // namespace quadrille::hw
