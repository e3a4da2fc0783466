#include "app/files/safetensors.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <system_error>
#include <tuple>
#include <utility>

#include "app/files/atomic_file.h"
#include "app/files/suggest.h"
#include "model/errors.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "safetensors are little-endian, and so must the host be"
#endif

namespace quadrille::app {
namespace {

constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;
constexpr std::size_t kLengthBytes = 8;

template <typename T>
T load(const char* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

template <typename T>
T from_bits(std::uint32_t bits) {
  T value;
  static_assert(sizeof value == sizeof bits);
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

double from_half(std::uint16_t half) {
  const int exponent = (half >> 10) & 0x1F;
  const int fraction = half & 0x3FF;
  double magnitude = 0.0;
  if (exponent == 0) {
    magnitude = std::ldexp(fraction, -24);
  } else if (exponent == 0x1F) {
    magnitude = fraction == 0 ? std::numeric_limits<double>::infinity()
                              : std::numeric_limits<double>::quiet_NaN();
  } else {
    magnitude = std::ldexp(fraction + 0x400, exponent - 25);
  }
  return (half & 0x8000) != 0 ? -magnitude : magnitude;
}

double from_bfloat(std::uint16_t bits) {
  return static_cast<double>(from_bits<float>(static_cast<std::uint32_t>(bits) << 16));
}

template <typename T>
void append(std::string* out, T value) {
  const std::size_t at = out->size();
  out->resize(at + sizeof value);
  std::memcpy(out->data() + at, &value, sizeof value);
}

std::string element_place(const std::string& name, std::int64_t flat, const Shape& shape) {
  return fmt::format("tensor {}, flat index {} = {}", in_quotes(name), flat,
                     index_text(flat, shape));
}

}  // namespace

std::int64_t element_count(const Shape& shape) {
  std::int64_t count = 1;
  for (const std::int64_t dimension : shape) {
    if (dimension < 0) throw InvariantError("shape with a negative dimension " + shape_text(shape));
  }
  if (!multiply_shape(shape, &count)) {
    throw InvariantError("shape " + shape_text(shape) + " has more than 2^63 - 1 elements");
  }
  return count;
}

void check_shape(const std::string& file, const std::string& place, const Shape& found,
                 const Shape& expected) {
  bool same = found.size() == expected.size();
  for (std::size_t i = 0; same && i < found.size(); ++i) {
    same = expected[i] < 0 ? found[i] > 0 : found[i] == expected[i];
  }
  if (same) return;
  const bool has_zero = std::find(found.begin(), found.end(), 0) != found.end();
  throw InputError(
      printable(file, 400), place,
      fmt::format("expected shape {}{}, found {}", shape_text(expected),
                  has_zero ? " and no empty dimension" : "", printable(shape_text(found))));
}

std::string index_text(std::int64_t flat, const Shape& shape) {
  Shape index(shape.size());
  for (std::size_t i = shape.size(); i-- > 0;) {
    index[i] = flat % shape[i];
    flat /= shape[i];
  }
  return shape_text(index);
}

// ---------------------------------------------------------------------------
// Reading

SafetensorsFile SafetensorsFile::open(const std::string& path) {
  SafetensorsFile file;
  file.path_ = path;
  file.map_file();
  file.read_header();
  return file;
}

SafetensorsFile::SafetensorsFile(SafetensorsFile&& other) noexcept { *this = std::move(other); }

SafetensorsFile& SafetensorsFile::operator=(SafetensorsFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(bytes_, other.bytes_);
  std::swap(size_, other.size_);
  std::swap(data_start_, other.data_start_);
  std::swap(tensors_, other.tensors_);
  std::swap(metadata_, other.metadata_);
  return *this;
}

SafetensorsFile::~SafetensorsFile() {
  if (bytes_ != nullptr) ::munmap(const_cast<char*>(bytes_), size_);
}

void SafetensorsFile::fail(const std::string& place, const std::string& expectation) const {
  throw InputError(printable(path_, 400), place, expectation);
}

void SafetensorsFile::map_file() {
  // O_NONBLOCK: opening a pipe must not wait for its writer.
  const int descriptor = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) {
    fail("file", "expected a readable safetensors file: " + std::generic_category().message(errno));
  }
  struct stat status {};
  const bool known = ::fstat(descriptor, &status) == 0;
  if (!known || !S_ISREG(status.st_mode)) {
    ::close(descriptor);
    fail("file", "expected a regular file");
  }
  size_ = static_cast<std::size_t>(status.st_size);
  if (size_ < kLengthBytes) {
    ::close(descriptor);
    fail("file", fmt::format("expected at least {} bytes, found {}", kLengthBytes, size_));
  }
  void* mapping = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, descriptor, 0);
  const int error = errno;
  ::close(descriptor);
  if (mapping == MAP_FAILED) {
    fail("file", "expected a file that can be mapped: " + std::generic_category().message(error));
  }
  bytes_ = static_cast<const char*>(mapping);
}

void SafetensorsFile::read_header() {
  const auto header_bytes = load<std::uint64_t>(bytes_);
  if (header_bytes > kMaxHeaderBytes) {
    fail("header length",
         fmt::format("expected at most {} bytes, found {}", kMaxHeaderBytes, header_bytes));
  }
  if (header_bytes > size_ - kLengthBytes) {
    fail("header length", fmt::format("expected at most the {} bytes that follow it, found {}",
                                      size_ - kLengthBytes, header_bytes));
  }
  data_start_ = kLengthBytes + static_cast<std::size_t>(header_bytes);
  const std::uint64_t data_bytes = size_ - data_start_;
  if (header_bytes == 0 || bytes_[kLengthBytes] != '{') {
    fail("header", "expected a JSON object that starts with '{'");
  }

  try {
    SafetensorsHeader header =
        parse_safetensors_header(bytes_ + kLengthBytes, bytes_ + data_start_, data_bytes);
    tensors_ = std::move(header.tensors);
    metadata_ = std::move(header.metadata);
  } catch (const BadHeader& bad) {
    fail(bad.place, bad.expectation);
  }
  check_layout(data_bytes);
}

void SafetensorsFile::check_layout(std::uint64_t data_bytes) const {
  std::vector<std::tuple<std::uint64_t, std::uint64_t, const std::string*>> ranges;
  ranges.reserve(tensors_.size());
  for (const auto& [name, tensor] : tensors_) ranges.emplace_back(tensor.begin, tensor.end, &name);
  std::sort(ranges.begin(), ranges.end(), [](const auto& a, const auto& b) {
    return std::tie(std::get<0>(a), std::get<1>(a), *std::get<2>(a)) <
           std::tie(std::get<0>(b), std::get<1>(b), *std::get<2>(b));
  });
  std::uint64_t covered = 0;
  for (const auto& [begin, end, name] : ranges) {
    if (begin != covered) {
      fail("tensor " + in_quotes(*name) + ", data_offsets",
           fmt::format("expected begin {} where the tensor before ends, found {} ({})", covered,
                       begin, begin < covered ? "overlap" : "hole"));
    }
    covered = end;
  }
  if (covered != data_bytes) {
    fail("data",
         fmt::format("expected {} bytes as the header says, found {}", covered, data_bytes));
  }
}

std::vector<std::string> SafetensorsFile::names() const {
  std::vector<std::string> all;
  all.reserve(tensors_.size());
  for (const auto& item : tensors_) all.push_back(item.first);
  return all;
}

const HeaderTensor& SafetensorsFile::entry(const std::string& name) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) {
    const std::vector<std::string> all = names();
    std::string list;
    for (const std::string& other : all) list += (list.empty() ? "" : " ") + other;
    fail("tensor " + in_quotes(name),
         "expected in the file" + did_you_mean(name, all) +
             " (it holds: " + (list.empty() ? "nothing" : printable(list, 200)) + ")");
  }
  return found->second;
}

