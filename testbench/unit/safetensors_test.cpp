// Safetensors: what is written is read back, and a lying file is refused in
// one line before any of it is used.
#include "app/files/safetensors.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <limits>
#include <ostream>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "app/files/atomic_file.h"
#include "model/errors.h"
#include "testbench/common/portable_random.h"
#include "testbench/common/temporary_folder.h"

namespace quadrille::app {
namespace {

using testbench::TemporaryFolder;
using testing::ElementsAre;
using testing::HasSubstr;

std::string with_length(std::uint64_t length, const std::string& rest) {
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &length, 8);
  return bytes + rest;
}

/// A file with this header, its true length, and `data_bytes` zero bytes.
std::string with_header(const std::string& header, std::size_t data_bytes) {
  return with_length(header.size(), header + std::string(data_bytes, '\0'));
}

template <typename T>
std::string raw(const std::vector<T>& values) {
  std::string bytes(values.size() * sizeof(T), '\0');
  if (!values.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

/// The message of the InputError that opening `bytes` gives; "" if it opens.
std::string refusal(const std::string& bytes) {
  const TemporaryFolder folder;
  const std::string path = folder.write("t.safetensors", bytes);
  try {
    SafetensorsFile::open(path);
  } catch (const InputError& error) {
    const std::string line = error.what();
    EXPECT_EQ(line.find('\n'), std::string::npos) << line;
    EXPECT_EQ(line.rfind(path + ": ", 0), 0u) << line;
    return line.substr(path.size() + 2);
  }
  return "";
}

template <typename F>
std::string input_error(F&& action) {
  try {
    action();
  } catch (const InputError& error) {
    return error.what();
  }
  return "no InputError";
}

// ---------------------------------------------------------------------------
// Round trips

TEST(SafetensorsFile, ReadsWhatTheWriterWrote) {
  const TemporaryFolder folder;
  SafetensorsWriter writer;
  writer.add_f64("out", {2, 3}, {1.5, -2.0, 0.1, 1e300, -1e-300, 0.0});
  writer.add_f32("f", {2}, {0.5f, -3.25f});
  writer.add_integers("i64", Dtype::kI64, {2}, {INT64_MIN, INT64_MAX});
  writer.add_integers("i32", Dtype::kI32, {2}, {INT32_MIN, INT32_MAX});
  writer.add_integers("i16", Dtype::kI16, {2}, {-32768, 32767});
  writer.add_integers("i8", Dtype::kI8, {3}, {-128, 0, 127});
  writer.add_integers("u8", Dtype::kU8, {1, 2}, {0, 255});
  writer.add_f64("scalar", {}, {7.0});
  writer.add_f64("empty", {0, 4}, {});
  writer.set_metadata("out.scale", "0.125");
  writer.set_metadata("note", "line\nbreak \"quoted\" \u03c6");
  const std::string path = folder.file("a.safetensors");
  writer.write(path);

  const auto file = SafetensorsFile::open(path);
  EXPECT_EQ(file.path(), path);
  EXPECT_THAT(file.names(),
              ElementsAre("empty", "f", "i16", "i32", "i64", "i8", "out", "scalar", "u8"));
  EXPECT_TRUE(file.has("out"));
  EXPECT_FALSE(file.has("Out"));
  EXPECT_EQ(file.info("out").dtype, Dtype::kF64);
  EXPECT_EQ(file.info("out").shape, (Shape{2, 3}));
  EXPECT_EQ(file.read_f64("out"), (std::vector<double>{1.5, -2.0, 0.1, 1e300, -1e-300, 0.0}));
  EXPECT_EQ(file.read_f64("f"), (std::vector<double>{0.5, -3.25}));
  EXPECT_EQ(file.read_i64("i64"), (std::vector<std::int64_t>{INT64_MIN, INT64_MAX}));
  EXPECT_EQ(file.read_i64("i32"), (std::vector<std::int64_t>{INT32_MIN, INT32_MAX}));
  EXPECT_EQ(file.read_i64("i16"), (std::vector<std::int64_t>{-32768, 32767}));
  EXPECT_EQ(file.read_i64("i8"), (std::vector<std::int64_t>{-128, 0, 127}));
  EXPECT_EQ(file.read_i64("u8"), (std::vector<std::int64_t>{0, 255}));
  EXPECT_EQ(file.read_f64("scalar"), std::vector<double>{7.0});
  EXPECT_TRUE(file.info("scalar").shape.empty());
  EXPECT_EQ(file.info("empty").shape, (Shape{0, 4}));
  EXPECT_TRUE(file.read_f64("empty").empty());
  EXPECT_TRUE(file.is_integer("i8"));
  EXPECT_FALSE(file.is_integer("f"));
  EXPECT_EQ(file.metadata().at("out.scale"), "0.125");
  EXPECT_EQ(file.metadata().at("note"), "line\nbreak \"quoted\" \u03c6");
  EXPECT_THAT(folder.entries(), ElementsAre("a.safetensors")) << "no temporary file is left";
}

TEST(SafetensorsFile, ReadsEveryDtypeOfTheFormat) {
  const TemporaryFolder folder;
  const auto one = [&](const std::string& dtype, std::size_t count, const std::string& data) {
    const std::string header =
        fmt::format(R"({{"x":{{"dtype":"{}","shape":[{}],"data_offsets":[0,{}]}}}})", dtype, count,
                    data.size());
    return SafetensorsFile::open(folder.write(dtype, with_length(header.size(), header + data)));
  };
  // 1, -2, smallest subnormal, largest, smallest normal, -0
  EXPECT_EQ(one("F16", 6, raw<std::uint16_t>({0x3C00, 0xC000, 0x0001, 0x7BFF, 0x0400, 0x8000}))
                .read_f64("x"),
            (std::vector<double>{1.0, -2.0, 0x1p-24, 65504.0, 0x1p-14, 0.0}));
  EXPECT_EQ(one("BF16", 3, raw<std::uint16_t>({0x3F80, 0xC040, 0x0001})).read_f64("x"),
            (std::vector<double>{1.0, -3.0, 0x1p-133}));
  EXPECT_EQ(one("F32", 1, raw<float>({0.1f})).read_f64("x"),
            std::vector<double>{static_cast<double>(0.1f)});
  EXPECT_EQ(one("U64", 1, raw<std::uint64_t>({INT64_MAX})).read_i64("x"),
            std::vector<std::int64_t>{INT64_MAX});
  EXPECT_EQ(one("U32", 1, raw<std::uint32_t>({UINT32_MAX})).read_i64("x"),
            std::vector<std::int64_t>{UINT32_MAX});
  EXPECT_EQ(one("U16", 1, raw<std::uint16_t>({65535})).read_i64("x"),
            std::vector<std::int64_t>{65535});
  EXPECT_EQ(one("BOOL", 2, raw<std::uint8_t>({0, 1})).read_i64("x"),
            (std::vector<std::int64_t>{0, 1}));
  EXPECT_THAT(input_error([&] {
                one("BOOL", 2, raw<std::uint8_t>({0, 2})).read_i64("x");
              }),
              HasSubstr("tensor 'x', flat index 1 = [1]: expected 0 or 1, found 2"));
  EXPECT_THAT(input_error([&] { one("U64", 1, raw<std::uint64_t>({1ull << 63})).read_i64("x"); }),
              HasSubstr("expected at most 2^63 - 1, found 9223372036854775808"));
}

TEST(SafetensorsFile, RefusesNonFiniteValuesByIndex) {
  const TemporaryFolder folder;
  const auto message = [&](const std::string& dtype, const std::string& data, std::size_t size) {
    const std::string header = fmt::format(
        R"({{"Q":{{"dtype":"{}","shape":[2,3],"data_offsets":[0,{}]}}}})", dtype, 6 * size);
    const std::string path = folder.write("n", with_length(header.size(), header + data));
    return input_error([&] { SafetensorsFile::open(path).read_f64("Q"); });
  };
  const double infinity = std::numeric_limits<double>::infinity();
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THAT(message("F64", raw<double>({0, 1, 2, 3, 4, nan}), 8),
              HasSubstr("tensor 'Q', flat index 5 = [1,2]: expected a finite value, found NaN"));
  EXPECT_THAT(message("F64", raw<double>({0, 1, 2, -infinity, 4, 5}), 8),
              HasSubstr("flat index 3 = [1,0]: expected a finite value, found -infinity"));
  EXPECT_THAT(message("F32", raw<float>({0, static_cast<float>(infinity), 0, 0, 0, 0}), 4),
              HasSubstr("flat index 1 = [0,1]: expected a finite value, found infinity"));
  EXPECT_THAT(message("F16", raw<std::uint16_t>({0x7C00, 0, 0, 0, 0, 0}), 2),
              HasSubstr("found infinity"));
  EXPECT_THAT(message("F16", raw<std::uint16_t>({0, 0xFE00, 0, 0, 0, 0}), 2), HasSubstr("NaN"));
  EXPECT_THAT(message("BF16", raw<std::uint16_t>({0, 0, 0x7FC0, 0, 0, 0}), 2), HasSubstr("NaN"));
}

TEST(SafetensorsFile, RefusesTheWrongKindOfTensor) {
  const TemporaryFolder folder;
  SafetensorsWriter writer;
  writer.add_f64("Q", {2, 2}, {1, 2, 3, 4});
  writer.add_integers("codes", Dtype::kI8, {2}, {1, 2});
  writer.add_f64("none", {0, 2}, {});
  const std::string path = folder.file("t");
  writer.write(path);
  const auto file = SafetensorsFile::open(path);
  EXPECT_EQ(input_error([&] { file.read_f64("codes"); }),
            path + ": tensor 'codes', dtype: expected one of F64 F32 F16 BF16, found I8");
  EXPECT_EQ(input_error([&] { file.read_i64("Q"); }),
            path + ": tensor 'Q', dtype: expected an integer type, found F64");
  EXPECT_EQ(input_error([&] { file.info("code"); }),
            path +
                ": tensor 'code': expected in the file, did you mean 'codes'? (it holds: Q codes "
                "none)");
  EXPECT_NO_THROW(file.require_shape("Q", {2, 2}));
  EXPECT_NO_THROW(file.require_shape("Q", {-1, 2}));
  EXPECT_NO_THROW(file.require_shape("none", {0, 2}));
  EXPECT_EQ(input_error([&] {
              file.require_shape("Q", {-1, 3});
            }),
            path + ": tensor 'Q': expected shape [*,3], found [2,2]");
  EXPECT_EQ(input_error([&] {
              file.require_shape("Q", {2, 2, 1});
            }),
            path + ": tensor 'Q': expected shape [2,2,1], found [2,2]");
  EXPECT_EQ(input_error([&] {
              file.require_shape("none", {-1, 2});
            }),
            path + ": tensor 'none': expected shape [*,2] and no empty dimension, found [0,2]");
}

TEST(SafetensorsFile, CanBeMoved) {
  const TemporaryFolder folder;
  SafetensorsWriter writer;
  writer.add_f64("x", {1}, {4.0});
  writer.write(folder.file("a"));
  writer.add_f64("y", {1}, {5.0});
  writer.write(folder.file("b"));
  auto a = SafetensorsFile::open(folder.file("a"));
  auto b = SafetensorsFile::open(folder.file("b"));
  a = std::move(b);
  const SafetensorsFile c(std::move(a));
  EXPECT_EQ(c.read_f64("y"), std::vector<double>{5.0});
}

// ---------------------------------------------------------------------------
// Files that are not what they say

TEST(SafetensorsFile, RefusesWhatIsNoFile) {
  const TemporaryFolder folder;
  EXPECT_THAT(input_error([&] { SafetensorsFile::open(folder.file("missing")); }),
              HasSubstr("missing: file: expected a readable safetensors file: No such file"));
  EXPECT_THAT(input_error([&] { SafetensorsFile::open(folder.file("")); }),
              HasSubstr("file: expected a regular file"));
  EXPECT_THAT(input_error([] { SafetensorsFile::open("/dev/null"); }),
              HasSubstr("/dev/null: file: expected a regular file"));
  EXPECT_EQ(input_error([] { SafetensorsFile::open("no\nsuch\nfile"); }).find('\n'),
            std::string::npos);
}

TEST(SafetensorsFile, RefusesEveryTruncation) {
  const TemporaryFolder folder;
  SafetensorsWriter writer;
  writer.add_f64("a", {3}, {1, 2, 3});
  writer.add_integers("b", Dtype::kI8, {5}, {1, 2, 3, 4, 5});
  writer.write(folder.file("whole"));
  const std::string whole = TemporaryFolder::read(folder.file("whole"));
  EXPECT_EQ(refusal(whole), "");
  for (std::size_t length = 0; length < whole.size(); ++length) {
    EXPECT_NE(refusal(whole.substr(0, length)), "") << "cut to " << length;
  }
  EXPECT_THAT(refusal(whole + "x"),
              HasSubstr("data: expected 29 bytes as the header says, found 30"));
}

TEST(SafetensorsFile, RefusesALyingHeaderLength) {
  EXPECT_EQ(refusal(""), "file: expected at least 8 bytes, found 0");
  EXPECT_EQ(refusal("1234567"), "file: expected at least 8 bytes, found 7");
  EXPECT_EQ(refusal(with_length(0, "")), "header: expected a JSON object that starts with '{'");
  EXPECT_EQ(refusal(with_length(3, "{}")),
            "header length: expected at most the 2 bytes that follow it, found 3");
  EXPECT_EQ(refusal(with_length(100'000'001, "{}")),
            "header length: expected at most 100000000 bytes, found 100000001");
  EXPECT_EQ(refusal(with_length(UINT64_MAX, "{}")),
            "header length: expected at most 100000000 bytes, found 18446744073709551615");
  EXPECT_EQ(refusal(with_length(2, "{}")), "") << "a file without tensors is valid";
  EXPECT_EQ(refusal(with_length(8, "{}      ")), "") << "padding with spaces is valid";
}

struct Lie {
  const char* what;
  std::string header;
  std::size_t data_bytes;
  const char* message;
  friend void PrintTo(const Lie& lie, std::ostream* out) { *out << lie.what; }
};

class LyingHeader : public testing::TestWithParam<Lie> {};

TEST_P(LyingHeader, IsRefusedByPlaceAndExpectation) {
  EXPECT_THAT(refusal(with_header(GetParam().header, GetParam().data_bytes)),
              HasSubstr(GetParam().message));
}

const Lie kLies[] = {
    {"NotJson", "{\"a\":", 0, "header: expected valid JSON"},
    {"Array", "[]", 0, "header: expected a JSON object that starts with '{'"},
    {"LeadingSpace", " {}", 0, "header: expected a JSON object that starts with '{'"},
    {"TwoValues", "{}{}", 0, "header: expected valid JSON"},
    {"NotUtf8", "{\"\xff\":1}", 0, "header: expected valid JSON"},
    {"DeepNesting", "{\"a\":" + std::string(100000, '[') + std::string(100000, ']') + "}", 0,
     "tensor 'a': expected an object with dtype, shape and data_offsets"},
    {"DeepNestingInAShape",
     "{\"a\":{\"shape\":" + std::string(100000, '[') + std::string(100000, ']') + "}}", 0,
     "tensor 'a', shape: expected integers from 0 to 2^63 - 1"},
    {"MetadataTwice", R"({"__metadata__":{},"__metadata__":{}})", 0,
     "header: expected each name once, found '__metadata__' twice"},
    {"MetadataKeyTwice", R"({"__metadata__":{"k":"1","k":"2"}})", 0,
     "header: expected each name once, found 'k' twice"},
    {"ThreeOffsets", R"({"a":{"dtype":"I8","shape":[1],"data_offsets":[0,1,1]}})", 1,
     "tensor 'a', data_offsets: expected two integers"},
    {"NulBehindTheObject", std::string("{}") + '\0' + "this is not JSON", 0,
     "header: expected valid JSON, padded with spaces only, found a NUL at its byte 3"},
    {"NulAsPadding", std::string("{}") + '\0', 0, "found a NUL at its byte 3"},
    {"NulInsideTheObject", std::string("{") + '\0' + "}", 0, "found a NUL at its byte 2"},
    {"NulInAName",
     std::string("{\"a") + '\0' + R"(":{"dtype":"I8","shape":[1],"data_offsets":[0,1]}})", 1,
     "found a NUL at its byte 4"},
    {"DuplicateName",
     R"({"a":{"dtype":"I8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"I8","shape":[1],"data_offsets":[0,1]}})",
     1, "header: expected each name once, found 'a' twice"},
    {"DuplicateKey", R"({"a":{"dtype":"I8","dtype":"I8","shape":[1],"data_offsets":[0,1]}})", 1,
     "header: expected each name once, found 'dtype' twice"},
    {"EntryNotObject", R"({"a":5})", 0,
     "tensor 'a': expected an object with dtype, shape and data_offsets"},
    {"NoDtype", R"({"a":{"shape":[1],"data_offsets":[0,1]}})", 1,
     "tensor 'a': expected the key 'dtype'"},
    {"NoShape", R"({"a":{"dtype":"I8","data_offsets":[0,1]}})", 1,
     "tensor 'a': expected the key 'shape'"},
    {"NoOffsets", R"({"a":{"dtype":"I8","shape":[1]}})", 1,
     "tensor 'a': expected the key 'data_offsets'"},
    {"ExtraKey", R"({"a":{"dtype":"I8","shape":[1],"data_offsets":[0,1],"x":1}})", 1,
     "tensor 'a': expected only dtype, shape and data_offsets, found 'x'"},
    {"DtypeNumber", R"({"a":{"dtype":8,"shape":[1],"data_offsets":[0,1]}})", 1,
     "tensor 'a', dtype: expected a string"},
    {"DtypeUnknown", R"({"a":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]}})", 1,
     "tensor 'a', dtype: expected one of F64 F32 F16 BF16 I64 I32 I16 I8 U64 U32 U16 U8 BOOL, "
     "found 'F8_E4M3'"},
    {"DtypeLowerCase", R"({"a":{"dtype":"f32","shape":[1],"data_offsets":[0,4]}})", 4,
     "found 'f32'"},
    {"ShapeNumber", R"({"a":{"dtype":"I8","shape":1,"data_offsets":[0,1]}})", 1,
     "tensor 'a', shape: expected an array of integers"},
    {"ShapeNegative", R"({"a":{"dtype":"I8","shape":[-1],"data_offsets":[0,1]}})", 1,
     "tensor 'a', shape: expected integers from 0 to 2^63 - 1"},
    {"ShapeFraction", R"({"a":{"dtype":"I8","shape":[1.0],"data_offsets":[0,1]}})", 1,
     "tensor 'a', shape: expected integers"},
    {"ShapeText", R"({"a":{"dtype":"I8","shape":["1"],"data_offsets":[0,1]}})", 1,
     "tensor 'a', shape: expected integers"},
    {"ShapeHuge", R"({"a":{"dtype":"I8","shape":[18446744073709551615],"data_offsets":[0,1]}})", 1,
     "tensor 'a', shape: expected integers from 0 to 2^63 - 1"},
    {"ShapeOverflow",
     R"({"a":{"dtype":"I8","shape":[4294967296,4294967296],"data_offsets":[0,0]}})", 0,
     "tensor 'a', shape: expected fewer than 2^63 bytes"},
    {"ByteOverflow", R"({"a":{"dtype":"F64","shape":[2305843009213693952],"data_offsets":[0,0]}})",
     0, "tensor 'a', shape: expected fewer than 2^63 bytes"},
    {"OffsetsNumber", R"({"a":{"dtype":"I8","shape":[1],"data_offsets":1}})", 1,
     "tensor 'a', data_offsets: expected two integers"},
    {"OffsetsThree", R"({"a":{"dtype":"I8","shape":[1],"data_offsets":[0,1,2]}})", 1,
     "tensor 'a', data_offsets: expected two integers"},
    {"OffsetsNegative", R"({"a":{"dtype":"I8","shape":[1],"data_offsets":[-1,0]}})", 1,
     "tensor 'a', data_offsets: expected two integers"},
    {"OffsetsReversed", R"({"a":{"dtype":"I8","shape":[1],"data_offsets":[1,0]}})", 1,
     "tensor 'a', data_offsets: expected an end not before the begin, found [1,0]"},
    {"OffsetsBeyond", R"({"a":{"dtype":"I8","shape":[2],"data_offsets":[0,2]}})", 1,
     "tensor 'a', data_offsets: expected an end within the 1 bytes of data, found 2"},
    {"OffsetsHuge",
     R"({"a":{"dtype":"I8","shape":[2],"data_offsets":[18446744073709551614,18446744073709551615]}})",
     1, "expected an end within the 1 bytes of data"},
    {"WrongSize", R"({"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,20]}})", 20,
     "tensor 'a', data_offsets: expected 24 bytes for shape [2,3] of F32, found 20"},
    {"Overlap",
     R"({"a":{"dtype":"I8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"I8","shape":[4],"data_offsets":[2,6]}})",
     6,
     "tensor 'b', data_offsets: expected begin 4 where the tensor before ends, found 2 (overlap)"},
    {"SameBytes",
     R"({"a":{"dtype":"I8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"I8","shape":[4],"data_offsets":[0,4]}})",
     4, "(overlap)"},
    {"EmptyInside",
     R"({"a":{"dtype":"I8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"I8","shape":[0],"data_offsets":[2,2]}})",
     4, "(overlap)"},
    {"Hole",
     R"({"a":{"dtype":"I8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"I8","shape":[4],"data_offsets":[5,9]}})",
     9, "tensor 'b', data_offsets: expected begin 4 where the tensor before ends, found 5 (hole)"},
    {"HoleAtStart", R"({"a":{"dtype":"I8","shape":[4],"data_offsets":[1,5]}})", 5, "(hole)"},
    {"HoleAtEnd", R"({"a":{"dtype":"I8","shape":[4],"data_offsets":[0,4]}})", 5,
     "data: expected 4 bytes as the header says, found 5"},
    {"DataWithoutTensors", "{}", 1, "data: expected 0 bytes as the header says, found 1"},
    {"MetadataNotObject", R"({"__metadata__":[]})", 0,
     "__metadata__: expected an object of strings"},
    {"MetadataNotString", R"({"__metadata__":{"scale":0.5}})", 0,
     "__metadata__, key 'scale': expected a string"},
};

