#include "hw/engines/damf/damf_engine.h"

#include <algorithm>
#include <vector>

#include "hw/engines/damf/damf_rows.h"
#include "model/numerics/integers.h"
#include "model/numerics/rounding.h"

namespace quadrille::hw {
namespace {

using model::DamfMode;

using model::ceil_div;

int code(std::uint8_t byte) { return static_cast<std::int8_t>(byte); }

const std::uint8_t* row_of(const Bytes& memory, std::uint64_t address, std::int64_t pitch, int row,
                           int bytes) {
  return memory.read(address + static_cast<std::uint64_t>(row * pitch),
                     static_cast<std::uint64_t>(bytes));
}

// ---------------------------------------------------------------- timing

std::int64_t cycles(const DamfConfig& config, const DamfProject& operation) {
  const std::int64_t beats = ceil_div(operation.width, config.lanes);
  return (operation.tokens + 2) * beats + DamfTiming::kProjectOutput +
         DamfTiming::tree_stages(config.lanes) + 1;
}

std::int64_t cycles(const DamfConfig& config, const DamfAttend& operation) {
  const std::int64_t tokens = operation.tokens;
  const std::int64_t groups = ceil_div(operation.width, config.lanes);
  const bool causal = operation.settings.causal;
  if (operation.settings.mode == DamfMode::kCollapsed) {
    const std::int64_t emission = causal ? 0 : tokens;  // The last group's.
    return tokens + groups * tokens + emission + DamfTiming::kCollapsedOutput + 1;
  }
  // A block streams its keys once per column group; the next block's rows take
  // kRow + 1 cycles to prepare, behind it.
  const std::int64_t block = config.query_rows;
  std::int64_t streaming = 0;
  std::int64_t rows = 0;
  for (std::int64_t first = 0; first < tokens; first += block) {
    rows = std::min(block, tokens - first);
    const std::int64_t beats = groups * (causal ? first + rows : tokens);
    const bool last = first + block >= tokens;
    streaming += last ? beats : std::max<std::int64_t>(beats, DamfTiming::kRow + 1);
  }
  return tokens + DamfTiming::kRow + streaming + DamfTiming::kArrayOutput + rows;
}

// ---------------------------------------------------------------- data

void run(const DamfConfig& /*config*/, const DamfProject& operation, const Bytes& memory,
         Activity& activity) {
  const int width = operation.width;
  const std::uint8_t* u = row_of(memory, operation.u, 0, 0, width);
  const std::uint8_t* v = row_of(memory, operation.v, 0, 0, width);
  const auto store = [&](std::int64_t sum, const model::Multiplier& multiplier,
                         std::uint64_t address) {
    const std::int64_t exact =
        model::round_shift(sum * static_cast<std::int64_t>(multiplier.mantissa), multiplier.shift);
    const std::int64_t stored = model::saturate(exact, 8);
    activity.saturated += stored != exact ? 1 : 0;
    *memory.write(address, 1) = static_cast<std::uint8_t>(stored);
  };
  for (int m = 0; m < operation.tokens; ++m) {
    const std::uint8_t* x =
        row_of(memory, operation.source, operation.source_pitch_bytes, m, width);
    std::int32_t s = 0;  // width < 2^16 products below 2^14 + 1: within 2^31.
    std::int32_t t = 0;
    for (int k = 0; k < width; ++k) {
      s += code(x[k]) * code(u[k]);
      t += code(x[k]) * code(v[k]);
    }
    const std::uint64_t address = operation.destination + 2 * static_cast<std::uint64_t>(m);
    store(s, operation.s_multiplier, address);
    store(t, operation.t_multiplier, address + 1);
  }
}

struct Pairs {
  std::vector<int> s;
  std::vector<int> t;
};

class Attend {
 public:
  Attend(const DamfConfig& config, const DamfAttend& operation, const Bytes& memory,
         Activity& activity)
      : config_(config), op_(operation), memory_(memory), activity_(activity), rows_(operation) {
    const std::uint8_t* pair = row_of(memory, op_.scores, 0, 0, 2 * op_.tokens);
    for (int n = 0; n < op_.tokens; ++n, pair += 2) {
      s_.push_back(code(pair[0]));
      t_.push_back(code(pair[1]));
      rows_.load(s_.back(), t_.back());
    }
  }

  void run() {
    if (op_.settings.mode == DamfMode::kCollapsed) {
      collapsed();
    } else {
      for (int first = 0; first < op_.tokens; first += config_.query_rows) block(first);
    }
  }

