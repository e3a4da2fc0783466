// This file is compiled once for every instruction set: foreach_target.h includes it.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "hw/engines/cim/exact_kernel.cpp"
// Sums stand in structs, which vectors without a size known to the compiler cannot;
// processors that have those run the kernel for NEON.
#define HWY_DISABLED_TARGETS (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)
#include <hwy/foreach_target.h>
// foreach_target.h comes first.
#include <hwy/highway.h>

#include <algorithm>
#include <cstring>

#include "hw/engines/cim/exact_kernel.h"

HWY_BEFORE_NAMESPACE();
namespace quadrille::hw::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// Rows of a register tile (multiply_tile): six times two vectors of sums, two of weights and one
/// of activations fill the 16 registers of AVX2.
constexpr int kTileRows = 6;
/// Pairs of rows whose panel (16 KiB with AVX2) stays in the first cache.
constexpr std::size_t kBlockPairs = 256;

using Sums = hn::ScalableTag<std::int32_t>;

std::size_t panel_columns() { return 2 * hn::Lanes(Sums()); }

/// Two vectors of pairs: low halves are codes of the row above.
std::int32_t pair_of(std::int8_t first, std::int8_t second) {
  return static_cast<std::int32_t>((static_cast<std::uint32_t>(first) & 0xFFFFU) |
                                   (static_cast<std::uint32_t>(second) << 16));
}

/// Rows 2p and 2p + 1 of a panel that has all its columns; `second` may be null.
void pack_pairs(const std::int8_t* first, const std::int8_t* second, std::int16_t* to) {
  const Sums d32;
  const hn::Rebind<std::int8_t, Sums> d8;
  const std::size_t lanes = hn::Lanes(d32);
  auto* pairs = reinterpret_cast<std::int32_t*>(to);
  for (std::size_t j = 0; j < 2 * lanes; j += lanes) {
    const auto low = hn::And(hn::PromoteTo(d32, hn::LoadU(d8, first + j)), hn::Set(d32, 0xFFFF));
    const auto high = second == nullptr
                          ? hn::Zero(d32)
                          : hn::ShiftLeft<16>(hn::PromoteTo(d32, hn::LoadU(d8, second + j)));
    hn::StoreU(hn::Or(low, high), d32, pairs + j);
  }
}

void pack_by_rows(const std::int8_t* weights, std::size_t k, std::size_t n, std::int16_t* to) {
  const std::size_t panel = panel_columns();
  for (std::size_t j = 0; j < n; j += panel) {
    const std::size_t columns = std::min(panel, n - j);
    for (std::size_t i = 0; i < k; i += 2, to += 2 * panel) {
      const std::int8_t* first = weights + i * n + j;
      const std::int8_t* second = i + 1 < k ? first + n : nullptr;
      if (columns == panel) {
        pack_pairs(first, second, to);
        continue;
      }
      for (std::size_t c = 0; c < columns; ++c) {
        const std::int32_t pair = pair_of(first[c], second == nullptr ? std::int8_t{0} : second[c]);
        std::memcpy(to + 2 * c, &pair, sizeof pair);
      }
    }
  }
}

void pack_by_columns(const std::int8_t* weights, std::size_t k, std::size_t n, std::int16_t* to) {
  const std::size_t panel = panel_columns();
  for (std::size_t j = 0; j < n; j += panel, to += (k + 1) / 2 * 2 * panel) {
    for (std::size_t c = 0; c < std::min(panel, n - j); ++c) {
      const std::int8_t* column = weights + (j + c) * k;
      std::int16_t* pairs = to + 2 * c;
      for (std::size_t i = 0; i + 1 < k; i += 2, pairs += 2 * panel) {
        const std::int32_t pair = pair_of(column[i], column[i + 1]);
        std::memcpy(pairs, &pair, sizeof pair);
      }
      if (k % 2 != 0) *pairs = column[k - 1];
    }
  }
}

/// Activations as 16-bit codes, rows of an even number.
void widen(const std::uint8_t* x, std::int64_t x_pitch, bool x_signed, std::size_t tokens,
           std::size_t k, std::int16_t* to) {
  const std::size_t even = (k + 1) / 2 * 2;
  for (std::size_t t = 0; t < tokens; ++t, to += even) {
    const std::uint8_t* row = x + static_cast<std::ptrdiff_t>(t) * x_pitch;
    if (x_signed) {
      for (std::size_t i = 0; i < k; ++i) to[i] = static_cast<std::int8_t>(row[i]);
    } else {
      for (std::size_t i = 0; i < k; ++i) to[i] = row[i];
    }
    if (even != k) to[k] = 0;
  }
}

