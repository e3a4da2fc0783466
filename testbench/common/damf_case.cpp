#include "testbench/common/damf_case.h"

#include <array>
#include <set>
#include <utility>

#include "testbench/common/portable_random.h"

namespace quadrille::testbench {
namespace {

constexpr std::array<int, 7> kLevels = {3, 3, 3, 2, 2, 17, 2};
using Row = std::array<int, kLevels.size()>;
using Pair = std::array<int, 4>;  // Two factors and their levels.

std::set<Pair> pairs_of(const Row& row) {
  std::set<Pair> pairs;
  for (int a = 0; a < static_cast<int>(row.size()); ++a) {
    for (int b = a + 1; b < static_cast<int>(row.size()); ++b)
      pairs.insert({a, b, row[static_cast<std::size_t>(a)], row[static_cast<std::size_t>(b)]});
  }
  return pairs;
}

model::DamfSettings settings_of(const Row& row) {
  model::DamfSettings settings;
  settings.mode = static_cast<model::DamfMode>(row[0]);
  settings.rounding = static_cast<model::PowerRounding>(row[1]);
  settings.maximum = static_cast<model::DamfMaximum>(row[2]);
  settings.negative = static_cast<model::DamfNegative>(row[3]);
  settings.shift_order = static_cast<model::DamfShiftOrder>(row[4]);
  settings.guard_bits = row[5];
  settings.causal = row[6] != 0;
  return settings;
}

}  // namespace

std::vector<model::DamfSettings> pairwise_settings(std::mt19937_64& random) {
  std::set<Pair> open;
  for (int a = 0; a < static_cast<int>(kLevels.size()); ++a) {
    for (int b = a + 1; b < static_cast<int>(kLevels.size()); ++b) {
      for (int i = 0; i < kLevels[static_cast<std::size_t>(a)]; ++i) {
        for (int j = 0; j < kLevels[static_cast<std::size_t>(b)]; ++j) open.insert({a, b, i, j});
      }
    }
  }
  std::vector<model::DamfSettings> table;
  while (!open.empty()) {
    Row best{};
    std::size_t best_gain = 0;
    for (int trial = 0; trial < 40; ++trial) {
      Row row{};
      for (std::size_t i = 0; i < row.size(); ++i)
        row[i] = static_cast<int>(random() % static_cast<std::uint64_t>(kLevels[i]));
      const Pair& wanted = *open.begin();
      row[static_cast<std::size_t>(wanted[0])] = wanted[2];
      row[static_cast<std::size_t>(wanted[1])] = wanted[3];
      std::size_t gain = 0;
      for (const Pair& pair : pairs_of(row)) gain += open.count(pair);
      if (gain > best_gain) {
        best = row;
        best_gain = gain;
      }
    }
    for (const Pair& pair : pairs_of(best)) open.erase(pair);
    table.push_back(settings_of(best));
  }
  portable_shuffle(random, table);
  return table;
}

DamfCase random_damf_case(std::mt19937_64& random, const hw::DamfConfig& config,
                          const model::DamfSettings& settings) {
  constexpr std::array<int, 12> kTokens = {1, 2, 3, 4, 5, 7, 8, 9, 13, 16, 33, 47};
  const auto kind = static_cast<Codes>(random() % kCodesKinds);
  const int tokens =
      std::min(config.max_tokens, random() % 16 == 0 ? 100 : kTokens[random() % kTokens.size()]);
  if (random() % 5 == 0) {
    const int width = std::min(config.max_model_width, 1 + static_cast<int>(random() % 40));
    return make_project_case(random, tokens, random() % 8 == 0 ? config.max_model_width : width,
                             kind);
  }
  const int width = 1 + static_cast<int>(random() % static_cast<std::uint64_t>(3 * config.lanes));
  const double scale = random() % 4 == 0 ? 1.0 : std::exp2(portable_uniform(random, -12.0, 4.0));
  return make_attend_case(random, tokens, width, settings, scale, kind);
}

}  // namespace quadrille::testbench
