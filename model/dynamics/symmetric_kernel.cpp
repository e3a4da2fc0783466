#include "model/dynamics/symmetric_kernel.h"

#include <algorithm>
#include <cmath>

namespace quadrille::model {
namespace {

double squared_distance(const std::vector<double>& points, std::size_t dimensions, std::size_t i,
                        std::size_t j) {
  double sum = 0.0;
  for (std::size_t c = 0; c < dimensions; ++c) {
    const double difference = points[i * dimensions + c] - points[j * dimensions + c];
    sum += difference * difference;
  }
  return sum;
}

std::vector<double> product(const std::vector<double>& a, const std::vector<double>& b) {
  if (b.empty()) return a;
  std::vector<double> result(a.size());
  for (std::size_t i = 0; i < a.size(); ++i) result[i] = a[i] * b[i];
  return result;
}

}  // namespace

SymmetricKernel::SymmetricKernel(const std::vector<double>& points, std::size_t dimensions,
                                 double epsilon) {
  const std::size_t n = points.size() / dimensions;
  const double farthest = kKernelCutoff * 2.0 * epsilon;
  const auto near = [&](std::size_t i, std::size_t j) {
    return squared_distance(points, dimensions, i, j) <= farthest;
  };
  offset_.push_back(0);
  for (std::size_t i = 0; i < n; ++i) {
    std::size_t first = 0;
    while (!near(i, first)) ++first;
    std::size_t last = n - 1;
    while (!near(i, last)) --last;
    first_.push_back(first);
    for (std::size_t j = first; j <= last; ++j) {
      const double square = squared_distance(points, dimensions, i, j);
      values_.push_back(square <= farthest ? std::exp(-square / (2.0 * epsilon)) : 0.0);
    }
    offset_.push_back(values_.size());
  }
}

std::vector<double> SymmetricKernel::multiply(const std::vector<double>& x) const {
  std::vector<double> result(size());
  for (std::size_t i = 0; i < size(); ++i) {
    const double* row = values_.data() + offset_[i];
    const double* other = x.data() + first_[i];
    const std::size_t count = offset_[i + 1] - offset_[i];
    double sums[4] = {0.0, 0.0, 0.0, 0.0};  // Four, so that additions overlap.
    std::size_t j = 0;
    for (; j + 4 <= count; j += 4) {
      for (std::size_t lane = 0; lane < 4; ++lane) sums[lane] += row[j + lane] * other[j + lane];
    }
    for (; j < count; ++j) sums[0] += row[j] * other[j];
    result[i] = (sums[0] + sums[1]) + (sums[2] + sums[3]);
  }
  return result;
}

SymmetricScaling symmetric_scaling(const SymmetricKernel& kernel, const std::vector<double>& start,
                                   int most_updates, double tolerance,
                                   const std::vector<double>& weights) {
  SymmetricScaling scaling;
  scaling.r = start.empty() ? std::vector<double>(kernel.size(), 1.0) : start;
  for (;;) {
    const std::vector<double> sums = kernel.multiply(product(scaling.r, weights));
    scaling.residual = 0.0;
    for (std::size_t i = 0; i < sums.size(); ++i)
      scaling.residual = std::max(scaling.residual, std::fabs(scaling.r[i] * sums[i] - 1.0));
    if (scaling.updates == most_updates) return scaling;
    if (tolerance > 0.0 && scaling.residual <= tolerance) return scaling;
    for (std::size_t i = 0; i < sums.size(); ++i) scaling.r[i] = std::sqrt(scaling.r[i] / sums[i]);
    ++scaling.updates;
  }
}

std::vector<double> barycentre(const SymmetricKernel& kernel, const std::vector<double>& r,
                               const std::vector<double>& y, const std::vector<double>& weights) {
  const std::vector<double> mass = product(r, weights);
  const std::vector<double> sums = kernel.multiply(mass);
  std::vector<double> result = kernel.multiply(product(mass, y));
  for (std::size_t i = 0; i < result.size(); ++i) result[i] /= sums[i];
  return result;
}

}  // namespace quadrille::model