/// Where a register tile reads and writes.
struct Tile {
  const std::int16_t* x;
  std::size_t x_pitch;  ///< In codes.
  const std::int16_t* weights;
  std::size_t pairs;
  bool first;  ///< The sums begin here; otherwise they go on with what `out` has.
  std::uint8_t* out;
  std::int64_t out_pitch;
  std::size_t columns;
};

#if HWY_TARGET == HWY_SCALAR
// Processors without vectors: the same panels, of two columns.
template <int kRows>
void multiply_tile(const Tile& tile) {
  for (int r = 0; r < kRows; ++r) {
    const std::int16_t* x = tile.x + static_cast<std::size_t>(r) * tile.x_pitch;
    std::uint8_t* out = tile.out + r * tile.out_pitch;
    for (std::size_t c = 0; c < tile.columns; ++c) {
      std::int32_t sum = 0;
      if (!tile.first) std::memcpy(&sum, out + 4 * c, sizeof sum);
      for (std::size_t p = 0; p < tile.pairs; ++p) {
        const std::int16_t* w = tile.weights + 4 * p + 2 * c;
        sum += x[2 * p] * w[0] + x[2 * p + 1] * w[1];
      }
      std::memcpy(out + 4 * c, &sum, sizeof sum);
    }
  }
}
#else
using Vector = hn::Vec<Sums>;
using Pairs = hn::Vec<hn::Repartition<std::int16_t, Sums> >;

/// sum + x0 w0 + x1 w1 in every lane, for the two codes x that stand at `x`.
HWY_INLINE Vector add(Vector sum, const std::int16_t* x, Pairs w) {
  const Sums d32;
  std::int32_t pair;
  std::memcpy(&pair, x, sizeof pair);
  Vector odd = hn::Zero(d32);
  const Vector even = hn::ReorderWidenMulAccumulate(
      d32, hn::BitCast(hn::DFromV<Pairs>(), hn::Set(d32, pair)), w, hn::Zero(d32), odd);
  sum = hn::Add(sum, hn::RearrangeToOddPlusEven(even, odd));
#if HWY_ARCH_X86 && HWY_COMPILER_GCC_ACTUAL
  // GCC gives a sum two registers, for it changes its type on the way, and then has too
  // few: without this line the kernel is a third slower.
  asm("" : "+x"(sum.raw));
#endif
  return sum;
}

/// Row `row` of the tile, on top of what is there unless the sums begin here.
HWY_INLINE void store(const Tile& tile, int row, Vector left, Vector right) {
  const Sums d32;
  const std::size_t lanes = hn::Lanes(d32);
  std::uint8_t* out = tile.out + row * tile.out_pitch;
  HWY_ALIGN std::int32_t words[2 * HWY_MAX_BYTES / sizeof(std::int32_t)];
  if (!tile.first) {
    std::memcpy(words, out, 4 * tile.columns);
    left = hn::Add(left, hn::Load(d32, words));
    right = hn::Add(right, hn::Load(d32, words + lanes));
  }
  hn::Store(left, d32, words);
  hn::Store(right, d32, words + lanes);
  std::memcpy(out, words, 4 * tile.columns);
}

template <int kRows>
HWY_INLINE void multiply_tile(const Tile& tile) {
  const hn::Repartition<std::int16_t, Sums> d16;
  const std::size_t codes = hn::Lanes(d16);
  // The sums stand in names: GCC keeps arrays and structs of vectors in memory.
  Vector left0 = hn::Zero(Sums()), left1 = left0, left2 = left0, left3 = left0, left4 = left0,
         left5 = left0, right0 = left0, right1 = left0, right2 = left0, right3 = left0,
         right4 = left0, right5 = left0;
  const std::int16_t* w = tile.weights;
  const std::int16_t* x = tile.x;
  for (std::size_t p = 0; p < tile.pairs; ++p, w += 2 * codes, x += 2) {
    const auto left = hn::LoadU(d16, w);
    const auto right = hn::LoadU(d16, w + codes);
    left0 = add(left0, x, left);
    right0 = add(right0, x, right);
    if constexpr (kRows > 1) {
      left1 = add(left1, x + tile.x_pitch, left);
      right1 = add(right1, x + tile.x_pitch, right);
    }
    if constexpr (kRows > 2) {
      left2 = add(left2, x + 2 * tile.x_pitch, left);
      right2 = add(right2, x + 2 * tile.x_pitch, right);
    }
    if constexpr (kRows > 3) {
      left3 = add(left3, x + 3 * tile.x_pitch, left);
      right3 = add(right3, x + 3 * tile.x_pitch, right);
    }
    if constexpr (kRows > 4) {
      left4 = add(left4, x + 4 * tile.x_pitch, left);
      right4 = add(right4, x + 4 * tile.x_pitch, right);
    }
    if constexpr (kRows > 5) {
      left5 = add(left5, x + 5 * tile.x_pitch, left);
      right5 = add(right5, x + 5 * tile.x_pitch, right);
    }
  }
  store(tile, 0, left0, right0);
  if constexpr (kRows > 1) store(tile, 1, left1, right1);
  if constexpr (kRows > 2) store(tile, 2, left2, right2);
  if constexpr (kRows > 3) store(tile, 3, left3, right3);
  if constexpr (kRows > 4) store(tile, 4, left4, right4);
  if constexpr (kRows > 5) store(tile, 5, left5, right5);
}
#endif

