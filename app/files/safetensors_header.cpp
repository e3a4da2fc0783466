#include "app/files/safetensors_header.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "app/files/suggest.h"

namespace quadrille::app {
namespace {

using nlohmann::json;

struct DtypeRow {
  Dtype dtype;
  std::string_view name;
  std::size_t size;
  bool integer;
};

constexpr std::array<DtypeRow, 13> kDtypes{{
    {Dtype::kF64, "F64", 8, false},
    {Dtype::kF32, "F32", 4, false},
    {Dtype::kF16, "F16", 2, false},
    {Dtype::kBF16, "BF16", 2, false},
    {Dtype::kI64, "I64", 8, true},
    {Dtype::kI32, "I32", 4, true},
    {Dtype::kI16, "I16", 2, true},
    {Dtype::kI8, "I8", 1, true},
    {Dtype::kU64, "U64", 8, true},
    {Dtype::kU32, "U32", 4, true},
    {Dtype::kU16, "U16", 2, true},
    {Dtype::kU8, "U8", 1, true},
    {Dtype::kBool, "BOOL", 1, true},
}};

const DtypeRow& row_of(Dtype dtype) { return kDtypes[static_cast<std::size_t>(dtype)]; }

std::string dtype_list() {
  std::string list;
  for (const DtypeRow& row : kDtypes) {
    if (!list.empty()) list += ' ';
    list += row.name;
  }
  return list;
}

/// Takes the header's JSON event by event. nlohmann's own tree would be read in time
/// quadratic in the number of tensors where keys given twice are to be seen.
class HeaderReader : public nlohmann::json_sax<json> {
 public:
  explicit HeaderReader(std::uint64_t data_bytes) : data_bytes_(data_bytes) {}

  SafetensorsHeader take() { return std::move(header_); }

  bool null() override { refuse_value(); }
  bool boolean(bool) override { refuse_value(); }
  bool number_integer(number_integer_t) override { refuse_value(); }
  bool number_float(number_float_t, const string_t&) override { refuse_value(); }
  bool binary(binary_t&) override { refuse_value(); }

  bool number_unsigned(number_unsigned_t number) override {
    if (level_ == Level::kShape && number <= kLargestDimension) {
      tensor_.info.shape.push_back(static_cast<std::int64_t>(number));
    } else if (level_ == Level::kOffsets && offsets_.size() < 2) {
      offsets_.push_back(number);
    } else {
      refuse_value();
    }
    return true;
  }

  bool string(string_t& text) override {
    if (level_ == Level::kMetadata) {
      header_.metadata[key_] = std::move(text);
    } else if (level_ == Level::kTensor && field_ == kDtype) {
      read_dtype(text);
    } else {
      refuse_value();
    }
    return true;
  }

  bool key(string_t& text) override {
    if (level_ == Level::kTensor) {
      take_field(text);
      return true;
    }
    const bool known = level_ == Level::kMetadata ? header_.metadata.count(text) != 0
                       : text == kMetadataKey     ? std::exchange(has_metadata_, true)
                                                  : header_.tensors.count(text) != 0;
    if (known) refuse_twice(text);
    key_ = std::move(text);
    return true;
  }

  bool start_object(std::size_t) override {
    if (level_ == Level::kStart) {
      level_ = Level::kRoot;
    } else if (level_ == Level::kRoot && key_ == kMetadataKey) {
      level_ = Level::kMetadata;
    } else if (level_ == Level::kRoot) {
      level_ = Level::kTensor;
      tensor_ = {};
      offsets_.clear();
      fields_seen_ = 0;
    } else {
      refuse_value();
    }
    return true;
  }

  bool end_object() override {
    if (level_ == Level::kTensor) finish_tensor();
    level_ = Level::kRoot;
    return true;
  }

  bool start_array(std::size_t) override {
    if (level_ != Level::kTensor || field_ == kDtype) refuse_value();
    level_ = field_ == kShape ? Level::kShape : Level::kOffsets;
    return true;
  }

  bool end_array() override {
    if (level_ == Level::kOffsets && offsets_.size() != 2) refuse_value();
    level_ = Level::kTensor;
    return true;
  }

  bool parse_error(std::size_t byte, const std::string&, const json::exception& error) override {
    if (dynamic_cast<const json::parse_error*>(&error) == nullptr)
      throw BadHeader{"header", "expected valid JSON with numbers in range"};
    throw BadHeader{"header",
                    fmt::format("expected valid JSON, found an error at its byte {}", byte)};
  }

 private:
  enum class Level { kStart, kRoot, kMetadata, kTensor, kShape, kOffsets };
  enum Field : std::size_t { kDtype, kShape, kOffsets };
  static constexpr std::array<const char*, 3> kFields{"dtype", "shape", "data_offsets"};
  static constexpr auto kLargestDimension =
      static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());

  std::string place() const { return "tensor " + in_quotes(key_); }
  [[noreturn]] void fail(const std::string& field, const std::string& expectation) const {
    throw BadHeader{place() + (field.empty() ? "" : ", " + field), expectation};
  }
  [[noreturn]] static void refuse_twice(const std::string& name) {
    throw BadHeader{"header", "expected each name once, found " + in_quotes(name) + " twice"};
  }

