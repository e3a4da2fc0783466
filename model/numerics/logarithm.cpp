#include "model/numerics/logarithm.h"

#include <cmath>

#include "model/numerics/rounding.h"

namespace quadrille::model {
namespace {

constexpr int kIndexBits = 8;
constexpr int kOffsetBits = kLogFractionBits - kIndexBits;
constexpr int kGuardBits = kLogSumFractionBits - kMantissaFractionBits;

template <typename Function>
InterpolationTable make_table(Function function, int fraction_bits) {
  InterpolationTable table{};
  const auto at = [&](std::size_t i) {
    const double x = static_cast<double>(i) / static_cast<double>(table.size());
    return static_cast<std::uint32_t>(std::nearbyint(std::ldexp(function(x), fraction_bits)));
  };
  for (std::size_t i = 0; i < table.size(); ++i) table[i] = {at(i), at(i + 1) - at(i)};
  return table;
}

std::uint32_t interpolate(const InterpolationTable& table, std::uint32_t fraction) {
  const InterpolationEntry& entry = table[fraction >> kOffsetBits];
  const std::int64_t offset = fraction & ((1U << kOffsetBits) - 1);
  return entry.value +
         static_cast<std::uint32_t>(round_shift(std::int64_t{entry.step} * offset, kOffsetBits));
}

std::uint64_t shifted_right(std::uint64_t x, std::int64_t shift) {
  return shift >= 64 ? 0 : x >> shift;
}

}  // namespace

InterpolationTable make_power_table() {
  return make_table([](double x) { return std::exp2(x); }, kMantissaFractionBits);
}

InterpolationTable make_logarithm_table() {
  return make_table([](double x) { return std::log2(1.0 + x); }, kLogFractionBits);
}

std::uint32_t power_mantissa(std::uint32_t fraction) {
  static const InterpolationTable table = make_power_table();
  return interpolate(table, fraction);
}

std::int64_t log2_code(std::uint64_t x) {
  static const InterpolationTable table = make_logarithm_table();
  const int lead = leading_one(x);
  const std::uint64_t below =
      lead >= kLogFractionBits ? x >> (lead - kLogFractionBits) : x << (kLogFractionBits - lead);
  const auto fraction = static_cast<std::uint32_t>(below & ((1U << kLogFractionBits) - 1));
  return (std::int64_t{lead} << kLogFractionBits) + interpolate(table, fraction);
}

std::int64_t power_code(std::int64_t x, int fraction_bits, std::int64_t& saturated) {
  constexpr std::int64_t kLargest = (std::int64_t{1} << 31) - 1;
  const std::int64_t octave = x >> kLogFractionBits;
  const auto mantissa = static_cast<std::int64_t>(
      power_mantissa(static_cast<std::uint32_t>(x & ((1 << kLogFractionBits) - 1))));
  const std::int64_t shift = kMantissaFractionBits - fraction_bits - octave;
  if (shift < -14) {  // 2^17 << 14 is 2^31.
    ++saturated;
    return kLargest;
  }
  const std::int64_t code = shift >= 63 ? 0 : round_shift(mantissa, static_cast<int>(shift));
  if (code <= kLargest) return code;
  ++saturated;
  return kLargest;
}

void LogSum::add(std::int64_t x) {
  const std::int64_t o = x >> kLogFractionBits;
  const std::uint64_t term =
      std::uint64_t{power_mantissa(static_cast<std::uint32_t>(x & ((1 << kLogFractionBits) - 1)))}
      << kGuardBits;
  if (sum == 0) {
    octave = o;
    sum = term;
  } else if (o > octave) {
    sum = shifted_right(sum, o - octave) + term;
    octave = o;
  } else {
    sum += shifted_right(term, octave - o);
  }
}

std::int64_t LogSum::logarithm() const {
  // Times 2^16, not << 16: an octave may be negative.
  return (octave - kLogSumFractionBits) * (std::int64_t{1} << kLogFractionBits) + log2_code(sum);
}

}  // namespace quadrille::model