void multiply_rows(const Tile& tile, int rows) {
  switch (rows) {
    case 6:
      return multiply_tile<6>(tile);
    case 5:
      return multiply_tile<5>(tile);
    case 4:
      return multiply_tile<4>(tile);
    case 3:
      return multiply_tile<3>(tile);
    case 2:
      return multiply_tile<2>(tile);
    default:
      return multiply_tile<1>(tile);
  }
}

/// Panel by panel, so that one stays in the first cache while all rows pass; long rows
/// in equal blocks.
void multiply(const std::int16_t* x, const std::int16_t* weights, std::size_t tokens, std::size_t k,
              std::size_t n, std::uint8_t* out, std::int64_t out_pitch) {
  const std::size_t panel = panel_columns();
  const std::size_t all_pairs = (k + 1) / 2;
  const std::size_t blocks = (all_pairs + kBlockPairs - 1) / kBlockPairs;
  for (std::size_t block = 0; block < blocks; ++block) {
    const std::size_t begin = all_pairs * block / blocks;
    const std::size_t pairs = all_pairs * (block + 1) / blocks - begin;
    for (std::size_t j = 0; j < n; j += panel) {
      const std::int16_t* w = weights + (j * all_pairs + begin * panel) * 2;
      for (std::size_t t = 0; t < tokens; t += kTileRows) {
        multiply_rows({x + t * 2 * all_pairs + 2 * begin, 2 * all_pairs, w, pairs, block == 0,
                       out + static_cast<std::ptrdiff_t>(t) * out_pitch + 4 * j, out_pitch,
                       std::min(panel, n - j)},
                      static_cast<int>(std::min<std::size_t>(kTileRows, tokens - t)));
      }
    }
  }
}

const char* target_name() { return hwy::TargetName(HWY_TARGET); }

}  // namespace quadrille::hw::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace quadrille::hw {

HWY_EXPORT(panel_columns);
HWY_EXPORT(pack_by_rows);
HWY_EXPORT(pack_by_columns);
HWY_EXPORT(widen);
HWY_EXPORT(multiply);
HWY_EXPORT(target_name);

void PackedWeights::pack(const std::int8_t* weights, int k, int n, bool by_columns) {
  k_ = static_cast<std::size_t>(k);
  n_ = static_cast<std::size_t>(n);
  panel_ = HWY_DYNAMIC_DISPATCH(panel_columns)();
  codes_.assign((k_ + 1) / 2 * 2 * ((n_ + panel_ - 1) / panel_ * panel_), 0);
  if (by_columns) {
    HWY_DYNAMIC_DISPATCH(pack_by_columns)(weights, k_, n_, codes_.data());
  } else {
    HWY_DYNAMIC_DISPATCH(pack_by_rows)(weights, k_, n_, codes_.data());
  }
}

void PackedWeights::multiply(const std::uint8_t* x, std::int64_t x_pitch, bool x_signed, int tokens,
                             std::uint8_t* out, std::int64_t out_pitch) const {
  // Kept between products: a run makes thousands, of few shapes.
  thread_local std::vector<std::int16_t> wide;
  const auto rows = static_cast<std::size_t>(tokens);
  wide.resize(std::max(wide.size(), rows * ((k_ + 1) / 2 * 2)));
  HWY_DYNAMIC_DISPATCH(widen)(x, x_pitch, x_signed, rows, k_, wide.data());
  HWY_DYNAMIC_DISPATCH(multiply)(wide.data(), codes_.data(), rows, k_, n_, out, out_pitch);
}

const char* exact_kernel_instruction_set() { return HWY_DYNAMIC_DISPATCH(target_name)(); }

}  // namespace quadrille::hw
#endif
