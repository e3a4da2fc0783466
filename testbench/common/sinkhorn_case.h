// Commands of the Sinkhorn unit as tensors, as the specification takes them and
// as the engine does: what they should leave, and whether tile and beat do.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "hw/engines/sinkhorn/sinkhorn_engine.h"
#include "hw/memory/bytes.h"
#include "testbench/common/portable_random.h"

namespace quadrille::testbench {

bool one_in(std::mt19937_64& random, int n);
/// Signed codes of so many bits.
std::vector<std::int32_t> random_codes(std::mt19937_64& random, std::size_t count, int bits);
std::vector<std::int32_t> words_of(const std::vector<std::int64_t>& codes);

/// Buffers one after the other, each at a multiple of the largest beat.
struct Arena {
  std::uint64_t end = 0;
  std::uint64_t take(std::int64_t bytes);
};

/// Values of `bytes` bytes in rows of `width`.
void store(const hw::Bytes& memory, std::uint64_t address, std::int64_t pitch, std::int64_t width,
           const std::vector<std::int32_t>& values, int bytes);

/// A matrix or a batch, as tensors, as the specification takes it and as a command.
struct ScaleCase {
  hw::SinkhornConfig config;
  hw::SinkhornScale operation;
  model::SinkhornInteger problem;
  std::vector<std::int32_t> codes, f0, g0;
  std::vector<std::uint8_t> memory;

  std::string describe() const;
};

hw::SinkhornConfig random_sinkhorn_config(std::mt19937_64& random);
/// The shape of a scale, of up to `few` or up to `many` lines, in a form that the
/// engine takes for it; without batch, half-steps and addresses.
hw::SinkhornScale random_scale_shape(std::mt19937_64& random, const hw::SinkhornConfig& config,
                                     int few, int many);
/// A course of `operation` without data, but for blocks that end at random half-steps
/// as their data would have it.
hw::CommandCourse random_course(std::mt19937_64& random, const hw::SinkhornConfig& config,
                                const hw::SinkhornScale& operation);
/// Any command that fits a random engine.
ScaleCase random_scale_case(std::mt19937_64& random);
ScaleCase random_scale_case(std::mt19937_64& random, const hw::SinkhornConfig& config);
/// Completes a case that has an operation without addresses, its codes and
/// starting scalings: the problem, the targets, the places and the memory.
void complete(std::mt19937_64& random, ScaleCase& c);

/// A command should leave this: its memory, its clamped values, its course.
struct SinkhornExpected {
  std::vector<std::uint8_t> memory;
  std::int64_t saturated = 0;
  hw::CommandCourse course;
};
SinkhornExpected expected_scale(const ScaleCase& c);

/// Tile, then beat twice on one body (a command must leave nothing behind).
void expect_sinkhorn_equal(std::mt19937_64& random, const hw::SinkhornConfig& config,
                           const hw::SinkhornOperation& operation,
                           const std::vector<std::uint8_t>& memory,
                           const SinkhornExpected& expected);

}  // namespace quadrille::testbench
