#include "hw/engines/linear/linear_tile.h"

#include <algorithm>
#include <cstring>

#include "hw/engines/beat_engine.h"
#include "hw/engines/multiversion.h"

namespace quadrille::hw {
namespace {

// Doubles that hold integers: see linear_tile.h for why QUADRILLE_MULTIVERSION's
// rule of integer loops is kept in spirit.

QUADRILLE_MULTIVERSION
void add_outer_products(const std::int32_t* keys, const std::int32_t* values, int tokens, int width,
                        int columns, double* state, double* keys_sum) {
  std::int32_t sums[Beat::kBytes / 4];
  for (int l = 0; l < width; ++l) {
    for (int c = 0; c < columns; ++c) sums[c] = 0;
    std::int32_t plain = 0;
    for (int j = 0; j < tokens; ++j) {
      const std::int32_t key = keys[j * width + l];
      plain += key;
      for (int c = 0; c < columns; ++c) sums[c] += key * values[j * columns + c];
    }
    keys_sum[l] += plain;
    double* row = state + static_cast<std::ptrdiff_t>(l) * columns;
    for (int c = 0; c < columns; ++c) row[c] += sums[c];
  }
}

QUADRILLE_MULTIVERSION
void read_out(const std::int32_t* queries, const double* state, const double* keys_sum, int tokens,
              int width, int columns, double* sums, double* denominators) {
  for (int i = 0; i < tokens; ++i) denominators[i] = 0;
  for (int i = 0; i < tokens * columns; ++i) sums[i] = 0;
  for (int l = 0; l < width; ++l) {
    const double* row = state + static_cast<std::ptrdiff_t>(l) * columns;
    for (int i = 0; i < tokens; ++i) {
      const double query = queries[i * width + l];
      double* sum = sums + static_cast<std::ptrdiff_t>(i) * columns;
      denominators[i] += query * keys_sum[l];
      for (int c = 0; c < columns; ++c) sum[c] += query * row[c];
    }
  }
}

QUADRILLE_MULTIVERSION
std::int32_t dot(const std::int32_t* a, const std::int32_t* b, int count) {
  std::int32_t sum = 0;
  for (int l = 0; l < count; ++l) sum += a[l] * b[l];
  return sum;
}

QUADRILLE_MULTIVERSION
void add_scaled(double weight, const double* row, double* sums, int columns) {
  for (int c = 0; c < columns; ++c) sums[c] += weight * row[c];
}

}  // namespace

void LinearTile::run(const LinearAttend& operation, const Bytes& memory, Activity& values) {
  check(config_, operation);
  sequence_.follow(operation);
  op_ = operation;
  if (op_.reset) reset(memory);
  const int tokens = std::max(op_.key_tokens, op_.query_tokens);
  for (int first = 0; first < tokens; first += kBlock) {
    const int keys = std::clamp(op_.key_tokens - first, 0, kBlock);
    const int queries = std::clamp(op_.query_tokens - first, 0, kBlock);
    load_keys(memory, first, keys);
    load_values(memory, first, keys);
    load_queries(memory, first, queries, values);
    read_out(queries_.data(), state_.data(), keys_sum_.data(), queries, op_.width, op_.value_width,
             sums_.data(), denominators_.data());
    if (op_.causal) add_inside_block(keys, queries);
    add_outer_products(keys_.data(), values_.data(), keys, op_.width, op_.value_width,
                       state_.data(), keys_sum_.data());
    for (int i = 0; i < queries; ++i) {
      double* sums = &sums_[static_cast<std::size_t>(i * op_.value_width)];
      double& denominator = denominators_[static_cast<std::size_t>(i)];
      if (op_.horizon >= 0) add_relative(memory, first + i, sums, &denominator);
      store(memory, first + i, sums, denominator, values);
    }
  }
}

void LinearTile::reset(const Bytes& memory) {
  const auto width = static_cast<std::size_t>(op_.width);
  const auto columns = static_cast<std::size_t>(op_.value_width);
  state_.assign(width * columns, 0);
  keys_sum_.assign(width, 0);
  before_.assign(columns, 0);
  after_ = total_ = before_;
  window_rows_ = 0;
  ring_.assign(static_cast<std::size_t>(2 * std::max(op_.horizon, 0) + kBlock) * columns, 0);
  keys_.assign(kBlock * width, 0);
  queries_ = keys_;
  values_.assign(kBlock * columns, 0);
  wide_values_.assign(kBlock * columns, 0);
  sums_ = wide_values_;
  denominators_.assign(kBlock, 0);
  damf_.emplace(linear_damf_settings(op_));
  if (op_.kind == LinearKind::kKernel) load_tables(memory);
}

void LinearTile::load_tables(const Bytes& memory) {
  for (std::size_t t = 0; t < tables_.size(); ++t)
    std::memcpy(tables_[t].data(), memory.at(op_.tables + 256 * t, 256), 256);
  positions_.clear();
  for (int r = 0; op_.horizon >= 0 && r <= 2 * op_.horizon; ++r) {
    const std::uint8_t* row =
        memory.at(op_.positions + static_cast<std::uint64_t>(r * op_.position_pitch_bytes),
                  static_cast<std::uint64_t>(op_.width));
    // Entry code + 128: the sign bit flipped.
    for (int l = 0; l < op_.width; ++l) positions_.push_back(tables_[2][row[l] ^ 0x80U]);
  }
}

void LinearTile::load_keys(const Bytes& memory, int first, int count) {
  for (int j = 0; j < count; ++j) {
    std::int32_t* out = &keys_[static_cast<std::size_t>(j * op_.width)];
    if (op_.kind == LinearKind::kDamf) {
      const std::uint8_t* pair = memory.at(op_.keys + 2 * static_cast<std::uint64_t>(first + j), 2);
      out[0] = 1;
      out[1] = static_cast<std::int8_t>(pair[1]);
      damf_->load(static_cast<std::int8_t>(pair[0]), out[1]);
      continue;
    }
    const std::uint8_t* row =
        memory.at(op_.keys + static_cast<std::uint64_t>((first + j) * op_.key_pitch_bytes),
                  static_cast<std::uint64_t>(op_.width));
    for (int l = 0; l < op_.width; ++l) out[l] = tables_[1][row[l] ^ 0x80U];
  }
}

void LinearTile::load_values(const Bytes& memory, int first, int count) {
  const int columns = op_.value_width;
  for (int j = 0; j < count; ++j) {
    const std::uint8_t* row =
        memory.at(op_.values + static_cast<std::uint64_t>((first + j) * op_.value_pitch_bytes),
                  static_cast<std::uint64_t>(columns));
    std::int32_t* out = &values_[static_cast<std::size_t>(j * columns)];
    double* wide = &wide_values_[static_cast<std::size_t>(j * columns)];
    for (int c = 0; c < columns; ++c) wide[c] = out[c] = static_cast<std::int8_t>(row[c]);
    if (op_.horizon < 0) continue;
    add_scaled(1, wide, total_.data(), columns);
    add_scaled(1, wide, after_.data(), columns);
    if (op_.causal) hold(op_.first_position + first + j, wide);
  }
}

void LinearTile::load_queries(const Bytes& memory, int first, int count, Activity& values) {
  for (int i = 0; i < count; ++i) {
    std::int32_t* out = &queries_[static_cast<std::size_t>(i * op_.width)];
    if (op_.kind == LinearKind::kDamf) {
      const std::uint8_t* pair =
          memory.at(op_.queries + 2 * static_cast<std::uint64_t>(first + i), 2);
      const DamfRow row =
          damf_->next(static_cast<std::int8_t>(pair[0]), static_cast<std::int8_t>(pair[1]));
      values.uniform_rows += row.uniform ? 1 : 0;
      out[0] = LinearDamfQuery(row).a_max;
      out[1] = LinearDamfQuery(row).s;
      continue;
    }
    const std::uint8_t* row =
        memory.at(op_.queries + static_cast<std::uint64_t>((first + i) * op_.query_pitch_bytes),
                  static_cast<std::uint64_t>(op_.width));
    for (int l = 0; l < op_.width; ++l) out[l] = tables_[0][row[l] ^ 0x80U];
  }
}

void LinearTile::add_inside_block(int keys, int queries) {
  for (int i = 0; i < queries; ++i) {
    for (int j = 0; j < std::min(keys, i + 1); ++j) {
      const double score = dot(&queries_[static_cast<std::size_t>(i * op_.width)],
                               &keys_[static_cast<std::size_t>(j * op_.width)], op_.width);
      denominators_[static_cast<std::size_t>(i)] += score;
      add_scaled(score, &wide_values_[static_cast<std::size_t>(j * op_.value_width)],
                 &sums_[static_cast<std::size_t>(i * op_.value_width)], op_.value_width);
    }
  }
}

double* LinearTile::ring_row(int position) {
  const std::size_t columns = before_.size();
  return &ring_[static_cast<std::size_t>(position) % (ring_.size() / columns) * columns];
}

void LinearTile::hold(int position, const double* row) {
  std::copy_n(row, before_.size(), ring_row(position));
}

// The three terms of the relative positions: one weight for all keys before the
// window, one each inside, one for all behind it.
void LinearTile::add_relative(const Bytes& memory, int query, double* sums, double* denominator) {
  const int columns = op_.value_width;
  const int k = op_.horizon;
  const int position = op_.first_position + query;
  const int seen = op_.causal ? std::min(position + 1, op_.total_keys) : op_.total_keys;
  const auto weight = [&](int row) -> double {
    return dot(&queries_[static_cast<std::size_t>(query % kBlock * op_.width)],
               &positions_[static_cast<std::size_t>(row * op_.width)], op_.width);
  };
  const auto add = [&](int row, const double* values, int count) {
    if (count == 0) return;
    const double w = weight(row);
    *denominator += w * count;
    add_scaled(w, values, sums, columns);
  };
  if (k == 0 && !op_.causal) return add(0, total_.data(), seen);
  if (!op_.causal) {
    const LinearWindow before_piece =
        linear_window(op_.first_position, op_.query_tokens, op_.total_keys, k);
    for (; window_rows_ < std::min(position + k, op_.total_keys); ++window_rows_) {
      const int row = window_rows_ - before_piece.first;
      const std::uint8_t* codes =
          memory.at(op_.window + static_cast<std::uint64_t>(row * op_.value_pitch_bytes),
                    static_cast<std::uint64_t>(columns));
      double* held = ring_row(window_rows_);
      for (int c = 0; c < columns; ++c) held[c] = static_cast<std::int8_t>(codes[c]);
      add_scaled(-1, held, after_.data(), columns);
    }
  }
  if (position >= k && position - k < op_.total_keys)
    add_scaled(1, ring_row(position - k), before_.data(), columns);
  add(0, before_.data(), std::clamp(position - k + 1, 0, op_.total_keys));
  for (int key = std::max(position - k + 1, 0); key < std::min(position + k, seen); ++key)
    add(key - position + k, ring_row(key), 1);
  if (!op_.causal) add(2 * k, after_.data(), std::max(op_.total_keys - position - k, 0));
}

void LinearTile::store(const Bytes& memory, int query, const double* sums, double denominator,
                       Activity& values) const {
  const auto columns = static_cast<std::uint64_t>(op_.value_width);
  const auto row = static_cast<std::uint64_t>(query);
  const LinearDivision division(static_cast<std::int64_t>(denominator));
  std::uint8_t* out = memory.at(
      op_.destination + row * static_cast<std::uint64_t>(op_.destination_pitch_bytes), 4 * columns);
  for (std::uint64_t c = 0; c < columns; ++c) {
    const std::int32_t code = division.apply(static_cast<std::int64_t>(sums[c]), values.saturated);
    std::memcpy(out + 4 * c, &code, 4);
  }
  if (!op_.sums_wanted) return;
  std::uint8_t* numerators = memory.at(
      op_.numerators + row * static_cast<std::uint64_t>(op_.numerator_pitch_bytes), 8 * columns);
  for (std::uint64_t c = 0; c < columns; ++c) {
    const auto sum = static_cast<std::int64_t>(sums[c]);
    std::memcpy(numerators + 8 * c, &sum, 8);
  }
  const auto total = static_cast<std::int64_t>(denominator);
  std::memcpy(memory.at(op_.denominators + 8 * row, 8), &total, 8);
}

}  // namespace quadrille::hw
