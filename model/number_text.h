// Numbers in messages.
#pragma once

#include <cstdio>
#include <string>

namespace quadrille::model {

/// "0.5", "1e+30": six digits at most, whatever the size. std::to_string() writes
/// hundreds of digits of a large number and zeros of a small one.
inline std::string number_text(double number) {
  char text[32];
  std::snprintf(text, sizeof text, "%g", number);
  return text;
}

}  // namespace quadrille::model
