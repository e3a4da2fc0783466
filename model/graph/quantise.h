// From a graph in double precision to the same graph in integers: static scales
// of its tensors, then codes of what is constant and the factors of every
// requantisation.
#pragma once

#include <vector>

#include "model/graph/evaluate.h"

namespace quadrille::model {

/// value = code * scale. One scale stands for a whole tensor; the vectors u and v
/// of DamfProject have one per row (head), its output st has two per head, those
/// of s and of t: {s_0, t_0, s_1, t_1, ...}.
struct Calibration {
  std::vector<std::vector<double>> scales;  ///< By TensorId; empty: none yet.
  /// By node, for SinkhornAttention and Sinkhorn: the largest magnitude of the
  /// logits in nats, which picks their fraction bits; 0: none yet.
  std::vector<double> largest_logits;
  /// By node, for LinearAttention: the largest of Q's, K's and the positions' values,
  /// signed, from which phi's scales come; empty: not known, and the largest code counts.
  std::vector<std::vector<double>> largest_features;
  /// By TensorId: the values are codes times the scale, to be taken as they are.
  /// Others are clamped to the symmetric range of their format.
  std::vector<bool> given_codes;

  explicit Calibration(const Graph& graph)
      : scales(graph.tensors.size()),
        largest_logits(graph.nodes.size(), 0.0),
        largest_features(graph.nodes.size()),
        given_codes(graph.tensors.size(), false) {}
};

/// Absmax scales of the values of every tensor of codes that `given` leaves open.
Calibration calibrate(const Graph& graph, const Values& values, Calibration given);

/// How a tensor's codes are meant.
enum class Encoding {
  kScaled,      ///< value = code * scale
  kLog2,        ///< A scaling's log2, 16 fraction bits.
  kReciprocal,  ///< mantissa * 2^(24 - shift): mantissa in bits 0..16, shift in bits 24..29.
};

struct Quantised {
  IntegerGraph integers;
  ByteTensors tensors;  ///< Of inputs, weights and tables.
  /// By TensorId, outputs and sums included. Scales as Calibration has them.
  std::vector<std::vector<double>> scales;
  std::vector<Encoding> encodings;
  /// Values of inputs and weights beyond the range of their codes at the given scale.
  std::int64_t saturated = 0;
};

/// `values` need to hold inputs and weights only. InputError (file = the graph's
/// source) when a factor leaves the hardware's range, or logits leave that of a
/// held K.
Quantised quantise(const Graph& graph, const Values& values, const Calibration& calibration);

/// The values of a tensor's bytes.
std::vector<double> dequantise(const Quantised& quantised, TensorId tensor,
                               const TensorBytes& bytes);

/// Bits of a tensor's codes: its format's, or fewer where a Linear says so.
int code_bits(const Graph& graph, TensorId tensor);

}  // namespace quadrille::model