INSTANTIATE_TEST_SUITE_P(Safetensors, LyingHeader, testing::ValuesIn(kLies),
                         [](const auto& lie) { return lie.param.what; });

/// Seconds to open a file of so many empty tensors.
double seconds_to_open(int tensors) {
  std::string header = "{";
  for (int i = 0; i < tensors; ++i) {
    header += fmt::format(R"({}"t{:07}":{{"dtype":"I8","shape":[0],"data_offsets":[0,0]}})",
                          i == 0 ? "" : ",", i);
  }
  const TemporaryFolder folder;
  const std::string path = folder.write("many", with_header(header + "}", 0));
  double least = 1e9;
  for (int repeat = 0; repeat < 3; ++repeat) {
    const auto start = std::chrono::steady_clock::now();
    EXPECT_EQ(SafetensorsFile::open(path).names().size(), static_cast<std::size_t>(tensors));
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    least = std::min(least, seconds.count());
  }
  return least;
}

TEST(SafetensorsFile, OpensInTimeLinearInTheNumberOfTensors) {
  // Eight times as many tensors: 8 times the time and the map's logarithm (17 over 14
  // comparisons), with twice that for caches and a busy machine. Quadratic would be 64.
  const double few = seconds_to_open(10000);
  EXPECT_LT(seconds_to_open(80000), 20.0 * few);
}

