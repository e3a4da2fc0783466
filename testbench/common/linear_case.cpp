#include "testbench/common/linear_case.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <sstream>

#include "model/attention/damf.h"
#include "model/attention/linear.h"
#include "testbench/common/damf_case.h"
#include "testbench/common/portable_random.h"

namespace quadrille::testbench {
namespace {

using hw::LinearAttend;
using hw::LinearConfig;
using hw::LinearKind;

std::vector<std::int32_t> draw_codes(std::mt19937_64& random, int count, Codes kind) {
  std::vector<std::int32_t> codes(static_cast<std::size_t>(count));
  for (auto& code : codes) code = draw_code(random, kind);
  return codes;
}

model::PhiTable draw_table(std::mt19937_64& random) {
  model::PhiTable table{};
  const int kind = pick(random, 0, 3);
  for (auto& entry : table) {
    entry = static_cast<std::uint8_t>(kind == 0   ? 255
                                      : kind == 1 ? pick(random, 1, 3)
                                                  : pick(random, 1, 255));
  }
  return table;
}

/// A memory that grows as operands are placed.
class Layout {
 public:
  explicit Layout(std::mt19937_64* random) : random_(random) {}
  std::uint64_t reserve(std::int64_t bytes) {
    const std::uint64_t address = bytes_.size() + (*random_)() % 9;
    bytes_.resize(address + static_cast<std::uint64_t>(bytes), 0xA5);
    return address;
  }
  std::int64_t pitch(std::int64_t row_bytes) {
    return row_bytes + static_cast<std::int64_t>((*random_)() % 6);
  }
  std::uint64_t place(const std::vector<std::int32_t>& codes, int rows, int columns,
                      std::int64_t pitch_bytes) {
    const std::uint64_t address = reserve(rows * pitch_bytes);
    for (int r = 0; r < rows; ++r) {
      for (int c = 0; c < columns; ++c) {
        bytes_[address + static_cast<std::uint64_t>(r * pitch_bytes + c)] =
            static_cast<std::uint8_t>(codes[static_cast<std::size_t>(r * columns + c)]);
      }
    }
    return address;
  }
  std::vector<std::uint8_t>& bytes() { return bytes_; }

