#include "app/files/hash.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "app/files/suggest.h"
#include "model/errors.h"

namespace quadrille::app {

std::uint64_t fnv1a_64(std::string_view bytes) {
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const char byte : bytes) {
    hash ^= static_cast<unsigned char>(byte);
    hash *= 0x100000001b3U;
  }
  return hash;
}

std::string read_bytes(const std::string& path) {
  std::error_code ignored;
  std::ifstream in(path, std::ios::binary);
  if (!in || !std::filesystem::is_regular_file(path, ignored)) {
    throw InputError(printable(path, 400), "file", "cannot be read, expected a readable file");
  }
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

std::string file_fnv1a_64(const std::string& path) {
  return fmt::format("{:016x}", fnv1a_64(read_bytes(path)));
}

}  // namespace quadrille::app
