// The limit-geometry table of the Sinkformer slides, tried on small systems of
// tokens: where they go for four kinds of W_V when W_Q^T W_K is positive definite.
//
// Two systems, which the slides put side by side and which behave differently:
//  (a) Rescaled softmax dynamics, where the table is a theorem (Geshkovski,
//      Letrouit, Polyanskiy, Rigollet 2023): z = e^{-tV} x,
//        dz_i/dt = sum_j P_ij V (z_j - z_i),
//        P = softmax over j of <A e^{tV} z_i, e^{tV} z_j>, A = W_Q^T W_K.
//  (b) The fixed-epsilon map z <- z + (K_eps^inf - I) V z with doubly stochastic
//      K of C_ij = <A z_i, z_j>. It has no rescaling, and with V = I it is
//      z <- K z, which averages: the tokens reach consensus, whatever the table
//      says. The other rows' claims need not hold for it either.
// V and A are symmetric here.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace quadrille::model {

/// Symmetric matrix [dimensions, dimensions] with these eigenvalues along the
/// axes of a fixed rotation (the same for every row of the table).
std::vector<double> rotated_diagonal(const std::vector<double>& eigenvalues);
/// Coordinate of every point along the axis `which` of that rotation.
std::vector<double> rotated_coordinate(const std::vector<double>& points, std::size_t dimensions,
                                       std::size_t which);

struct LimitSystem {
  std::string name;   ///< The row's name: "identity", ...
  std::string claim;  ///< The table's limit geometry.
  std::size_t dimensions = 2;
  std::vector<double> value_eigenvalues;      ///< Eigenvalues of V = W_V, leading first.
  std::vector<double> attention_eigenvalues;  ///< Eigenvalues of A, positive.
  double end_time = 10.0;                     ///< (a) ends here.
};

/// The four rows, in the slides' order.
const std::vector<LimitSystem>& limit_systems();

struct LimitSettings {
  int tokens = 40;
  std::uint64_t seed = 4;
  double time_step = 0.01;  ///< (a) goes so far at once, by the explicit Euler rule.
  double epsilon = 1.0;     ///< (b) has this epsilon.
  int map_steps = 200;      ///< (b) makes so many.
};

/// Uniform in [-1, 1]^dimensions, from std::mt19937_64.
std::vector<double> initial_tokens(const LimitSystem& system, const LimitSettings& settings);
/// (a), from `tokens`.
std::vector<double> rescaled_softmax_limit(const LimitSystem& system, const LimitSettings& settings,
                                           const std::vector<double>& tokens);
/// (b), from `tokens`.
std::vector<double> fixed_epsilon_limit(const LimitSystem& system, const LimitSettings& settings,
                                        const std::vector<double>& tokens);

// --- What is there --------------------------------------------------------------

/// Groups of points that single linkage joins at `threshold` (Euclidean).
int count_clusters(const std::vector<double>& points, std::size_t dimensions, double threshold);
/// Largest distance from the mean.
double radius(const std::vector<double>& points, std::size_t dimensions);
/// Largest distance of a point to the nearest vertex of the points' convex hull,
/// in the plane of the first two rotated coordinates.
double distance_to_vertices(const std::vector<double>& points, std::size_t dimensions);

struct LimitFigures {
  int clusters = 0;  ///< Clusters of all coordinates.
  /// Values of the coordinate along V's leading axis alone: parallel hyperplanes.
  int leading_values = 0;
  int leading_plane_clusters = 0;  ///< Clusters of the first two rotated coordinates.
  double vertex_distance = 0.0;    ///< distance_to_vertices(), over the initial radius.
  double last_axis_spread = 0.0;   ///< Range along the last axis, over the initial one.
  double radius_growth = 0.0;      ///< Final over initial radius.
};

/// Threshold of all counts: this share of the initial radius.
inline constexpr double kLinkageShare = 0.02;
LimitFigures limit_figures(const LimitSystem& system, const std::vector<double>& initial,
                           const std::vector<double>& final);

/// Judges what the table's row claims on these figures:
///  identity     at least 2 clusters and at most a quarter of the tokens, all
///               within the threshold of a vertex of their hull
///  hyperplanes  2 or 3 values along the leading axis (1 is consensus along it), and
///               no collapse along the last one
///  paranormal   the first in the leading plane, with the other axis not collapsed
///  negative     a radius that has grown a hundredfold
bool claim_holds(const LimitSystem& system, const LimitSettings& settings,
                 const LimitFigures& figures);
/// All tokens in one place.
bool is_consensus(const LimitFigures& figures);
/// Names where all tokens agree: "everywhere", "in the leading plane" (of the
/// first two rotated axes), "along the leading axis" or "none".
std::string consensus_of(const LimitFigures& figures);

}  // namespace quadrille::model
