#include "app/workload/random_data.h"

#include <cmath>

namespace quadrille::app {

double RandomData::uniform() {
  return 0x1p-53 * static_cast<double>((generator_() >> 11) + 1);
}

std::vector<double> RandomData::normal(std::size_t count, double deviation) {
  constexpr double kTwoPi = 6.28318530717958647692;
  std::vector<double> values;
  values.reserve(count + 1);
  while (values.size() < count) {
    const double radius = std::sqrt(-2.0 * std::log(uniform()));
    const double angle = kTwoPi * uniform();
    for (const double value : {radius * std::cos(angle), radius * std::sin(angle)})
      values.push_back(0x1p-20 * std::nearbyint(0x1p20 * value) * deviation);
  }
  values.resize(count);
  return values;
}

}  // namespace quadrille::app
