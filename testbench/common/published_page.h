// A page of docs/ that a test writes and is held to.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

namespace quadrille::testbench {

/// Expects docs/`name` to be `page`, line by line; with QUADRILLE_BLESS=1 in the
/// environment writes it instead.
inline void expect_published(const std::string& name, const std::string& page) {
  const std::string path = std::string(QUADRILLE_SOURCE_DIR "/docs/") + name;
  if (std::getenv("QUADRILLE_BLESS") != nullptr) {
    std::ofstream(path) << page;
    return;
  }
  std::ifstream file(path);
  ASSERT_TRUE(file) << path << " is not there; write it with QUADRILLE_BLESS=1";
  std::istringstream expected(page);
  std::string found_line;
  std::string line;
  int number = 0;
  while (std::getline(expected, line)) {
    ++number;
    ASSERT_TRUE(std::getline(file, found_line)) << path << " ends before line " << number;
    EXPECT_EQ(found_line, line) << path << ", line " << number;
  }
  EXPECT_FALSE(std::getline(file, found_line)) << path << " is longer than " << number << " lines";
}

}  // namespace quadrille::testbench