 private:
  std::mt19937_64* random_;
  std::vector<std::uint8_t> bytes_;
};

void advance(std::uint64_t& address, std::int64_t pitch_bytes, int rows) {
  address += static_cast<std::uint64_t>(rows * pitch_bytes);
}

/// Tokens first .. first + count - 1 of the keys or queries.
LinearAttend keys_of(LinearAttend op, int first, int count) {
  const bool damf = op.kind == LinearKind::kDamf;
  advance(op.keys, damf ? 2 : op.key_pitch_bytes, first);
  advance(op.values, op.value_pitch_bytes, first);
  op.key_tokens = count;
  op.first_position = first;
  return op;
}
LinearAttend queries_of(LinearAttend op, int first, int count) {
  const bool damf = op.kind == LinearKind::kDamf;
  advance(op.queries, damf ? 2 : op.query_pitch_bytes, first);
  advance(op.destination, op.destination_pitch_bytes, first);
  advance(op.numerators, op.numerator_pitch_bytes, first);
  advance(op.denominators, 8, first);
  op.query_tokens = count;
  op.first_position = first;
  return op;
}

LinearConfig draw_config(std::mt19937_64& random) {
  LinearConfig config;
  const int lanes[] = {2, 3, 4, 5, 8, 16, 64};
  config.lanes = lanes[pick(random, 0, 6)];
  const int chunks[] = {1, 2, 3, 5, 16};
  config.chunk_tokens = chunks[pick(random, 0, 4)];
  config.max_width = std::max(2, pick(random, 1, 3) * config.lanes);
  config.max_horizon = pick(random, 0, 1) * pick(random, 0, 12);
  return config;
}

void write_result(LinearCase& c, const LinearAttend& op, int query, int column, std::int64_t out,
                  std::int64_t numerator) {
  const hw::Bytes memory(c.after.data(), c.after.size());
  const auto row = static_cast<std::uint64_t>(query);
  const auto at = static_cast<std::uint64_t>(column);
  memory.write_i32(
      op.destination + row * static_cast<std::uint64_t>(op.destination_pitch_bytes) + 4 * at,
      static_cast<std::int32_t>(out));
  if (!op.sums_wanted) return;
  std::memcpy(
      memory.at(op.numerators + row * static_cast<std::uint64_t>(op.numerator_pitch_bytes) + 8 * at,
                8),
      &numerator, 8);
}

void place_results(Layout& layout, LinearAttend& op, int queries, bool sums_wanted) {
  op.destination_pitch_bytes = layout.pitch(4 * op.value_width);
  op.destination = layout.reserve(queries * op.destination_pitch_bytes);
  op.sums_wanted = sums_wanted;
  if (!op.sums_wanted) return;
  op.numerator_pitch_bytes = layout.pitch(8 * op.value_width);
  op.numerators = layout.reserve(queries * op.numerator_pitch_bytes);
  op.denominators = layout.reserve(8 * queries);
}

std::string describe(const LinearCase& c, const LinearAttend& op, int queries) {
  std::ostringstream text;
  text << (op.kind == LinearKind::kDamf ? "DAMF " : "kernel ") << queries << " queries x "
       << op.total_keys << " keys, d " << op.width << " dv " << op.value_width << " causal "
       << op.causal << " k " << op.horizon << " maximum " << static_cast<int>(op.maximum)
       << ", lanes " << c.config.lanes << " chunk " << c.config.chunk_tokens << ", "
       << c.commands.size() << " commands";
  return text.str();
}

/// Codes of the first one's size: at most 3 apart.
void draw_together(std::vector<std::int32_t>& codes) {
  const std::int32_t size = std::abs(codes.front());
  for (auto& code : codes) code = std::min(size + (std::abs(code) & 3), 128);
}

Codes draw_kind(std::mt19937_64& random) {
  return static_cast<Codes>(pick(random, 0, kCodesKinds - 1));
}

}  // namespace

std::vector<LinearAttend> cut_linear(const LinearAttend& whole, int queries, int most,
                                     std::mt19937_64* random) {
  std::vector<LinearAttend> commands;
  const auto cut = [&](int tokens, const auto& command) {
    for (int first = 0; first < tokens;) {
      const int drawn = random != nullptr ? pick(*random, 1, most) : most;
      const int count = std::min(drawn, tokens - first);
      commands.push_back(command(first, count));
      first += count;
    }
  };
  const int keys = whole.total_keys;
  if (whole.causal) {
    cut(std::max(queries, keys), [&](int first, int count) {
      // The addresses of the one that has ended are of no matter.
      const int key_count = std::clamp(keys - first, 0, count);
      const int query_count = std::clamp(queries - first, 0, count);
      return queries_of(keys_of(whole, first, key_count), first, query_count);
    });
  } else {
    cut(keys, [&](int first, int count) { return keys_of(whole, first, count); });
    cut(queries, [&](int first, int count) {
      LinearAttend op = queries_of(whole, first, count);
      op.window = whole.values;
      advance(op.window, op.value_pitch_bytes,
              hw::linear_window(first, count, keys, op.horizon).first);
      return op;
    });
  }
  commands.front().reset = true;
  return commands;
}

LinearCase random_linear_case(std::mt19937_64& random) {
  return random_linear_case(random, draw_config(random));
}

LinearCase random_linear_case(std::mt19937_64& random, const LinearConfig& config) {
  model::LinearShape shape;
  shape.causal = pick(random, 0, 1) == 1;
  shape.width = pick(random, 1, config.max_width);
  shape.value_width = pick(random, 1, config.lanes);
  shape.horizon = pick(random, -1, config.max_horizon);
  const int longest = pick(random, 0, 3) == 0 ? 70 : 24;
  shape.queries = pick(random, 1, longest);
  shape.keys = pick(random, 0, 1) == 0 ? shape.queries : pick(random, 1, longest);
  return make_linear_case(random, config, shape, pick(random, 1, 2 * longest));
}

LinearCase make_linear_case(std::mt19937_64& random, const LinearConfig& config,
                            const model::LinearShape& shape, int most, bool largest) {
  const int rows = shape.horizon < 0 ? 0 : 2 * shape.horizon + 1;
  LinearOperands operands;
  operands.q = draw_codes(random, shape.queries * shape.width, draw_kind(random));
  operands.k = draw_codes(random, shape.keys * shape.width, draw_kind(random));
  operands.v = draw_codes(random, shape.keys * shape.value_width,
                          largest ? Codes::kLowest : draw_kind(random));
  operands.rp = draw_codes(random, rows * shape.width, draw_kind(random));
  operands.tables = {draw_table(random), draw_table(random), draw_table(random)};
  if (largest)
    for (model::PhiTable& table : operands.tables) table.fill(255);
  operands.sums_wanted = largest;
  return make_linear_case(random, config, shape, most, operands);
}

LinearCase make_linear_case(std::mt19937_64& random, const LinearConfig& config,
                            const model::LinearShape& shape, int most,
                            const LinearOperands& operands) {
  LinearCase c;
  c.config = config;
  LinearAttend op;
  op.causal = shape.causal;
  op.width = shape.width;
  op.value_width = shape.value_width;
  op.horizon = shape.horizon;
  op.total_keys = shape.keys;
  const int queries = shape.queries;
  const int keys = shape.keys;
  const int rows = op.horizon < 0 ? 0 : 2 * op.horizon + 1;
  const auto& [q, k, v, rp, tables, sums_wanted] = operands;
  Layout layout(&random);
  op.tables = layout.reserve(3 * 256);
  for (std::size_t t = 0; t < 3; ++t)
    std::copy(tables[t].begin(), tables[t].end(),
              layout.bytes().begin() + static_cast<std::ptrdiff_t>(op.tables + 256 * t));
  op.position_pitch_bytes = layout.pitch(op.width);
  op.positions = layout.place(rp, rows, op.width, op.position_pitch_bytes);
  op.key_pitch_bytes = layout.pitch(op.width);
  op.keys = layout.place(k, keys, op.width, op.key_pitch_bytes);
  op.value_pitch_bytes = layout.pitch(op.value_width);
  op.values = layout.place(v, keys, op.value_width, op.value_pitch_bytes);
  op.query_pitch_bytes = layout.pitch(op.width);
  op.queries = layout.place(q, queries, op.width, op.query_pitch_bytes);
  place_results(layout, op, queries, pick(random, 0, 1) == 1 || sums_wanted);
  c.before = layout.bytes();
  c.after = c.before;

  const auto fixed = model::linear_fixed(q, k, v, rp, shape, tables[0], tables[1], tables[2]);
  for (int i = 0; i < queries; ++i) {
    for (int column = 0; column < op.value_width; ++column) {
      const auto at = static_cast<std::size_t>(i * op.value_width + column);
      write_result(c, op, i, column, fixed.out_q[at], fixed.numerator_q[at]);
    }
    if (!op.sums_wanted) continue;
    std::memcpy(&c.after[op.denominators + 8 * static_cast<std::size_t>(i)],
                &fixed.denominator_q[static_cast<std::size_t>(i)], 8);
  }
  c.saturated = fixed.saturated;
  c.commands = cut_linear(op, queries, most, &random);
  c.description = describe(c, op, queries);
  return c;
}

LinearCase random_damf_linear_case(std::mt19937_64& random) {
  return random_damf_linear_case(random, draw_config(random));
}

LinearCase random_damf_linear_case(std::mt19937_64& random, const LinearConfig& config) {
  LinearCase c;
  c.config = config;
  LinearAttend op;
  op.kind = LinearKind::kDamf;
  op.causal = pick(random, 0, 1) == 1;
  op.width = 2;
  op.value_width = pick(random, 1, c.config.lanes);
  op.maximum = static_cast<model::DamfMaximum>(pick(random, 0, 2));
  const int tokens = pick(random, 1, pick(random, 0, 3) == 0 ? 80 : 24);
  op.total_keys = tokens;
  const Codes kind = draw_kind(random);
  auto s = draw_codes(random, tokens, kind);
  auto t = draw_codes(random, tokens, kind);
  // Codes of one sign each make all extremes of the scores have one sign, too;
  // codes close together as well make a slightly wrong extreme the largest.
  if (const int signs = pick(random, 0, 5); signs < 2) {
    if (signs == 0) {
      draw_together(s);
      draw_together(t);
    }
    const bool positive = pick(random, 0, 1) == 1;
    for (auto& code : s) code = positive ? std::min(std::abs(code), 127) : -std::abs(code);
    for (auto& code : t) code = -std::abs(code);
  }
  const auto v = draw_codes(random, tokens * op.value_width, draw_kind(random));
  std::vector<std::int32_t> pairs;
  for (std::size_t m = 0; m < s.size(); ++m) pairs.insert(pairs.end(), {s[m], t[m]});

  Layout layout(&random);
  op.keys = op.queries = layout.place(pairs, tokens, 2, 2);
  op.value_pitch_bytes = layout.pitch(op.value_width);
  op.values = layout.place(v, tokens, op.value_width, op.value_pitch_bytes);
  place_results(layout, op, tokens, false);
  c.before = layout.bytes();
  c.after = c.before;

  model::DamfSettings settings;
  settings.mode = model::DamfMode::kCollapsed;
  settings.maximum = op.maximum;
  settings.causal = op.causal;
  const auto fixed = model::damf_fixed(s, t, v, op.value_width, {}, settings);
  for (int i = 0; i < tokens; ++i) {
    for (int column = 0; column < op.value_width; ++column)
      write_result(c, op, i, column,
                   fixed.out_q[static_cast<std::size_t>(i * op.value_width + column)], 0);
  }
  c.saturated = fixed.saturated;
  c.uniform_rows = fixed.uniform_rows;
  c.commands = cut_linear(op, tokens, pick(random, 1, 2 * tokens), &random);
  c.description = describe(c, op, tokens);
  return c;
}

}  // namespace quadrille::testbench