void SafetensorsFile::require_shape(const std::string& name, const Shape& expected) const {
  check_shape(path_, "tensor " + in_quotes(name), info(name).shape, expected);
}

std::vector<double> SafetensorsFile::read_f64(const std::string& name) const {
  const HeaderTensor& tensor = entry(name);
  const Dtype dtype = tensor.info.dtype;
  if (dtype_is_integer(dtype)) {
    fail("tensor " + in_quotes(name) + ", dtype",
         fmt::format("expected one of F64 F32 F16 BF16, found {}", dtype_name(dtype)));
  }
  const std::size_t size = dtype_size(dtype);
  const char* bytes = bytes_ + data_start_ + tensor.begin;
  std::vector<double> values(static_cast<std::size_t>(tensor.end - tensor.begin) / size);
  for (std::size_t i = 0; i < values.size(); ++i, bytes += size) {
    switch (dtype) {
      case Dtype::kF64:
        values[i] = load<double>(bytes);
        break;
      case Dtype::kF32:
        values[i] = static_cast<double>(load<float>(bytes));
        break;
      case Dtype::kF16:
        values[i] = from_half(load<std::uint16_t>(bytes));
        break;
      default:
        values[i] = from_bfloat(load<std::uint16_t>(bytes));
        break;
    }
    if (!std::isfinite(values[i])) {
      fail(element_place(name, static_cast<std::int64_t>(i), tensor.info.shape),
           fmt::format("expected a finite value, found {}",
                       std::isnan(values[i]) ? "NaN" : (values[i] > 0 ? "infinity" : "-infinity")));
    }
  }
  return values;
}

