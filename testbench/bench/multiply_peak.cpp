#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "testbench/bench/multiply_peak.cpp"
#define HWY_DISABLED_TARGETS (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)
#include <hwy/foreach_target.h>
// foreach_target.h comes first.
#include <hwy/highway.h>

#include <algorithm>
#include <chrono>

#include "testbench/bench/multiply_peak.h"

HWY_BEFORE_NAMESPACE();
namespace quadrille::bench::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET == HWY_SCALAR
double multiply_loop(int rounds, int* sink) {
  for (int round = 0; round < rounds; ++round) *sink += round * (*sink | 1);
  return rounds;
}
#else
using Sums = hn::ScalableTag<int>;
using Vector = hn::Vec<Sums>;
using Codes = hn::Vec<hn::Repartition<short, Sums> >;

HWY_INLINE Vector step(Vector sum, Codes& x, Codes w) {
  // The compiler must not see that every step multiplies the same.
#if HWY_ARCH_X86
  asm volatile("" : "+x"(x.raw));
#elif HWY_ARCH_ARM
  asm volatile("" : "+w"(x.raw));
#endif
  Vector odd = hn::Zero(Sums());
  const Vector even = hn::ReorderWidenMulAccumulate(Sums(), x, w, hn::Zero(Sums()), odd);
  sum = hn::Add(sum, hn::RearrangeToOddPlusEven(even, odd));
#if HWY_ARCH_X86 && HWY_COMPILER_GCC_ACTUAL
  asm("" : "+x"(sum.raw));  // As in the kernel: one register per sum.
#endif
  return sum;
}

/// Ten independent sums hide the latency of multiply and add. Returns MACs.
double multiply_loop(int rounds, int* sink) {
  Codes x = hn::BitCast(hn::DFromV<Codes>(), hn::Set(Sums(), *sink));
  const Codes w = hn::BitCast(hn::DFromV<Codes>(), hn::Set(Sums(), *sink + 1));
  Vector a = hn::Set(Sums(), *sink);
  Vector b = a, c = a, d = a, e = a, f = a, g = a, h = a, i = a, j = a;
  for (int round = 0; round < rounds; ++round) {
    a = step(a, x, w);
    b = step(b, x, w);
    c = step(c, x, w);
    d = step(d, x, w);
    e = step(e, x, w);
    f = step(f, x, w);
    g = step(g, x, w);
    h = step(h, x, w);
    i = step(i, x, w);
    j = step(j, x, w);
  }
  Vector all = hn::Add(a, hn::Add(b, c));
  all = hn::Add(all, hn::Add(d, hn::Add(e, f)));
  all = hn::Add(all, hn::Add(hn::Add(g, h), hn::Add(i, j)));
  *sink = hn::GetLane(all) | 3;
  return 10.0 * static_cast<double>(hn::Lanes(hn::DFromV<Codes>())) * rounds;
}
#endif

}  // namespace quadrille::bench::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace quadrille::bench {

HWY_EXPORT(multiply_loop);

double multiply_peak_macs_per_s() {
  int sink = 3;
  double best = 0.0;
  for (int repeat = 0; repeat < 20; ++repeat) {
    const auto start = std::chrono::steady_clock::now();
    const double macs = HWY_DYNAMIC_DISPATCH(multiply_loop)(1000000, &sink);
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
    best = std::max(best, macs / elapsed.count());
  }
  return best;
}

}  // namespace quadrille::bench
#endif
