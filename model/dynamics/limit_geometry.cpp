#include "model/dynamics/limit_geometry.h"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <random>

#include "model/dynamics/symmetric_kernel.h"

namespace quadrille::model {
namespace {

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Points = Eigen::Map<const Matrix>;

Eigen::Index index(std::size_t value) { return static_cast<Eigen::Index>(value); }

/// Orthonormal, no axis along a coordinate: products of plane rotations by 0.6.
Matrix rotation(std::size_t dimensions) {
  Matrix result = Matrix::Identity(index(dimensions), index(dimensions));
  for (std::size_t c = 0; c + 1 < dimensions; ++c) {
    Matrix plane = Matrix::Identity(index(dimensions), index(dimensions));
    plane(index(c), index(c)) = plane(index(c + 1), index(c + 1)) = std::cos(0.6);
    plane(index(c), index(c + 1)) = -std::sin(0.6);
    plane(index(c + 1), index(c)) = std::sin(0.6);
    result = result * plane;
  }
  return result;
}

/// f of the eigenvalues in the rotated axes.
Matrix rotated(
    const std::vector<double>& eigenvalues,
    const std::function<double(double)>& f = [](double x) { return x; }) {
  const Matrix axes = rotation(eigenvalues.size());
  Eigen::VectorXd diagonal(index(eigenvalues.size()));
  for (std::size_t c = 0; c < eigenvalues.size(); ++c) diagonal(index(c)) = f(eigenvalues[c]);
  return axes * diagonal.asDiagonal() * axes.transpose();
}

Points points_of(const std::vector<double>& values, std::size_t dimensions) {
  return {values.data(), index(values.size() / dimensions), index(dimensions)};
}

std::vector<double> values_of(const Matrix& points) {
  return {points.data(), points.data() + points.size()};
}

Matrix softmax_rows(Matrix logits) {
  for (Eigen::Index i = 0; i < logits.rows(); ++i) {
    const double largest = logits.row(i).maxCoeff();
    logits.row(i) = (logits.row(i).array() - largest).exp().matrix();
    logits.row(i) /= logits.row(i).sum();
  }
  return logits;
}

/// Coordinates along the rotation's first two axes.
std::vector<double> leading_plane(const std::vector<double>& points, std::size_t dimensions) {
  const Matrix plane = points_of(points, dimensions) * rotation(dimensions).leftCols(2);
  return values_of(plane);
}

/// > 0 when a, b, c turn left.
double turn(const double* a, const double* b, const double* c) {
  return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]);
}

/// Vertices of the convex hull of points in the plane, by Andrew's chains.
std::vector<const double*> hull(const std::vector<double>& plane) {
  std::vector<const double*> sorted;
  for (std::size_t i = 0; i + 1 < plane.size(); i += 2) sorted.push_back(&plane[i]);
  std::sort(sorted.begin(), sorted.end(), [](const double* a, const double* b) {
    return a[0] != b[0] ? a[0] < b[0] : a[1] < b[1];
  });
  std::vector<const double*> vertices;
  for (int chain = 0; chain < 2; ++chain) {
    const std::size_t begin = vertices.size();
    for (const double* point : sorted) {
      while (vertices.size() >= begin + 2 &&
             turn(vertices[vertices.size() - 2], vertices.back(), point) <= 0.0)
        vertices.pop_back();
      vertices.push_back(point);
    }
    if (vertices.size() > 1) vertices.pop_back();
    std::reverse(sorted.begin(), sorted.end());
  }
  return vertices;
}

double spread(const std::vector<double>& values) {
  const auto [least, largest] = std::minmax_element(values.begin(), values.end());
  return *largest - *least;
}

bool is_polytope(int clusters, const LimitSettings& settings, const LimitFigures& figures) {
  return clusters >= 2 && 4 * clusters <= settings.tokens &&
         figures.vertex_distance <= kLinkageShare;
}

}  // namespace

std::vector<double> rotated_diagonal(const std::vector<double>& eigenvalues) {
  return values_of(rotated(eigenvalues));
}

std::vector<double> rotated_coordinate(const std::vector<double>& points, std::size_t dimensions,
                                       std::size_t which) {
  const Eigen::VectorXd along =
      points_of(points, dimensions) * rotation(dimensions).col(index(which));
  return {along.data(), along.data() + along.size()};
}

const std::vector<LimitSystem>& limit_systems() {
  static const std::vector<LimitSystem> systems = {
      {"identity", "vertices of a polytope", 2, {1.0, 1.0}, {6.0, 4.0}, 12.0},
      {"hyperplanes", "hyperplanes", 3, {1.0, 0.3, -0.3}, {6.0, 5.0, 4.0}, 12.0},
      {"paranormal", "polytope x subspace", 3, {1.0, 1.0, -0.3}, {6.0, 5.0, 4.0}, 12.0},
      {"negative", "tokens diverge to infinity", 2, {-1.0, -1.0}, {6.0, 4.0}, 12.0}};
  return systems;
}

std::vector<double> initial_tokens(const LimitSystem& system, const LimitSettings& settings) {
  std::mt19937_64 generator(settings.seed);
  std::vector<double> tokens(static_cast<std::size_t>(settings.tokens) * system.dimensions);
  for (double& value : tokens)
    value = std::ldexp(static_cast<double>(generator() >> 11), -52) - 1.0;
  return tokens;
}