std::vector<std::int64_t> SafetensorsFile::read_i64(const std::string& name) const {
  const HeaderTensor& tensor = entry(name);
  const Dtype dtype = tensor.info.dtype;
  if (!dtype_is_integer(dtype)) {
    fail("tensor " + in_quotes(name) + ", dtype",
         fmt::format("expected an integer type, found {}", dtype_name(dtype)));
  }
  const std::size_t size = dtype_size(dtype);
  const char* bytes = bytes_ + data_start_ + tensor.begin;
  std::vector<std::int64_t> values(static_cast<std::size_t>(tensor.end - tensor.begin) / size);
  for (std::size_t i = 0; i < values.size(); ++i, bytes += size) {
    switch (dtype) {
      case Dtype::kI64:
        values[i] = load<std::int64_t>(bytes);
        break;
      case Dtype::kI32:
        values[i] = load<std::int32_t>(bytes);
        break;
      case Dtype::kI16:
        values[i] = load<std::int16_t>(bytes);
        break;
      case Dtype::kI8:
        // A number, not a character: its sign is meant.
        values[i] = load<std::int8_t>(bytes);  // NOLINT(bugprone-signed-char-misuse)
        break;
      case Dtype::kU64: {
        const auto value = load<std::uint64_t>(bytes);
        if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
          fail(element_place(name, static_cast<std::int64_t>(i), tensor.info.shape),
               fmt::format("expected at most 2^63 - 1, found {}", value));
        }
        values[i] = static_cast<std::int64_t>(value);
        break;
      }
      case Dtype::kU32:
        values[i] = load<std::uint32_t>(bytes);
        break;
      case Dtype::kU16:
        values[i] = load<std::uint16_t>(bytes);
        break;
      default:
        values[i] = load<std::uint8_t>(bytes);
        if (dtype == Dtype::kBool && values[i] > 1) {
          fail(element_place(name, static_cast<std::int64_t>(i), tensor.info.shape),
               fmt::format("expected 0 or 1, found {}", values[i]));
        }
        break;
    }
  }
  return values;
}

// ---------------------------------------------------------------------------
// Writing

void SafetensorsWriter::add(const std::string& name, Dtype dtype, const Shape& shape,
                            std::size_t count, std::string bytes) {
  if (name == kMetadataKey || valid_utf8_prefix(name) != name.size()) {
    throw InvariantError("safetensors: no tensor can be named " + in_quotes(name));
  }
  const std::int64_t expected = element_count(shape);
  if (static_cast<std::uint64_t>(expected) != count) {
    throw InvariantError(fmt::format("safetensors: tensor {} of shape {} needs {} values, got {}",
                                     in_quotes(name), shape_text(shape), expected, count));
  }
  if (!tensors_.emplace(name, Tensor{{dtype, shape}, std::move(bytes)}).second) {
    throw InvariantError("safetensors: tensor " + in_quotes(name) + " added twice");
  }
}

