#include "hw/engines/requantise.h"

#include <string>

#include "hw/engines/multiversion.h"
#include "model/errors.h"

namespace quadrille::hw {

Scaling scaling_of(std::uint32_t packed_reciprocal, int fraction_bits, const char* who, int row) {
  const model::Reciprocal inverse = model::unpacked_reciprocal(packed_reciprocal);
  const int shift = inverse.shift - fraction_bits;
  if (shift < 0) {
    throw InvariantError(std::string(who) + " command: reciprocal of row " + std::to_string(row) +
                         " has shift " + std::to_string(inverse.shift) + " below its " +
                         std::to_string(fraction_bits) + " fraction bits");
  }
  return {inverse.mantissa, shift};
}

QUADRILLE_MULTIVERSION
std::int64_t scale_to_sums(std::int32_t* row, int count, const Scaling& scaling) {
  const Scaling own = scaling;
  constexpr std::int64_t kMax = INT32_MAX;
  constexpr std::int64_t kMin = INT32_MIN;
  std::int64_t clamped = 0;
  for (int i = 0; i < count; ++i) {
    const std::int64_t x = own(row[i]);
    const std::int64_t y = x > kMax ? kMax : x < kMin ? kMin : x;
    clamped += x != y ? 1 : 0;
    row[i] = static_cast<std::int32_t>(y);
  }
  return clamped;
}

QUADRILLE_MULTIVERSION
std::int64_t scale_to_codes8(const std::int32_t* row, std::uint8_t* codes, int count,
                             const Scaling& scaling) {
  const Scaling own = scaling;
  std::int64_t clamped = 0;
  for (int i = 0; i < count; ++i) {
    const std::int64_t x = own(row[i]);
    const std::int64_t y = x > 127 ? 127 : x < -128 ? -128 : x;
    clamped += x != y ? 1 : 0;
    codes[i] = static_cast<std::uint8_t>(y);
  }
  return clamped;
}

QUADRILLE_MULTIVERSION
std::int64_t scale_to_codes16(const std::int32_t* row, std::uint8_t* codes, int count,
                              const Scaling& scaling) {
  const Scaling own = scaling;
  std::int64_t clamped = 0;
  for (int i = 0; i < count; ++i) {
    const std::int64_t x = own(row[i]);
    const std::int64_t y = x > INT16_MAX ? INT16_MAX : x < INT16_MIN ? INT16_MIN : x;
    clamped += x != y ? 1 : 0;
    codes[2 * i] = static_cast<std::uint8_t>(y);
    codes[2 * i + 1] = static_cast<std::uint8_t>(y >> 8);
  }
  return clamped;
}

}  // namespace quadrille::hw