 private:
  const std::uint8_t* value_row(int n) const {
    return row_of(memory_, op_.values, op_.value_pitch_bytes, n, op_.width);
  }

  DamfRow next_row(int m) {
    const DamfRow row =
        rows_.next(s_[static_cast<std::size_t>(m)], t_[static_cast<std::size_t>(m)]);
    activity_.uniform_rows += row.uniform ? 1 : 0;
    return row;
  }

  void store_row(int m, const DamfRow& row, const std::int64_t* sums) {
    const std::uint64_t address =
        op_.destination + static_cast<std::uint64_t>(m * op_.destination_pitch_bytes);
    for (int c = 0; c < op_.width; ++c) {
      memory_.write_i32(address + 4 * static_cast<std::uint64_t>(c),
                        damf_output(sums[c], row, activity_.saturated));
    }
  }

  // A block of query rows over every key. |weight| <= 2^17 and |v| <= 2^7: 64
  // terms fit 32 bits, then they are moved to the 64-bit sums.
  void block(int first) {
    constexpr int kKeysPerSpill = 64;
    const int rows = std::min(config_.query_rows, op_.tokens - first);
    const auto width = static_cast<std::size_t>(op_.width);
    const auto tokens = static_cast<std::size_t>(op_.tokens);
    std::vector<DamfRow> row;
    weights_.assign(static_cast<std::size_t>(rows) * tokens, 0);
    for (int r = 0; r < rows; ++r) {
      row.push_back(next_row(first + r));
      const int visible = op_.settings.causal ? first + r + 1 : op_.tokens;
      for (int n = 0; n < visible; ++n) {
        weights_[static_cast<std::size_t>(r) * tokens + static_cast<std::size_t>(n)] =
            rows_.weight(row.back(), t_[static_cast<std::size_t>(n)]);
      }
    }
    const int keys = op_.settings.causal ? first + rows : op_.tokens;
    sums_.assign(static_cast<std::size_t>(rows) * width, 0);
    for (int begin = 0; begin < keys; begin += kKeysPerSpill) {
      const int end = std::min(begin + kKeysPerSpill, keys);
      partial_.assign(static_cast<std::size_t>(rows) * width, 0);
      for (int n = begin; n < end; ++n) {
        const std::uint8_t* value = value_row(n);
        for (int r = 0; r < rows; ++r) {
          const std::int32_t weight =
              weights_[static_cast<std::size_t>(r) * tokens + static_cast<std::size_t>(n)];
          const int shift = row[static_cast<std::size_t>(r)].term_shift;
          std::int32_t* sum = &partial_[static_cast<std::size_t>(r) * width];
          for (std::size_t c = 0; c < width; ++c) sum[c] += (weight * code(value[c])) >> shift;
        }
      }
      for (std::size_t i = 0; i < sums_.size(); ++i) sums_[i] += partial_[i];
    }
    for (int r = 0; r < rows; ++r) {
      store_row(first + r, row[static_cast<std::size_t>(r)],
                &sums_[static_cast<std::size_t>(r) * width]);
    }
  }

  void accumulate(int n) {
    const std::uint8_t* value = value_row(n);
    const int t = t_[static_cast<std::size_t>(n)];
    std::vector<std::int32_t>& weighted = t > 0 ? positive_ : negative_;
    for (std::size_t c = 0; c < plain_.size(); ++c) {
      plain_[c] += code(value[c]);
      weighted[c] += t * code(value[c]);
    }
  }

  // (A_max * sum V + s * sum t V) with the negative scores left out (clamp) by
  // choosing the sum of one sign of t.
  void emit(int m) {
    const DamfRow row = next_row(m);
    const bool clamp = op_.settings.negative == model::DamfNegative::kClamp;
    const std::int64_t a = row.uniform ? 1 : row.a_max;
    const std::int64_t positive = row.uniform || (clamp && row.s < 0) ? 0 : row.s;
    const std::int64_t negative = row.uniform || (clamp && row.s > 0) ? 0 : row.s;
    for (std::size_t c = 0; c < plain_.size(); ++c)
      sums_[c] = a * plain_[c] + positive * positive_[c] + negative * negative_[c];
    store_row(m, row, sums_.data());
  }

