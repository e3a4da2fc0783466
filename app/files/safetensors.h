// Tensors in and out: the safetensors format.
//
// A file is an 8-byte little-endian header length N, N bytes of JSON
//   {"__metadata__": {"key": "value"}, "name": {"dtype": "F32",
//    "shape": [2, 3], "data_offsets": [begin, end]}, ...}
// and the tensors' bytes, little-endian, row-major, offsets counted from the
// end of the header. Source: https://github.com/huggingface/safetensors
// (README, "Format"); where it leaves room we take the strict side.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "app/files/safetensors_header.h"

namespace quadrille::app {

/// Number of elements. InvariantError if negative or beyond 2^63 - 1.
std::int64_t element_count(const Shape& shape);
/// InputError "FILE: PLACE: expected shape ..." unless `found` has as many
/// dimensions as `expected` and each is equal; a negative entry stands for any
/// size from 1 up, so that empty tensors are refused unless a 0 is asked for.
void check_shape(const std::string& file, const std::string& place, const Shape& found,
                 const Shape& expected);
/// "[i,j,...]" of the row-major element `flat` in `shape` (no zero dimension).
std::string index_text(std::int64_t flat, const Shape& shape);

/// A file mapped into memory, wholly validated before open() returns: length
/// of file and header (at most 100 MB), JSON, duplicate names, dtype, shape,
/// offsets in range, byte count equal to the product of the shape times the
/// element size (without overflow), no overlap, no hole, nothing left over,
/// metadata from string to string. Whatever fails is an InputError of one line
/// "FILE: PLACE: EXPECTATION". The file must not be shortened while it is open.
class SafetensorsFile {
 public:
  static SafetensorsFile open(const std::string& path);
  SafetensorsFile(SafetensorsFile&& other) noexcept;
  SafetensorsFile& operator=(SafetensorsFile&& other) noexcept;
  SafetensorsFile(const SafetensorsFile&) = delete;
  SafetensorsFile& operator=(const SafetensorsFile&) = delete;
  ~SafetensorsFile();

  const std::string& path() const { return path_; }
  /// Alphabetical.
  std::vector<std::string> names() const;
  bool has(const std::string& name) const { return tensors_.count(name) != 0; }
  /// InputError, with the nearest name, if there is no such tensor. So do all
  /// accessors below.
  const TensorInfo& info(const std::string& name) const { return entry(name).info; }
  bool is_integer(const std::string& name) const { return dtype_is_integer(info(name).dtype); }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }

  /// check_shape() of the tensor.
  void require_shape(const std::string& name, const Shape& expected) const;

  /// F64, F32, F16 or BF16 as doubles, exactly. InputError for integer dtypes
  /// and for NaN or infinity (with flat and multi-dimensional index).
  std::vector<double> read_f64(const std::string& name) const;
  /// Integer dtypes and BOOL (0 or 1). InputError for floats, for a U64 beyond
  /// 2^63 - 1 and a BOOL that is neither 0 nor 1.
  std::vector<std::int64_t> read_i64(const std::string& name) const;

 private:
  SafetensorsFile() = default;
  void map_file();
  void read_header();
  void check_layout(std::uint64_t data_bytes) const;
  const HeaderTensor& entry(const std::string& name) const;
  [[noreturn]] void fail(const std::string& place, const std::string& expectation) const;

  std::string path_;
  const char* bytes_ = nullptr;  // the mapping; null if moved from
  std::size_t size_ = 0;
  std::size_t data_start_ = 0;
  std::map<std::string, HeaderTensor> tensors_;
  std::map<std::string, std::string> metadata_;
};

/// Collects tensors and metadata and writes them as one file. The same content
/// gives the same bytes whatever the order of the calls: tensors are laid out
/// by element size, largest first (so each is aligned to its element), then by
/// name; metadata by key; the header is padded with spaces to 8 bytes.
///
/// Misuse is an InvariantError: a name added twice, "__metadata__" or not
/// UTF-8 as a name, a value count that differs from the shape, a value that
/// the dtype cannot hold, NaN or infinity.
class SafetensorsWriter {
 public:
  void add_f64(const std::string& name, const Shape& shape, const std::vector<double>& values);
  void add_f32(const std::string& name, const Shape& shape, const std::vector<float>& values);
  /// dtype I64, I32, I16, I8 or U8.
  void add_integers(const std::string& name, Dtype dtype, const Shape& shape,
                    const std::vector<std::int64_t>& values);
  /// A later value for the same key replaces the earlier one. Bytes of `value`
  /// that are not UTF-8 are written as U+FFFD.
  void set_metadata(const std::string& key, const std::string& value);

  /// The file as it would be written.
  std::string bytes() const;
  /// Atomically (see atomic_file.h): InputError if `path` cannot be written,
  /// and then nothing is left behind.
  void write(const std::string& path) const;

 private:
  struct Tensor {
    TensorInfo info;
    std::string bytes;
  };

  void add(const std::string& name, Dtype dtype, const Shape& shape, std::size_t count,
           std::string bytes);

  std::map<std::string, Tensor> tensors_;
  std::map<std::string, std::string> metadata_;
};

}  // namespace quadrille::app