  /// Whatever stands here is not what the place asks for.
  [[noreturn]] void refuse_value() const {
    switch (level_) {
      case Level::kStart:
        break;
      case Level::kRoot:
        if (key_ == kMetadataKey) throw BadHeader{kMetadataKey, "expected an object of strings"};
        fail("", "expected an object with dtype, shape and data_offsets");
      case Level::kMetadata:
        throw BadHeader{std::string(kMetadataKey) + ", key " + in_quotes(key_),
                        "expected a string"};
      case Level::kShape:
        fail("shape", "expected integers from 0 to 2^63 - 1");
      case Level::kOffsets:
        fail("data_offsets", "expected two integers, begin and end, from 0 up");
      case Level::kTensor:
        if (field_ == kDtype) fail("dtype", "expected a string");
        if (field_ == kShape) fail("shape", "expected an array of integers");
        fail("data_offsets", "expected two integers, begin and end, from 0 up");
    }
    throw BadHeader{"header", "expected a JSON object that starts with '{'"};
  }

  void take_field(const std::string& name) {
    const auto found = std::find(kFields.begin(), kFields.end(), name);
    if (found == kFields.end())
      fail("", "expected only dtype, shape and data_offsets, found " + in_quotes(name));
    field_ = static_cast<Field>(found - kFields.begin());
    const unsigned bit = 1U << field_;
    if ((fields_seen_ & bit) != 0) refuse_twice(name);
    fields_seen_ |= bit;
  }

  void read_dtype(const std::string& text) {
    const auto row = std::find_if(kDtypes.begin(), kDtypes.end(),
                                  [&](const DtypeRow& r) { return r.name == text; });
    if (row == kDtypes.end())
      fail("dtype", fmt::format("expected one of {}, found {}", dtype_list(), in_quotes(text)));
    tensor_.info.dtype = row->dtype;
  }

  void finish_tensor() {
    for (std::size_t field = 0; field < kFields.size(); ++field) {
      if ((fields_seen_ & (1U << field)) == 0)
        fail("", fmt::format("expected the key '{}'", kFields[field]));
    }
    tensor_.begin = offsets_[0];
    tensor_.end = offsets_[1];
    if (tensor_.end < tensor_.begin) {
      fail("data_offsets", fmt::format("expected an end not before the begin, found [{},{}]",
                                       tensor_.begin, tensor_.end));
    }
    if (tensor_.end > data_bytes_) {
      fail("data_offsets", fmt::format("expected an end within the {} bytes of data, found {}",
                                       data_bytes_, tensor_.end));
    }
    const DtypeRow& row = row_of(tensor_.info.dtype);
    std::int64_t elements = 0;
    std::uint64_t needed = 0;
    if (!multiply_shape(tensor_.info.shape, &elements) ||
        __builtin_mul_overflow(static_cast<std::uint64_t>(elements), row.size, &needed)) {
      fail("shape", "expected fewer than 2^63 bytes");
    }
    if (tensor_.end - tensor_.begin != needed) {
      fail("data_offsets", fmt::format("expected {} bytes for shape {} of {}, found {}", needed,
                                       printable(shape_text(tensor_.info.shape)), row.name,
                                       tensor_.end - tensor_.begin));
    }
    header_.tensors.emplace(key_, std::move(tensor_));
  }

  std::uint64_t data_bytes_;
  SafetensorsHeader header_;
  bool has_metadata_ = false;
  Level level_ = Level::kStart;
  std::string key_;  ///< Of the root, or of the metadata while inside them.
  HeaderTensor tensor_;
  std::vector<std::uint64_t> offsets_;
  Field field_ = kDtype;
  unsigned fields_seen_ = 0;
};

}  // namespace

std::string_view dtype_name(Dtype dtype) { return row_of(dtype).name; }
std::size_t dtype_size(Dtype dtype) { return row_of(dtype).size; }
bool dtype_is_integer(Dtype dtype) { return row_of(dtype).integer; }

std::string shape_text(const Shape& shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (i > 0) text += ',';
    text += shape[i] < 0 ? "*" : std::to_string(shape[i]);
  }
  return text + "]";
}

bool multiply_shape(const Shape& shape, std::int64_t* product) {
  *product = 1;
  for (const std::int64_t dimension : shape) {
    if (__builtin_mul_overflow(*product, dimension, product)) return false;
  }
  return true;
}

SafetensorsHeader parse_safetensors_header(const char* begin, const char* end,
                                           std::uint64_t data_bytes) {
  // To the parser a NUL is the end of its input, and what follows would go unread.
  if (const char* nul = std::find(begin, end, '\0'); nul != end) {
    throw BadHeader{"header", fmt::format("expected valid JSON, padded with spaces only, found a "
                                          "NUL at its byte {}",
                                          nul - begin + 1)};
  }
  HeaderReader reader(data_bytes);
  json::sax_parse(begin, end, &reader);
  return reader.take();
}

}  // namespace quadrille::app
