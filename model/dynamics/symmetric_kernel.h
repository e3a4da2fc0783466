// Doubly stochastic normalisation of a symmetric Gaussian kernel: the K^inf of
// "Heat Flow through Doubly-Stochastic Self-Attention" when keys are queries.
//
// With C_ij = x_i . x_j / eps (W_Q^T W_K = I) the limit K^inf is that of the
// Gaussian kernel exp(-|x_i - x_j|^2 / (2 eps)): the factors exp(-|x_i|^2 / 2 eps)
// go into the scalings. The Gaussian form stays inside double's range, so the
// scalings themselves are iterated here, not their logarithms.
#pragma once

#include <cstddef>
#include <vector>

namespace quadrille::model {

/// Kernel entries below exp(-kKernelCutoff) of the diagonal's 1 are taken as 0.
inline constexpr double kKernelCutoff = 100.0;

/// A symmetric n x n matrix of non-negative entries; each row is stored from its
/// first to its last entry above the cutoff (a band, when points are sorted).
class SymmetricKernel {
 public:
  /// exp(-|x_i - x_j|^2 / (2 epsilon)) of points [n, dimensions], row-major.
  SymmetricKernel(const std::vector<double>& points, std::size_t dimensions, double epsilon);

  std::size_t size() const { return first_.size(); }
  std::vector<double> multiply(const std::vector<double>& x) const;

 private:
  std::vector<std::size_t> first_;   ///< Column of the row's first entry.
  std::vector<std::size_t> offset_;  ///< Into values_, one more than rows.
  std::vector<double> values_;
};

/// r with r_i sum_j K_ij w_j r_j = 1 for all i. `weights` are masses of the
/// points; empty: 1 each.
///
/// The damped update f <- (f + T f) / 2 of f = log r is r <- sqrt(r / (K (w r))).
/// Near the limit it multiplies an error mode of K's eigenvalue lambda by
/// (1 - lambda) / 2, and a Gaussian kernel's lie in [0, 1]: the error at least
/// halves with every update.
struct SymmetricScaling {
  std::vector<double> r;
  double residual = 0.0;  ///< max |line sum - 1|, of r.
  int updates = 0;
};

/// `start`: r to begin with, or empty for ones. Stops after `most_updates`, or as
/// soon as the residual is at or below `tolerance` (0: never).
SymmetricScaling symmetric_scaling(const SymmetricKernel& kernel, const std::vector<double>& start,
                                   int most_updates, double tolerance,
                                   const std::vector<double>& weights = {});

/// sum_j r_i K_ij w_j r_j y_j / (the row's sum) for one coordinate y: the
/// barycentric projection B(x_i). Dividing by the sum keeps an unfinished
/// scaling from adding or losing mass, as a last half-step on rows does.
std::vector<double> barycentre(const SymmetricKernel& kernel, const std::vector<double>& r,
                               const std::vector<double>& y,
                               const std::vector<double>& weights = {});

}  // namespace quadrille::model
