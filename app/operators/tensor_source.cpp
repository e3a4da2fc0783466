#include "app/operators/tensor_source.h"

#include <cmath>

#include "app/files/hash.h"
#include "app/files/suggest.h"
#include "app/workload/random_data.h"
#include "model/errors.h"

namespace quadrille::app {

std::string FileTensors::place(const std::string& name) const {
  return "tensor " + in_quotes(name);
}

std::vector<std::string> ShapedTensors::names() const {
  std::vector<std::string> names;
  for (const auto& entry : shapes_) names.push_back(entry.first);
  return names;
}

std::string ShapedTensors::place(const std::string& name) const {
  return "shapes." + printable(name);
}

const Shape& ShapedTensors::shape(const std::string& name) const {
  const auto found = shapes_.find(name);
  if (found == shapes_.end())
    throw InputError(path_, place(name), "missing" + did_you_mean(name, names()));
  return found->second;
}

ShapedTensors::Draw ShapedTensors::random(std::uint64_t seed, double deviation) {
  return [seed, deviation](const std::string& name, std::size_t count) {
    std::vector<double> values = RandomData(seed ^ fnv1a_64(name)).normal(count, deviation);
    if (name == "c0" || name == "r0") {
      for (double& value : values) value = std::exp(value);
    }
    return values;
  };
}

std::vector<double> ShapedTensors::read_f64(const std::string& name) const {
  if (!draw_) throw InvariantError("tensor " + name + " has a shape and no values");
  return draw_(name, static_cast<std::size_t>(element_count(shape(name))));
}

std::vector<std::int64_t> ShapedTensors::read_i64(const std::string& name) const {
  throw InvariantError("tensor " + name + " holds no integers");
}

}  // namespace quadrille::app