void SafetensorsWriter::add_f64(const std::string& name, const Shape& shape,
                                const std::vector<double>& values) {
  std::string bytes;
  bytes.reserve(values.size() * sizeof(double));
  for (const double value : values) {
    if (!std::isfinite(value)) {
      throw InvariantError(fmt::format("safetensors: tensor {} holds {}", in_quotes(name), value));
    }
    append(&bytes, value);
  }
  add(name, Dtype::kF64, shape, values.size(), std::move(bytes));
}

void SafetensorsWriter::add_f32(const std::string& name, const Shape& shape,
                                const std::vector<float>& values) {
  std::string bytes;
  bytes.reserve(values.size() * sizeof(float));
  for (const float value : values) {
    if (!std::isfinite(value)) {
      throw InvariantError(fmt::format("safetensors: tensor {} holds {}", in_quotes(name), value));
    }
    append(&bytes, value);
  }
  add(name, Dtype::kF32, shape, values.size(), std::move(bytes));
}

namespace {

template <typename T>
std::string narrow(const std::string& name, const std::vector<std::int64_t>& values) {
  std::string bytes;
  bytes.reserve(values.size() * sizeof(T));
  for (const std::int64_t value : values) {
    if (value < static_cast<std::int64_t>(std::numeric_limits<T>::min()) ||
        value > static_cast<std::int64_t>(std::numeric_limits<T>::max())) {
      throw InvariantError(fmt::format("safetensors: tensor {} holds {}, beyond its {} bits",
                                       in_quotes(name), value, 8 * sizeof(T)));
    }
    append(&bytes, static_cast<T>(value));
  }
  return bytes;
}

}  // namespace

void SafetensorsWriter::add_integers(const std::string& name, Dtype dtype, const Shape& shape,
                                     const std::vector<std::int64_t>& values) {
  std::string bytes;
  switch (dtype) {
    case Dtype::kI64:
      bytes = narrow<std::int64_t>(name, values);
      break;
    case Dtype::kI32:
      bytes = narrow<std::int32_t>(name, values);
      break;
    case Dtype::kI16:
      bytes = narrow<std::int16_t>(name, values);
      break;
    case Dtype::kI8:
      bytes = narrow<std::int8_t>(name, values);
      break;
    case Dtype::kU8:
      bytes = narrow<std::uint8_t>(name, values);
      break;
    default:
      throw InvariantError(fmt::format("safetensors: tensor {} cannot be written as {}",
                                       in_quotes(name), dtype_name(dtype)));
  }
  add(name, dtype, shape, values.size(), std::move(bytes));
}

void SafetensorsWriter::set_metadata(const std::string& key, const std::string& value) {
  if (valid_utf8_prefix(key) != key.size()) {
    throw InvariantError("safetensors: no metadata key can be named " + in_quotes(key));
  }
  metadata_[key] = value;
}

std::string SafetensorsWriter::bytes() const {
  using Item = std::pair<const std::string, Tensor>;
  std::vector<const Item*> order;
  order.reserve(tensors_.size());
  for (const Item& item : tensors_) order.push_back(&item);
  std::stable_sort(order.begin(), order.end(), [](const Item* a, const Item* b) {
    return dtype_size(a->second.info.dtype) > dtype_size(b->second.info.dtype);
  });

  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata_.empty()) header[kMetadataKey] = metadata_;
  std::uint64_t offset = 0;
  for (const Item* item : order) {
    const Tensor& tensor = item->second;
    const std::uint64_t end = offset + tensor.bytes.size();
    nlohmann::ordered_json& entry = header[item->first];
    entry["dtype"] = dtype_name(tensor.info.dtype);
    entry["shape"] = tensor.info.shape;
    entry["data_offsets"] = {offset, end};
    offset = end;
  }
  std::string text = header.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  text.append((kLengthBytes - text.size() % kLengthBytes) % kLengthBytes, ' ');
  if (text.size() > kMaxHeaderBytes) {
    throw InvariantError("safetensors: a header of more than 100 MB");
  }

  std::string length;
  append(&length, static_cast<std::uint64_t>(text.size()));
  std::string bytes = std::move(length);
  bytes += text;
  for (const Item* item : order) bytes += item->second.bytes;
  return bytes;
}

void SafetensorsWriter::write(const std::string& path) const { write_file(path, bytes()); }

}  // namespace quadrille::app
