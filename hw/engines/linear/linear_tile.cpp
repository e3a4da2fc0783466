#include "hw/engines/linear/linear_tile.h"

#include <algorithm>
#include <cstring>

#include "hw/engines/beat_engine.h"
#include "hw/engines/multiversion.h"
#include "model/numerics/integers.h"

namespace quadrille::hw {
namespace {

/// Tokens worked off at once: this timing's own number, since every chunking
/// gives the same bits.
constexpr int kBlock = 16;
/// Rows that are added to a row at once, so that it is fetched and stored once
/// for all of them. Rows and tokens are padded with zeros to multiples of it.
constexpr int kRows = 4;

// Doubles hold integers below 2^53 (linear_tile.h), so the rule of
// QUADRILLE_MULTIVERSION, the same bits on every machine, holds for them too.

/// S += keys values, z += keys: [width, kBlock] x [kBlock, columns].
QUADRILLE_MULTIVERSION
void add_outer_products(const std::int32_t* __restrict keys, const std::int32_t* __restrict values,
                        std::ptrdiff_t tokens, std::ptrdiff_t width, std::ptrdiff_t columns,
                        double* __restrict state, double* __restrict keys_sum) {
  for (std::ptrdiff_t l = 0; l < width; ++l) {
    double* __restrict row = state + l * columns;
    for (std::ptrdiff_t j = 0; j < tokens; j += kRows) {
      const std::int32_t* key = keys + l * kBlock + j;
      const std::int32_t* value = values + j * columns;
      keys_sum[l] += key[0] + key[1] + key[2] + key[3];
      // Four products of at most 255 * 128.
      for (std::ptrdiff_t c = 0; c < columns; ++c) {
        row[c] += key[0] * value[c] + key[1] * value[columns + c] +
                  key[2] * value[2 * columns + c] + key[3] * value[3 * columns + c];
      }
    }
  }
}

/// out = a b: [kBlock, width] x [width, columns]. 32-bit sums: 4096 * 255^2.
template <typename Element>
inline __attribute__((always_inline)) void multiply(const std::int32_t* __restrict a,
                                                    const Element* __restrict b,
                                                    std::ptrdiff_t width, std::ptrdiff_t columns,
                                                    Element* __restrict out) {
  for (std::ptrdiff_t i = 0; i < kBlock; ++i) {
    Element* __restrict sum = out + i * columns;
    for (std::ptrdiff_t c = 0; c < columns; ++c) sum[c] = 0;
    for (std::ptrdiff_t l = 0; l < width; l += kRows) {
      const std::int32_t* codes = a + i * width + l;
      const Element* row = b + l * columns;
      const Element a0 = codes[0], a1 = codes[1], a2 = codes[2], a3 = codes[3];
      for (std::ptrdiff_t c = 0; c < columns; ++c) {
        sum[c] += a0 * row[c] + a1 * row[columns + c] + a2 * row[2 * columns + c] +
                  a3 * row[3 * columns + c];
      }
    }
  }
}

QUADRILLE_MULTIVERSION
void read_out(const std::int32_t* queries, const double* state, std::ptrdiff_t width,
              std::ptrdiff_t columns, double* sums) {
  multiply(queries, state, width, columns, sums);
}

QUADRILLE_MULTIVERSION
void make_scores(const std::int32_t* queries, const std::int32_t* keys, std::ptrdiff_t width,
                 std::ptrdiff_t columns, std::int32_t* scores) {
  multiply(queries, keys, width, columns, scores);
}

/// sums += the rows' weighted sum; gives the sum of the weights.
QUADRILLE_MULTIVERSION
double add_rows(const std::int32_t* __restrict weights, const double* __restrict rows,
                std::ptrdiff_t count, std::ptrdiff_t columns, double* __restrict sums) {
  double total = 0;
  std::ptrdiff_t j = 0;
  for (; j + kRows <= count; j += kRows) {
    const double* row = rows + j * columns;
    const double w0 = weights[j], w1 = weights[j + 1], w2 = weights[j + 2], w3 = weights[j + 3];
    total += w0 + w1 + w2 + w3;
    for (std::ptrdiff_t c = 0; c < columns; ++c) {
      sums[c] += w0 * row[c] + w1 * row[columns + c] + w2 * row[2 * columns + c] +
                 w3 * row[3 * columns + c];
    }
  }
  for (; j < count; ++j) {
    const double weight = weights[j];
    total += weight;
    for (std::ptrdiff_t c = 0; c < columns; ++c) sums[c] += weight * rows[j * columns + c];
  }
  return total;
}

void add_row(std::int32_t weight, const std::vector<double>& row, double* sums) {
  add_rows(&weight, row.data(), 1, static_cast<int>(row.size()), sums);
}

const std::uint8_t* codes_at(const Bytes& memory, std::uint64_t address, std::int64_t pitch_bytes,
                             int row, int count) {
  return memory.read(address + static_cast<std::uint64_t>(row * pitch_bytes),
                     static_cast<std::uint64_t>(count));
}

std::int32_t signed_code(std::uint8_t byte) { return static_cast<std::int8_t>(byte); }

/// Entry code + 128: the sign bit flipped.
std::int32_t look_up(const model::PhiTable& table, std::uint8_t byte) {
  return table[byte ^ 0x80U];
}

}  // namespace

void LinearTile::run(const LinearAttend& operation, const Bytes& memory, Activity& values) {
  op_ = operation;
  if (op_.reset) reset(memory);
  window_first_ =
      linear_window(op_.first_position, op_.query_tokens, op_.total_keys, op_.horizon).first;
  const int tokens = std::max(op_.key_tokens, op_.query_tokens);
  for (int first = 0; first < tokens; first += kBlock) {
    const int keys = std::clamp(op_.key_tokens - first, 0, kBlock);
    const int queries = std::clamp(op_.query_tokens - first, 0, kBlock);
    load_keys(memory, first, keys);
    load_values(memory, first, keys);
    load_queries(memory, first, queries, values);
    if (queries > 0) answer(memory, first, keys, queries, values);
    add_outer_products(keys_.data(), values_.data(), keys, op_.width, columns_, state_.data(),
                       keys_sum_.data());
  }
}

void LinearTile::answer(const Bytes& memory, int first, int keys, int queries, Activity& values) {
  read_out(queries_.data(), state_.data(), width_, columns_, sums_.data());
  for (int i = 0; i < queries; ++i) {
    double& denominator = denominators_[static_cast<std::size_t>(i)];
    denominator = 0;
    const std::int32_t* query = &queries_[cell(i, 0, width_)];
    for (std::size_t l = 0; l < keys_sum_.size(); ++l) denominator += query[l] * keys_sum_[l];
  }
  if (op_.causal) add_inside_block(keys, queries);
  if (weights_ > 0)
    make_scores(queries_.data(), positions_.data(), width_, weights_, relative_.data());
  for (int i = 0; i < queries; ++i) {
    const int position = op_.first_position + first + i;
    if (linear_streams_window(op_)) load_window(memory, position + op_.horizon);
    if (weights_ > 0) add_relative(position, i);
    store(memory, first + i, i, values);
  }
}

void LinearTile::reset(const Bytes& memory) {
  // Columns and weights to what a vector of the machine holds.
  columns_ = model::round_up(op_.value_width, 8);
  weights_ = model::round_up(linear_weights(op_), 8);
  width_ = model::round_up(op_.width, kRows);
  const auto width = static_cast<std::size_t>(width_);
  const auto columns = static_cast<std::size_t>(columns_);
  state_.assign(width * columns, 0);
  keys_sum_.assign(width, 0);
  before_.assign(columns, 0);
  after_ = total_ = before_;
  window_rows_ = 0;
  ring_.assign(2 * cell(2 * std::max(op_.horizon, 0) + kBlock, 0, columns_), 0);
  keys_.assign(width * kBlock, 0);
  queries_.assign(kBlock * width, 0);
  values_.assign(kBlock * columns, 0);
  wide_values_.assign(kBlock * columns, 0);
  scores_.assign(std::size_t{kBlock} * kBlock, 0);
  relative_.assign(cell(kBlock, 0, weights_), 0);
  sums_.assign(kBlock * columns, 0);
  denominators_.assign(kBlock, 0);
  damf_.emplace(linear_damf_settings(op_));
  if (op_.kind == LinearKind::kKernel) load_tables(memory);
}

void LinearTile::load_tables(const Bytes& memory) {
  for (std::size_t t = 0; t < tables_.size(); ++t)
    std::memcpy(tables_[t].data(), memory.read(op_.tables + 256 * t, 256), 256);
  positions_.assign(cell(width_, 0, weights_), 0);
  for (int r = 0; r < linear_weights(op_); ++r) {
    const std::uint8_t* row =
        codes_at(memory, op_.positions, op_.position_pitch_bytes, r, op_.width);
    for (int l = 0; l < op_.width; ++l)
      positions_[cell(l, r, weights_)] = look_up(tables_[2], row[l]);
  }
  // Under the mask no key has a positive offset: those rows come in, too, and go nowhere.
  for (int r = linear_weights(op_); r < 2 * op_.horizon + 1; ++r)
    codes_at(memory, op_.positions, op_.position_pitch_bytes, r, op_.width);
}

void LinearTile::load_keys(const Bytes& memory, int first, int count) {
  if (count < kBlock) std::fill(keys_.begin(), keys_.end(), 0);
  for (int j = 0; j < count; ++j) {
    if (op_.kind == LinearKind::kDamf) {
      const std::uint8_t* pair = codes_at(memory, op_.keys, 2, first + j, 2);
      damf_->load(signed_code(pair[0]), signed_code(pair[1]));
      keys_[cell(0, j, kBlock)] = 1;
      keys_[cell(1, j, kBlock)] = signed_code(pair[1]);
      continue;
    }
    const std::uint8_t* row = codes_at(memory, op_.keys, op_.key_pitch_bytes, first + j, op_.width);
    for (int l = 0; l < op_.width; ++l) keys_[cell(l, j, kBlock)] = look_up(tables_[1], row[l]);
  }
}

void LinearTile::load_values(const Bytes& memory, int first, int count) {
  for (int j = 0; j < count; ++j) {
    const std::uint8_t* row =
        codes_at(memory, op_.values, op_.value_pitch_bytes, first + j, op_.value_width);
    std::int32_t* out = &values_[cell(j, 0, columns_)];
    double* wide = &wide_values_[cell(j, 0, columns_)];
    for (int c = 0; c < op_.value_width; ++c) wide[c] = out[c] = signed_code(row[c]);
    if (weights_ == 0) continue;
    const std::int32_t one = 1;
    add_rows(&one, wide, 1, columns_, total_.data());
    add_rows(&one, wide, 1, columns_, after_.data());
    if (op_.causal) hold(op_.first_position + first + j, wide);
  }
}

void LinearTile::load_queries(const Bytes& memory, int first, int count, Activity& values) {
  for (int i = 0; i < count; ++i) {
    std::int32_t* out = &queries_[cell(i, 0, width_)];
    if (op_.kind == LinearKind::kDamf) {
      const std::uint8_t* pair = codes_at(memory, op_.queries, 2, first + i, 2);
      const DamfRow row = damf_->next(signed_code(pair[0]), signed_code(pair[1]));
      values.uniform_rows += row.uniform ? 1 : 0;
      out[0] = LinearDamfQuery(row).a_max;
      out[1] = LinearDamfQuery(row).s;
      continue;
    }
    const std::uint8_t* row =
        codes_at(memory, op_.queries, op_.query_pitch_bytes, first + i, op_.width);
    for (int l = 0; l < op_.width; ++l) out[l] = look_up(tables_[0], row[l]);
  }
}

void LinearTile::add_inside_block(int keys, int queries) {
  make_scores(queries_.data(), keys_.data(), width_, kBlock, scores_.data());
  for (int i = 0; i < queries; ++i) {
    denominators_[static_cast<std::size_t>(i)] +=
        add_rows(&scores_[cell(i, 0, kBlock)], wide_values_.data(), std::min(keys, i + 1), columns_,
                 sums(i));
  }
}

double* LinearTile::ring_row(int position) {
  const std::size_t rows = ring_.size() / before_.size() / 2;
  return &ring_[static_cast<std::size_t>(position) % rows * before_.size()];
}

void LinearTile::hold(int position, const double* row) {
  double* held = ring_row(position);
  std::copy_n(row, before_.size(), held);
  std::copy_n(row, before_.size(), held + ring_.size() / 2);
}

/// Puts the rows of V up to `end` into the window; only for queries that are not
/// causal.
void LinearTile::load_window(const Bytes& memory, int end) {
  std::vector<double> row(before_.size(), 0);
  for (; window_rows_ < std::min(end, op_.total_keys); ++window_rows_) {
    const std::uint8_t* codes = codes_at(memory, op_.window, op_.value_pitch_bytes,
                                         window_rows_ - window_first_, op_.value_width);
    for (int c = 0; c < op_.value_width; ++c)
      row[static_cast<std::size_t>(c)] = signed_code(codes[c]);
    hold(window_rows_, row.data());
    add_row(-1, row, after_.data());
  }
}

// The three terms of the relative positions: one weight for all keys before the
// window, one each inside, one for all behind it.
void LinearTile::add_relative(int position, int index) {
  const int k = op_.horizon;
  const int keys = op_.total_keys;
  double& denominator = denominators_[static_cast<std::size_t>(index)];
  const auto add = [&](std::int32_t weight, const std::vector<double>& sum, int count) {
    denominator += static_cast<double>(weight) * count;
    add_row(weight, sum, sums(index));
  };
  if (k == 0 && !op_.causal) return add(relative_[cell(index, 0, weights_)], total_, keys);
  if (position >= k && position - k < keys) {
    const std::int32_t one = 1;
    add_rows(&one, ring_row(position - k), 1, columns_, before_.data());
  }
  add(relative_[cell(index, 0, weights_)], before_, std::clamp(position - k + 1, 0, keys));
  const int first = std::max(position - k + 1, 0);
  const int end = std::min(position + k, op_.causal ? std::min(position + 1, keys) : keys);
  if (first < end) {
    denominator += add_rows(&relative_[cell(index, first - position + k, weights_)],
                            ring_row(first), end - first, columns_, sums(index));
  }
  if (!op_.causal)
    add(relative_[cell(index, 2 * k, weights_)], after_, std::max(keys - position - k, 0));
}

void LinearTile::store(const Bytes& memory, int query, int index, Activity& values) const {
  const auto columns = static_cast<std::uint64_t>(op_.value_width);
  const auto row = static_cast<std::uint64_t>(query);
  const double* sums = &sums_[cell(index, 0, columns_)];
  const auto denominator =
      static_cast<std::int64_t>(denominators_[static_cast<std::size_t>(index)]);
  const LinearDivision division(denominator);
  std::uint8_t* out = memory.write(
      op_.destination + row * static_cast<std::uint64_t>(op_.destination_pitch_bytes), 4 * columns);
  for (std::uint64_t c = 0; c < columns; ++c) {
    const std::int32_t code = division.apply(static_cast<std::int64_t>(sums[c]), values.saturated);
    std::memcpy(out + 4 * c, &code, 4);
  }
  if (!op_.sums_wanted) return;
  std::uint8_t* numerators = memory.write(
      op_.numerators + row * static_cast<std::uint64_t>(op_.numerator_pitch_bytes), 8 * columns);
  for (std::uint64_t c = 0; c < columns; ++c) {
    const auto sum = static_cast<std::int64_t>(sums[c]);
    std::memcpy(numerators + 8 * c, &sum, 8);
  }
  std::memcpy(memory.write(op_.denominators + 8 * row, 8), &denominator, 8);
}

}  // namespace quadrille::hw
