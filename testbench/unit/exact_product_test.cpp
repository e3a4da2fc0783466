// The product kernels: each exact, at odd sizes and at the codes' extremes.
#include "hw/engines/cim/exact_product.h"

#include <gtest/gtest.h>
#include <hwy/highway.h>

#include <cstring>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "model/errors.h"
#include "testbench/common/portable_random.h"

namespace quadrille {
namespace {

using hw::ExactProduct;
using hw::ProductKernel;
using hw::WeightLayout;

enum class Values { kRandom, kLowest, kHighest, kAlternating };

void check(ProductKernel kernel, WeightLayout layout, bool x_signed, Values values, int tokens,
           int k, int n) {
  std::mt19937 random(static_cast<unsigned>(tokens * 131 + k * 17 + n));
  const auto code = [&](bool is_signed, std::size_t at) -> int {
    switch (values) {
      case Values::kLowest:
        return is_signed ? -128 : 255;
      case Values::kHighest:
        return is_signed ? 127 : 255;
      case Values::kAlternating:
        return is_signed ? (at % 2 == 0 ? -128 : 127) : (at % 2 == 0 ? 255 : 0);
      case Values::kRandom:
        break;
    }
    return static_cast<int>(random() & 255U) - (is_signed ? 128 : 0);
  };
  const int x_pitch = k + 5;
  const int out_pitch = 4 * n + 12;
  std::vector<std::uint8_t> x(static_cast<std::size_t>(tokens * x_pitch), 0x7E);
  std::vector<std::int8_t> w(static_cast<std::size_t>(k * n));
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<std::uint8_t>(code(x_signed, i));
  for (std::size_t i = 0; i < w.size(); ++i) w[i] = static_cast<std::int8_t>(code(true, i / 3));
  std::vector<std::uint8_t> expected(static_cast<std::size_t>(tokens * out_pitch), 0xEE);
  auto actual = expected;
  for (int t = 0; t < tokens; ++t) {
    for (int j = 0; j < n; ++j) {
      std::int64_t sum = 0;
      for (int i = 0; i < k; ++i) {
        const std::uint8_t byte = x[static_cast<std::size_t>(t * x_pitch + i)];
        sum += std::int64_t{x_signed ? static_cast<std::int8_t>(byte) : int{byte}} *
               w[static_cast<std::size_t>(layout == WeightLayout::kRows ? i * n + j : j * k + i)];
      }
      const auto narrow = static_cast<std::int32_t>(sum);
      ASSERT_EQ(narrow, sum);
      std::memcpy(expected.data() + t * out_pitch + 4 * j, &narrow, 4);
    }
  }
  ExactProduct product(w, k, n, layout, kernel);
  product.multiply(x.data(), x_pitch, x_signed, tokens, actual.data(), out_pitch);
  ASSERT_EQ(actual, expected) << (kernel == ProductKernel::kOneDnn ? "oneDNN " : "portable ")
                              << (x_signed ? "s8" : "u8")
                              << (layout == WeightLayout::kRows ? " x s8, " : " x s8 transposed, ")
                              << tokens << " x " << k << " x " << n << ", values "
                              << static_cast<int>(values);
}

void check_all(ProductKernel kernel) {
  const int shapes[][3] = {{1, 1, 1},       {1, 64, 64},   {3, 5, 7},
                           {17, 33, 65},    {16, 64, 48},  {128, 64, 128},
                           {127, 129, 255}, {9, 3001, 70}, {2, 768, 256}};
  for (const auto& shape : shapes)
    for (const bool x_signed : {true, false})
      for (const Values values :
           {Values::kRandom, Values::kLowest, Values::kHighest, Values::kAlternating})
        for (const WeightLayout layout : {WeightLayout::kRows, WeightLayout::kColumns})
          check(kernel, layout, x_signed, values, shape[0], shape[1], shape[2]);
}

TEST(ExactProduct, PortableKernelIsExact) { check_all(ProductKernel::kPortable); }

/// Restores the choice of instruction set.
class InstructionSets {
 public:
  ~InstructionSets() {
    hwy::SetSupportedTargetsForTest(0);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  }
  /// Whether it is there; then it is what runs.
  bool take(std::int64_t target) {
    hwy::SetSupportedTargetsForTest(0);
    if ((hwy::SupportedTargets() & target) == 0) return false;
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
    return true;
  }
};

TEST(ExactProduct, EveryInstructionSetHereIsExact) {
  InstructionSets sets;
  std::set<std::string> names;
  for (int bit = 0; bit < 62; ++bit) {
    const std::int64_t target = std::int64_t{1} << bit;
    if ((HWY_TARGETS & target) == 0 || !sets.take(target)) continue;
    EXPECT_STREQ(hw::exact_kernel_instruction_set(), hwy::TargetName(target));
    names.insert(hw::exact_kernel_instruction_set());
    SCOPED_TRACE(hw::exact_kernel_instruction_set());
    check_all(ProductKernel::kPortable);
  }
  EXPECT_GE(names.size(), 1u);
}

// Every edge of tiles, panels and blocks: rows about 6, columns about two vectors, inner
// lengths about 512.
TEST(ExactProduct, RandomShapesAreExact) {
  std::mt19937_64 random(11);
  for (int i = 0; i < 300; ++i) {
    const int tokens = pick(random, 1, 20);
    const int k = pick(random, 0, 3) == 0 ? pick(random, 500, 1100) : pick(random, 1, 70);
    const int n = pick(random, 1, 70);
    check(ProductKernel::kPortable,
          pick(random, 0, 1) == 0 ? WeightLayout::kRows : WeightLayout::kColumns,
          pick(random, 0, 1) == 0, static_cast<Values>(pick(random, 0, 3)), tokens, k, n);
    if (HasFatalFailure()) return;
  }
}

TEST(ExactProduct, OneDnnKernelIsExact) {
  if (!hw::onednn_is_exact())
    GTEST_SKIP() << "no VNNI or AMX here: the chip uses the portable kernel";
  check_all(ProductKernel::kOneDnn);
}

TEST(ExactProduct, FollowsAnotherShapeAndSignedness) {
  std::vector<std::int8_t> w(40 * 24);
  for (std::size_t i = 0; i < w.size(); ++i) w[i] = static_cast<std::int8_t>(37 * i);
  ExactProduct product(w, 40, 24, WeightLayout::kRows, hw::best_product_kernel());
  for (const int tokens : {1, 7, 64, 7}) {
    for (const bool x_signed : {true, false, true}) {
      std::vector<std::uint8_t> x(static_cast<std::size_t>(tokens * 40));
      for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<std::uint8_t>(59 * i + 200);
      std::vector<std::uint8_t> out(static_cast<std::size_t>(tokens * 24 * 4));
      product.multiply(x.data(), 40, x_signed, tokens, out.data(), 24 * 4);
      for (std::size_t t = 0; t < static_cast<std::size_t>(tokens); ++t) {
        for (std::size_t j = 0; j < 24; ++j) {
          std::int32_t expected = 0;
          for (std::size_t i = 0; i < 40; ++i)
            expected += (x_signed ? static_cast<std::int8_t>(x[t * 40 + i]) : int{x[t * 40 + i]}) *
                        w[i * 24 + j];
          std::int32_t actual = 0;
          std::memcpy(&actual, out.data() + 4 * (t * 24 + j), 4);
          ASSERT_EQ(actual, expected) << tokens << " tokens, signed " << x_signed;
        }
      }
    }
  }
}

TEST(ExactProduct, HoldsTheLongestSumAndRefusesALongerOne) {
  check(hw::best_product_kernel(), WeightLayout::kRows, false, Values::kHighest, 1,
        ExactProduct::kMaxTerms, 1);
  EXPECT_THROW(ExactProduct({}, ExactProduct::kMaxTerms + 1, 1, WeightLayout::kRows,
                            ProductKernel::kPortable),
               InvariantError);
}

}  // namespace
}  // namespace quadrille
