// Random softmax commands with their scores in a scratchpad, and what the
// scalar functions of model/numerics say they give.
#pragma once

#include <cstdint>
#include <functional>
#include <random>
#include <string>

#include "hw/engines/softmax/softmax_operations.h"
#include "testbench/common/damf_case.h"

namespace quadrille::testbench {

/// One operation, its memory before, and its memory after by the specification.
struct SoftmaxCase {
  hw::SoftmaxRows operation;
  Image before{0};
  Image after{0};
  std::string description;
};

/// The kinds of scores that a case is drawn from: of one random magnitude, all
/// equal (the largest sums), the extremes of 32 bits, or near a multiple of one
/// octave.
enum class Scores { kMagnitude, kEqual, kExtreme, kOctaves };

/// Makes a case of given scores and their result, for a shape and factor that are
/// already in `operation`. Pitches beyond the row are kept, others and the
/// addresses are filled in.
SoftmaxCase softmax_case_of(const hw::SoftmaxRows& operation,
                            const std::function<std::int32_t(int row, int key)>& score);

/// Drawn scores and their result, for a shape and factor that are already in `operation`.
/// Pitches beyond the row are kept, others and the addresses are filled in.
SoftmaxCase make_softmax_case(std::mt19937_64& random, const hw::SoftmaxRows& operation,
                              Scores kind);

/// A command of random shape and values; now and then a row of `max_keys`.
SoftmaxCase random_softmax_case(std::mt19937_64& random, const hw::SoftmaxConfig& config);

}  // namespace quadrille::testbench
