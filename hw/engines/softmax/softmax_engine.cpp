#include "hw/engines/softmax/softmax_engine.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <vector>

#include "hw/engines/multiversion.h"
#include "model/numerics/causal_pairs.h"
#include "model/numerics/exp2.h"
#include "model/numerics/integers.h"
#include "model/numerics/reciprocal.h"
#include "model/numerics/rounding.h"

namespace quadrille::hw {
namespace {

/// exp2_code for every exponent below the one from which it is zero.
constexpr std::uint32_t kZeroExponent = 9U << model::kExp2FractionBits;
using CodeTable = std::array<std::uint32_t, kZeroExponent + 1>;

CodeTable make_code_table() {
  const auto mantissas = model::make_exp2_table();
  CodeTable codes{};
  for (std::uint32_t x = 0; x < kZeroExponent; ++x) {
    const int octaves = static_cast<int>(x >> model::kExp2FractionBits);
    codes[x] = static_cast<std::uint32_t>(
        model::round_shift(mantissas[x % mantissas.size()], model::kExp2FractionBits + octaves));
  }
  return codes;
}

const CodeTable& code_table() {
  static const CodeTable table = make_code_table();
  return table;
}

/// round_shift(distance * mantissa, shift) for a whole row; distances are unsigned.
class ExponentScale {
 public:
  explicit ExponentScale(const model::Multiplier& factor)
      : mantissa_(factor.mantissa), round_(factor.shift) {}

  std::uint64_t operator()(std::uint32_t distance) const {
    return round_(std::uint64_t{distance} * mantissa_);
  }

 private:
  std::uint32_t mantissa_;
  model::RoundShift<std::uint64_t> round_;
};

QUADRILLE_MULTIVERSION
std::int32_t maximum(const std::int32_t* scores, int count) {
  std::int32_t largest = scores[0];
  for (int j = 1; j < count; ++j) largest = scores[j] > largest ? scores[j] : largest;
  return largest;
}

QUADRILLE_MULTIVERSION
void exponents(const std::int32_t* scores, std::uint32_t* x, int count, std::int32_t largest,
               ExponentScale scale) {
  for (int j = 0; j < count; ++j) {
    const std::uint32_t distance =
        static_cast<std::uint32_t>(largest) - static_cast<std::uint32_t>(scores[j]);
    const std::uint64_t rounded = scale(distance);
    x[j] = static_cast<std::uint32_t>(rounded < kZeroExponent ? rounded : kZeroExponent);
  }
}

QUADRILLE_MULTIVERSION
std::uint32_t look_up(const std::uint32_t* x, const std::uint32_t* table, std::uint8_t* codes,
                      int count) {
  std::uint32_t sum = 0;
  for (int j = 0; j < count; ++j) {
    const std::uint32_t code = table[x[j]];
    codes[j] = static_cast<std::uint8_t>(code);
    sum += code;
  }
  return sum;
}

}  // namespace

int visible_keys(const SoftmaxRows& operation, int row) {
  if (!operation.causal) return operation.keys;
  const std::int64_t seen = std::int64_t{operation.first_query} + row + 1;
  return static_cast<int>(std::min<std::int64_t>(seen, operation.keys));
}

void validate(const SoftmaxConfig& config, const SoftmaxRows& operation) {
  if (operation.queries < 1 || operation.keys < 1 || operation.first_query < 0) {
    throw InvariantError("softmax command of " + std::to_string(operation.queries) + " queries x " +
                         std::to_string(operation.keys) + " keys from query " +
                         std::to_string(operation.first_query) + " is empty");
  }
  const int largest =
      std::max({operation.queries, operation.keys, operation.causal ? operation.first_query : 0});
  if (largest > kSoftmaxLargestCount) {
    throw InvariantError("softmax command of " + std::to_string(operation.queries) + " queries x " +
                         std::to_string(operation.keys) + " keys from query " +
                         std::to_string(operation.first_query) + ", expected at most " +
                         std::to_string(kSoftmaxLargestCount) + " each");
  }
  if (operation.keys > config.max_keys) {
    throw InvariantError("softmax command of " + std::to_string(operation.keys) +
                         " keys exceeds the row buffer of " + std::to_string(config.max_keys));
  }
  if (operation.factor.shift < 0 || operation.factor.shift > 62) {
    throw InvariantError("softmax factor with shift " + std::to_string(operation.factor.shift) +
                         ", expected 0..62");
  }
}

SoftmaxEngine::SoftmaxEngine(const SoftmaxConfig& config) : config_(config) {
  if (config.lanes < 1 || 4 * config.lanes > Beat::kBytes) {
    throw InvariantError("softmax lanes " + std::to_string(config.lanes) + ", expected 1.." +
                         std::to_string(Beat::kBytes / 4));
  }
}

std::int64_t SoftmaxEngine::alone_cycles(const SoftmaxRows& operation) const {
  validate(config_, operation);
  // A row occupies pass 2 for its code slots and its reciprocal's; the first
  // one starts when the first row has come in and has its maximum.
  const std::int64_t beats = model::ceil_div(operation.keys, config_.lanes);
  const std::int64_t first_slot = beats + kSoftmaxTiming.maximum_latency;
  const std::int64_t slots = operation.queries * (beats + 1);
  const std::int64_t last_slot = first_slot + slots - 1;
  return last_slot + kSoftmaxTiming.slot_latency + 1;
}

Activity SoftmaxEngine::activity(const SoftmaxRows& operation) {
  const std::int64_t pairs =
      operation.causal
          ? model::causal_pairs(operation.queries, operation.keys, operation.first_query)
          : std::int64_t{operation.queries} * operation.keys;
  Activity activity;
  activity.compares = pairs;
  activity.multiplies = pairs;
  activity.exponentials = pairs;
  activity.additions = pairs;
  activity.reciprocals = operation.queries;
  return activity;
}

void SoftmaxEngine::execute(const SoftmaxRows& operation, Bytes scratchpad, Activity&) const {
  validate(config_, operation);
  const auto keys = static_cast<std::uint64_t>(operation.keys);
  const std::uint32_t* table = code_table().data();
  const ExponentScale scale(operation.factor);
  std::vector<std::int32_t> scores(keys);
  std::vector<std::uint32_t> x(keys);
  for (int i = 0; i < operation.queries; ++i) {
    const auto source =
        operation.source + static_cast<std::uint64_t>(i * operation.source_pitch_bytes);
    const auto destination =
        operation.destination + static_cast<std::uint64_t>(i * operation.destination_pitch_bytes);
    const int visible = visible_keys(operation, i);
    std::memcpy(scores.data(), scratchpad.read(source, 4 * keys), 4 * keys);
    std::uint8_t* codes = scratchpad.write(destination, keys);
    exponents(scores.data(), x.data(), visible, maximum(scores.data(), visible), scale);
    const std::uint32_t sum = look_up(x.data(), table, codes, visible);
    std::fill(codes + visible, codes + keys, std::uint8_t{0});
    scratchpad.write_i32(operation.reciprocals + 4 * static_cast<std::uint64_t>(i),
                         static_cast<std::int32_t>(packed(model::reciprocal(sum))));
  }
}

}  // namespace quadrille::hw
