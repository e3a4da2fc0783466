// Seeded stall patterns. Whether a port may move in a cycle depends on the
// cycle alone, never on valid or ready: what is offered stays offered, so two
// bodies see the same surroundings.
#pragma once

#include <cstdint>

namespace quadrille::testbench {

class Pacer {
 public:
  /// Never stalls.
  Pacer() = default;
  /// Moves in about `percent` of the cycles, in runs of `run` cycles.
  Pacer(std::uint64_t seed, int percent, int run = 1) : seed_(seed), percent_(percent), run_(run) {}

  bool go(std::int64_t cycle) const {
    if (percent_ >= 100) return true;
    std::uint64_t x = seed_ + 0x9E3779B97F4A7C15U * static_cast<std::uint64_t>(cycle / run_ + 1);
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9U;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBU;
    x ^= x >> 31;
    return x % 100 < static_cast<std::uint64_t>(percent_);
  }

  /// A pattern drawn from `random`: none, light, heavy, in long runs.
  template <typename Random>
  static Pacer draw(Random& random) {
    switch (random() % 4) {
      case 0:
        return {};
      case 1:
        return {random(), 85};
      case 2:
        return {random(), 30};
      default:
        return {random(), 50, 1 + static_cast<int>(random() % 40)};
    }
  }

 private:
  std::uint64_t seed_ = 0;
  int percent_ = 100;
  int run_ = 1;
};

}  // namespace quadrille::testbench
