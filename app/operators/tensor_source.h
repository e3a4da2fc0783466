// Where an operator's tensors come from: a file, a seed, or nothing but their
// shapes (for runs without data).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "app/files/safetensors.h"

namespace quadrille::app {

class TensorSource {
 public:
  virtual ~TensorSource() = default;

  /// The file that messages name.
  virtual const std::string& path() const = 0;
  /// Alphabetical.
  virtual std::vector<std::string> names() const = 0;
  virtual bool has(const std::string& name) const = 0;
  /// How messages name a tensor: "tensor 'Q'".
  virtual std::string place(const std::string& name) const = 0;
  /// InputError if there is no such tensor. So do all accessors below.
  virtual const Shape& shape(const std::string& name) const = 0;
  /// check_shape() of the tensor.
  void require_shape(const std::string& name, const Shape& expected) const {
    check_shape(path(), place(name), shape(name), expected);
  }

  /// False: there are shapes only, and the accessors below must not be called.
  virtual bool has_values() const = 0;
  virtual bool is_integer(const std::string& name) const = 0;
  /// As SafetensorsFile's.
  virtual std::vector<double> read_f64(const std::string& name) const = 0;
  virtual std::vector<std::int64_t> read_i64(const std::string& name) const = 0;
  virtual const std::map<std::string, std::string>& metadata() const = 0;
};

/// The tensors of a safetensors file, or (without values) only their shapes.
class FileTensors : public TensorSource {
 public:
  explicit FileTensors(SafetensorsFile file, bool values = true)
      : file_(std::move(file)), values_(values) {}

  const std::string& path() const override { return file_.path(); }
  std::vector<std::string> names() const override { return file_.names(); }
  bool has(const std::string& name) const override { return file_.has(name); }
  std::string place(const std::string& name) const override;
  const Shape& shape(const std::string& name) const override { return file_.info(name).shape; }
  bool has_values() const override { return values_; }
  bool is_integer(const std::string& name) const override { return file_.is_integer(name); }
  std::vector<double> read_f64(const std::string& name) const override {
    return file_.read_f64(name);
  }
  std::vector<std::int64_t> read_i64(const std::string& name) const override {
    return file_.read_i64(name);
  }
  const std::map<std::string, std::string>& metadata() const override { return file_.metadata(); }

 private:
  SafetensorsFile file_;
  bool values_;
};

/// Tensors of which a workload gives the shapes: filled from a seed, or empty.
class ShapedTensors : public TensorSource {
 public:
  /// The values of a tensor, so many.
  using Draw = std::function<std::vector<double>(const std::string& name, std::size_t count)>;
  /// N(0, deviation^2), each tensor from the seed and its name, whatever the
  /// others are; starting scalings (c0, r0) are exponentials of that.
  static Draw random(std::uint64_t seed, double deviation);

  /// Without `draw` there are no values.
  ShapedTensors(std::string path, std::map<std::string, Shape> shapes, Draw draw = {})
      : path_(std::move(path)), shapes_(std::move(shapes)), draw_(std::move(draw)) {}

  const std::string& path() const override { return path_; }
  std::vector<std::string> names() const override;
  bool has(const std::string& name) const override { return shapes_.count(name) != 0; }
  std::string place(const std::string& name) const override;
  const Shape& shape(const std::string& name) const override;
  bool has_values() const override { return static_cast<bool>(draw_); }
  bool is_integer(const std::string&) const override { return false; }
  std::vector<double> read_f64(const std::string& name) const override;
  std::vector<std::int64_t> read_i64(const std::string& name) const override;
  const std::map<std::string, std::string>& metadata() const override { return metadata_; }

 private:
  std::string path_;
  std::map<std::string, Shape> shapes_;
  Draw draw_;
  std::map<std::string, std::string> metadata_;
};

}  // namespace quadrille::app
