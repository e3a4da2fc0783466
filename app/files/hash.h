// A fingerprint of inputs: FNV-1a, 64 bits. It tells files apart; it is no
// defence against anybody who wants two files to look alike.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace quadrille::app {

std::uint64_t fnv1a_64(std::string_view bytes);

/// fnv1a_64 of a file's bytes as 16 hexadecimal digits. InputError if it
/// cannot be read.
std::string file_fnv1a_64(const std::string& path);

/// The whole file. InputError if it cannot be read.
std::string read_bytes(const std::string& path);

}  // namespace quadrille::app