/// A file in memory only: thousands of them cost no disk time.
class MemoryFile {
 public:
  explicit MemoryFile(const std::string& bytes) : descriptor_(::memfd_create("fuzz", MFD_CLOEXEC)) {
    if (::write(descriptor_, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) {
      throw std::runtime_error("memfd_create or write failed");
    }
  }
  ~MemoryFile() { ::close(descriptor_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  std::string path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }

 private:
  int descriptor_;
};

/// Opens `bytes` and reads all of it. Only InputError may come out.
bool survives(const std::string& bytes) {
  const MemoryFile memory(bytes);
  const std::string path = memory.path();
  try {
    const auto file = SafetensorsFile::open(path);
    for (const std::string& name : file.names()) {
      if (file.is_integer(name)) {
        file.read_i64(name);
      } else {
        file.read_f64(name);
      }
    }
    return true;
  } catch (const InputError& error) {
    const std::string line = error.what();
    EXPECT_EQ(line.find('\n'), std::string::npos) << line;
    return false;
  }
}

TEST(SafetensorsFuzz, MutationsOnlyEverGiveInputErrors) {
  constexpr unsigned kSeed = 20240229;
  constexpr int kRounds = 6000;
  const TemporaryFolder folder;
  SafetensorsWriter writer;
  writer.add_f64("alpha", {2, 2}, {1, 2, 3, 4});
  writer.add_f32("beta", {3}, {1, 2, 3});
  writer.add_integers("gamma", Dtype::kI8, {4}, {1, 2, 3, 4});
  writer.add_integers("delta", Dtype::kI16, {0, 7}, {});
  writer.set_metadata("gamma.scale", "0.5");
  writer.write(folder.file("valid"));
  const std::string valid = TemporaryFolder::read(folder.file("valid"));
  std::uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, valid.data(), 8);
  ASSERT_TRUE(survives(valid));

  static constexpr char kAlphabet[] = "0123456789-+.eE{}[]\",: \\ufFIUB\0\x7f\xff";
  static const std::vector<std::string> kTokens = {"18446744073709551615",
                                                   "9223372036854775808",
                                                   "-1",
                                                   "1e999",
                                                   "null",
                                                   "true",
                                                   "[]",
                                                   "{}",
                                                   "\"F64\"",
                                                   "\"\\ud800\"",
                                                   "0.5",
                                                   "[0,0]",
                                                   "99999999999999999999999999",
                                                   "\"dtype\":"};
  std::mt19937_64 random(kSeed);
  const auto below = [&](std::size_t n) {
    return static_cast<std::size_t>(pick(random, 0, static_cast<int>(n) - 1));
  };
  int opened = 0;
  for (int round = 0; round < kRounds; ++round) {
    std::string header = valid.substr(8, header_bytes);
    std::string data = valid.substr(8 + header_bytes);
    const std::size_t edits = 1 + below(3);
    for (std::size_t edit = 0; edit < edits; ++edit) {
      const std::size_t at = below(header.size());
      switch (below(6)) {
        case 0:
          header[at] = kAlphabet[below(sizeof kAlphabet - 1)];
          break;
        case 1:
          header.erase(at, 1 + below(4));
          break;
        case 2:
          header.insert(at, 1, kAlphabet[below(sizeof kAlphabet - 1)]);
          break;
        case 3:
          header.insert(at, kTokens[below(kTokens.size())]);
          break;
        case 4: {  // a number becomes another
          const std::size_t digit = header.find_first_of("0123456789", at);
          if (digit != std::string::npos) header.replace(digit, 1, kTokens[below(kTokens.size())]);
          break;
        }
        default:  // a piece is repeated elsewhere
          header.insert(below(header.size()), header.substr(at, 1 + below(40)));
          break;
      }
      if (header.empty()) header = "{";
    }
    if (below(4) == 0) data.resize(below(2 * data.size()));
    // The length is mostly true, so that the header is what is tested.
    const std::uint64_t length = below(8) == 0 ? random() : header.size();
    SCOPED_TRACE(fmt::format("seed {}, round {}", kSeed, round));
    opened += survives(with_length(length, header + data)) ? 1 : 0;
    if (HasFailure()) return;
  }
  EXPECT_GT(opened, 0) << "mutations that stay valid should occur";
  EXPECT_LT(opened, kRounds / 2) << "most mutations should be refused";
}

TEST(SafetensorsFuzz, RandomBytesOnlyEverGiveInputErrors) {
  std::mt19937 random(7);
  for (int round = 0; round < 1000; ++round) {
    std::string bytes(random() % 64, '\0');
    for (char& c : bytes) c = static_cast<char>(random());
    if (bytes.size() > 8 && round % 2 == 0) {
      std::fill(bytes.begin() + 1, bytes.begin() + 8, '\0');
      bytes[0] = static_cast<char>(bytes.size() - 8);
      bytes[8] = '{';
    }
    EXPECT_FALSE(survives(bytes)) << round;
  }
}

// ---------------------------------------------------------------------------
// The writer

TEST(SafetensorsWriter, GivesTheSameBytesInAnyOrder) {
  const TemporaryFolder folder;
  SafetensorsWriter one;
  one.add_integers("C", Dtype::kI8, {3}, {1, 2, 3});
  one.add_f64("b", {1}, {2.0});
  one.add_f64("a", {1}, {1.0});
  one.set_metadata("y", "1");
  one.set_metadata("x", "2");
  one.write(folder.file("one"));
  SafetensorsWriter two;
  two.set_metadata("x", "0");
  two.set_metadata("x", "2");
  two.set_metadata("y", "1");
  two.add_f64("a", {1}, {1.0});
  two.add_integers("C", Dtype::kI8, {3}, {1, 2, 3});
  two.add_f64("b", {1}, {2.0});
  two.write(folder.file("two"));
  const std::string bytes = TemporaryFolder::read(folder.file("one"));
  EXPECT_EQ(bytes, TemporaryFolder::read(folder.file("two")));

  std::string header =
      R"({"__metadata__":{"x":"2","y":"1"},"a":{"dtype":"F64","shape":[1],"data_offsets":[0,8]},)"
      R"("b":{"dtype":"F64","shape":[1],"data_offsets":[8,16]},)"
      R"("C":{"dtype":"I8","shape":[3],"data_offsets":[16,19]}})";
  header.append((8 - header.size() % 8) % 8, ' ');
  EXPECT_EQ(bytes,
            with_length(header.size(), header + raw<double>({1.0, 2.0}) + raw<char>({1, 2, 3})));
}

TEST(SafetensorsWriter, ReplacesAFileAsAWhole) {
  const TemporaryFolder folder;
  const std::string path = folder.write("out", "what was there");
  SafetensorsWriter writer;
  writer.add_f64("x", {1}, {1.0});
  writer.write(path);
  EXPECT_EQ(SafetensorsFile::open(path).read_f64("x"), std::vector<double>{1.0});
  EXPECT_THAT(folder.entries(), ElementsAre("out"));
}

TEST(SafetensorsWriter, RefusesPathsThatCannotBeWritten) {
  const TemporaryFolder folder;
  SafetensorsWriter writer;
  writer.add_f64("x", {1}, {1.0});
  EXPECT_EQ(input_error([&] { writer.write(folder.file("no/such/folder")); }),
            folder.file("no/such/folder") +
                ": output file: expected a writable directory: No such file or directory");
  std::filesystem::create_directory(folder.file("directory"));
  EXPECT_THAT(input_error([&] { writer.write(folder.file("directory")); }),
              HasSubstr("expected the name of a file, found a directory"));
  EXPECT_THAT(input_error([&] { writer.write("/dev/null"); }),
              HasSubstr("expected a regular file, found a device or pipe"));
  EXPECT_THAT(folder.entries(), ElementsAre("directory"));
}

TEST(SafetensorsWriter, LeavesNothingBehindWhenTheDiskIsFull) {
  const TemporaryFolder folder;
  const std::string path = folder.write("out", "what was there");
  SafetensorsWriter writer;
  writer.add_f64("x", {100000}, std::vector<double>(100000, 1.0));
  struct rlimit before {};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const struct rlimit small { 4096, before.rlim_max };
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const std::string message = input_error([&] { writer.write(path); });
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT_EQ(message, path + ": output file: expected room for the whole file: File too large");
  EXPECT_THAT(folder.entries(), ElementsAre("out"));
  EXPECT_EQ(TemporaryFolder::read(path), "what was there");
}

TEST(SafetensorsWriter, RefusesMisuse) {
  SafetensorsWriter writer;
  writer.add_f64("x", {2}, {1, 2});
  EXPECT_THROW(writer.add_f64("x", {2}, {1, 2}), InvariantError);
  EXPECT_THROW(writer.add_f64("y", {3}, {1, 2}), InvariantError);
  EXPECT_THROW(writer.add_f64("y", {-1}, {}), InvariantError);
  EXPECT_THROW(writer.add_f64("__metadata__", {}, {1}), InvariantError);
  EXPECT_THROW(writer.add_f64("\xff", {}, {1}), InvariantError);
  EXPECT_THROW(writer.add_f64("y", {}, {std::numeric_limits<double>::quiet_NaN()}), InvariantError);
  EXPECT_THROW(writer.add_f32("y", {}, {std::numeric_limits<float>::infinity()}), InvariantError);
  EXPECT_THROW(writer.add_integers("y", Dtype::kI8, {}, {128}), InvariantError);
  EXPECT_THROW(writer.add_integers("y", Dtype::kU8, {}, {-1}), InvariantError);
  EXPECT_THROW(writer.add_integers("y", Dtype::kI16, {}, {-32769}), InvariantError);
  EXPECT_THROW(writer.add_integers("y", Dtype::kF32, {}, {1}), InvariantError);
  EXPECT_THROW(writer.set_metadata("\xff", ""), InvariantError);
}

TEST(AtomicFile, IsNothingUntilCommitted) {
  const TemporaryFolder folder;
  {
    AtomicFile file(folder.file("a"));
    file.write("half");
    EXPECT_FALSE(std::filesystem::exists(folder.file("a")));
  }
  EXPECT_TRUE(folder.entries().empty());
  AtomicFile file(folder.file("a"));
  file.write("whole");
  file.commit();
  EXPECT_EQ(TemporaryFolder::read(folder.file("a")), "whole");
  EXPECT_THROW(file.commit(), InvariantError);
  EXPECT_THROW(file.write("more"), InvariantError);
  EXPECT_THAT(folder.entries(), ElementsAre("a"));
  write_file(folder.file("a"), "other");
  EXPECT_EQ(TemporaryFolder::read(folder.file("a")), "other");
}

TEST(ElementIndex, IsRowMajor) {
  EXPECT_EQ(index_text(0, {}), "[]");
  EXPECT_EQ(index_text(23, {2, 3, 4}), "[1,2,3]");
  EXPECT_EQ(index_text(5, {2, 3, 4}), "[0,1,1]");
  EXPECT_EQ(element_count({}), 1);
  EXPECT_EQ(element_count({2, 3, 4}), 24);
  EXPECT_EQ(element_count({2, 0, 4}), 0);
  EXPECT_THROW(element_count({INT64_MAX, 2}), InvariantError);
}

}  // namespace
}  // namespace quadrille::app
