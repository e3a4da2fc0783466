// Division of counts: how many groups of a size hold so many things.
#pragma once

#include <type_traits>

namespace quadrille::model {

/// count / size rounded up; count >= 0, size > 0, and count + size fits the type.
template <typename Count, typename Size>
constexpr std::common_type_t<Count, Size> ceil_div(Count count, Size size) {
  static_assert(std::is_integral_v<Count> && std::is_integral_v<Size>);
  static_assert(std::is_signed_v<Count> == std::is_signed_v<Size>);
  using Common = std::common_type_t<Count, Size>;
  return (Common{count} + Common{size} - 1) / Common{size};
}

/// The least multiple of `size` that is at least `count`.
template <typename Count, typename Size>
constexpr std::common_type_t<Count, Size> round_up(Count count, Size size) {
  return ceil_div(count, size) * size;
}

}  // namespace quadrille::model