  void collapsed() {
    const auto width = static_cast<std::size_t>(op_.width);
    plain_.assign(width, 0);
    positive_.assign(width, 0);
    negative_.assign(width, 0);
    sums_.assign(width, 0);
    for (int n = 0; n < op_.tokens; ++n) {
      accumulate(n);
      if (op_.settings.causal) emit(n);
    }
    for (int m = 0; m < op_.tokens && !op_.settings.causal; ++m) emit(m);
  }

  const DamfConfig& config_;
  const DamfAttend& op_;
  const Bytes& memory_;
  Activity& activity_;
  DamfRows rows_;
  std::vector<int> s_;
  std::vector<int> t_;
  std::vector<std::int32_t> weights_;
  std::vector<std::int32_t> partial_;
  std::vector<std::int32_t> plain_;
  std::vector<std::int32_t> positive_;
  std::vector<std::int32_t> negative_;
  std::vector<std::int64_t> sums_;
};

void run(const DamfConfig& config, const DamfAttend& operation, const Bytes& memory,
         Activity& activity) {
  Attend(config, operation, memory, activity).run();
}

// ---------------------------------------------------------------- activity

Activity count(const DamfConfig& config, const DamfProject& operation) {
  const std::int64_t tokens = operation.tokens;
  const std::int64_t executed = ceil_div(operation.width, config.lanes) * config.lanes;
  Activity activity;
  activity.macs_static = 2 * tokens * operation.width;
  activity.macs_wasted = 2 * tokens * (executed - operation.width);
  activity.requantises = 2 * tokens;
  return activity;
}

Activity count(const DamfConfig& config, const DamfAttend& operation) {
  const std::int64_t tokens = operation.tokens;
  const std::int64_t width = operation.width;
  const std::int64_t groups = ceil_div(width, config.lanes);
  const std::int64_t executed_width = groups * config.lanes;
  const bool causal = operation.settings.causal;
  const bool collapsed = operation.settings.mode == DamfMode::kCollapsed;
  const bool shift = operation.settings.mode == DamfMode::kShift;
  Activity activity;
  // Row pipeline: s*t_max, s*t_min, s*sum t, N*A_max; the collapsed form runs
  // it once per column group.
  const std::int64_t rows = collapsed ? groups * tokens : tokens;
  activity.multiplies = 4 * rows;
  activity.compares = causal ? 4 * rows : 4 * tokens + rows;
  activity.additions = (causal ? rows : tokens) + rows;  // Sum of t, denominator.
  activity.reciprocals = shift ? 0 : rows;
  activity.multiplies += shift ? 0 : tokens * width;  // Normalisation.
  if (collapsed) {
    activity.macs_dynamic = 3 * tokens * width;  // t V, A_max sum V, s sum t V.
    activity.macs_wasted = 3 * tokens * (executed_width - width);
    activity.additions += tokens * width;  // Sum V.
    return activity;
  }
  std::int64_t executed_pairs = 0;
  for (std::int64_t first = 0; first < tokens; first += config.query_rows) {
    const std::int64_t end = std::min<std::int64_t>(first + config.query_rows, tokens);
    executed_pairs += config.query_rows * (causal ? end : tokens);
  }
  const std::int64_t pairs = causal ? tokens * (tokens + 1) / 2 : tokens * tokens;
  activity.macs_dynamic = pairs;                           // s t, once ...
  activity.macs_wasted = groups * executed_pairs - pairs;  // ... and again per column group.
  if (shift) {
    activity.shift_adds = 2 * pairs * width;
    activity.leading_ones = groups * pairs + 2 * rows;
  } else {
    activity.macs_dynamic += pairs * width;
    activity.macs_wasted += executed_pairs * executed_width - pairs * width;
    activity.additions += groups * pairs;  // A_max + score.
  }
  return activity;
}

}  // namespace

int DamfTiming::tree_stages(int lanes) {
  int levels = 0;
  while ((std::int64_t{1} << levels) < lanes) ++levels;
  return (levels + 1) / 2;
}

std::int64_t DamfEngine::alone_cycles(const DamfOperation& operation) const {
  return std::visit([&](const auto& op) { return cycles(config_, op); }, operation);
}

void DamfEngine::execute(const DamfOperation& operation, const Bytes& scratchpad,
                         Activity& activity) const {
  std::visit([&](const auto& op) { run(config_, op, scratchpad, activity); }, operation);
}

Activity DamfEngine::activity(const DamfOperation& operation) const {
  return std::visit([&](const auto& op) { return count(config_, op); }, operation);
}

}  // namespace quadrille::hw