std::vector<double> rescaled_softmax_limit(const LimitSystem& system, const LimitSettings& settings,
                                           const std::vector<double>& tokens) {
  const Matrix value = rotated(system.value_eigenvalues);
  const Matrix attention = rotated(system.attention_eigenvalues);
  Matrix z = points_of(tokens, system.dimensions);
  const int steps = static_cast<int>(std::lround(system.end_time / settings.time_step));
  for (int k = 0; k < steps; ++k) {
    const double time = k * settings.time_step;
    const Matrix x = z * rotated(system.value_eigenvalues,
                                 [time](double lambda) { return std::exp(time * lambda); });
    const Matrix weights = softmax_rows(x * attention * x.transpose());
    z += settings.time_step * (weights * z - z) * value;
  }
  return values_of(z);
}

std::vector<double> fixed_epsilon_limit(const LimitSystem& system, const LimitSettings& settings,
                                        const std::vector<double>& tokens) {
  // <A z_i, z_j> is a plain product of A^(1/2) z, whose Gaussian kernel has the
  // same doubly stochastic limit.
  const Matrix root = rotated(system.attention_eigenvalues, [](double x) { return std::sqrt(x); });
  const Matrix value = rotated(system.value_eigenvalues);
  Matrix z = points_of(tokens, system.dimensions);
  std::vector<double> scalings;
  for (int k = 0; k < settings.map_steps; ++k) {
    const SymmetricKernel kernel(values_of(z * root), system.dimensions, settings.epsilon);
    scalings = symmetric_scaling(kernel, scalings, 200, 1e-10).r;
    Matrix projected(z.rows(), z.cols());
    for (Eigen::Index c = 0; c < z.cols(); ++c) {
      const Eigen::VectorXd column = z.col(c);
      const std::vector<double> means =
          barycentre(kernel, scalings, {column.data(), column.data() + column.size()});
      projected.col(c) = Eigen::Map<const Eigen::VectorXd>(means.data(), z.rows());
    }
    z += (projected - z) * value;
  }
  return values_of(z);
}

int count_clusters(const std::vector<double>& points, std::size_t dimensions, double threshold) {
  const Points p = points_of(points, dimensions);
  std::vector<Eigen::Index> group(static_cast<std::size_t>(p.rows()));
  std::iota(group.begin(), group.end(), 0);
  const auto root = [&](Eigen::Index i) {
    while (group[static_cast<std::size_t>(i)] != i) i = group[static_cast<std::size_t>(i)];
    return i;
  };
  int clusters = static_cast<int>(p.rows());
  for (Eigen::Index i = 0; i < p.rows(); ++i) {
    for (Eigen::Index j = 0; j < i; ++j) {
      if (!((p.row(i) - p.row(j)).norm() <= threshold) || root(i) == root(j)) continue;
      group[static_cast<std::size_t>(root(i))] = root(j);
      --clusters;
    }
  }
  return clusters;
}

double radius(const std::vector<double>& points, std::size_t dimensions) {
  const Points p = points_of(points, dimensions);
  const Eigen::RowVectorXd mean = p.colwise().mean();
  return (p.rowwise() - mean).rowwise().norm().maxCoeff();
}

double distance_to_vertices(const std::vector<double>& points, std::size_t dimensions) {
  const std::vector<double> plane = leading_plane(points, dimensions);
  const std::vector<const double*> vertices = hull(plane);
  double farthest = 0.0;
  for (std::size_t i = 0; i + 1 < plane.size(); i += 2) {
    double nearest = INFINITY;
    for (const double* vertex : vertices)
      nearest = std::min(nearest, std::hypot(plane[i] - vertex[0], plane[i + 1] - vertex[1]));
    farthest = std::max(farthest, nearest);
  }
  return farthest;
}

LimitFigures limit_figures(const LimitSystem& system, const std::vector<double>& initial,
                           const std::vector<double>& final) {
  const std::size_t d = system.dimensions;
  const double size = radius(initial, d);
  const double threshold = kLinkageShare * size;
  LimitFigures figures;
  figures.clusters = count_clusters(final, d, threshold);
  figures.leading_values = count_clusters(rotated_coordinate(final, d, 0), 1, threshold);
  figures.leading_plane_clusters = count_clusters(leading_plane(final, d), 2, threshold);
  figures.vertex_distance = distance_to_vertices(final, d) / size;
  figures.last_axis_spread =
      spread(rotated_coordinate(final, d, d - 1)) / spread(rotated_coordinate(initial, d, d - 1));
  figures.radius_growth = radius(final, d) / size;
  return figures;
}

bool claim_holds(const LimitSystem& system, const LimitSettings& settings,
                 const LimitFigures& figures) {
  const bool spread_out = figures.last_axis_spread >= 0.5;
  if (system.name == "identity") return is_polytope(figures.clusters, settings, figures);
  if (system.name == "hyperplanes") {
    return figures.leading_values >= 2 && figures.leading_values <= 3 && spread_out;
  }
  if (system.name == "paranormal")
    return is_polytope(figures.leading_plane_clusters, settings, figures) && spread_out;
  return figures.radius_growth >= 100.0;
}

bool is_consensus(const LimitFigures& figures) { return figures.clusters == 1; }

std::string consensus_of(const LimitFigures& figures) {
  if (is_consensus(figures)) return "everywhere";
  if (figures.leading_plane_clusters == 1) return "in the leading plane";
  if (figures.leading_values == 1) return "along the leading axis";
  return "none";
}

}  // namespace quadrille::model
