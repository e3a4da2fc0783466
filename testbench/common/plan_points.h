// Points for judging plans: chip files and workload files, drawn from a seed.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace quadrille::testbench {

/// A YAML file as keys and values: "name", or "cim.rows" for a key of a section.
class KeyedFile {
 public:
  /// Replaces a value in its place, or appends the key.
  void set(const std::string& key, const std::string& value);
  void set(const std::string& key, const char* value) { set(key, std::string(value)); }
  void set(const std::string& key, std::int64_t value) { set(key, std::to_string(value)); }
  void set(const std::string& key, int value) { set(key, std::to_string(value)); }
  void set(const std::string& key, bool value) { set(key, value ? "true" : "false"); }

  /// All of another file's keys, set here.
  void append(const KeyedFile& other);

  bool has(const std::string& key) const { return find(key) != nullptr; }
  /// Throws std::out_of_range for a key that is not there.
  const std::string& text(const std::string& key) const;
  std::int64_t number(const std::string& key) const { return std::stoll(text(key)); }

  /// The file: sections in the order of their first key.
  std::string yaml() const;
  /// Values alone, in one line.
  std::string line() const;

 private:
  const std::string* find(const std::string& key) const;
  std::vector<std::pair<std::string, std::string>> values_;
};

/// A chip and a workload, as a user would write them.
struct PlanPoint {
  KeyedFile chip;
  KeyedFile workload;
};

/// Draws from a generator's own bits: the same points with every standard library.
class PointDraw {
 public:
  explicit PointDraw(std::uint64_t seed) : random_(seed) {}

  /// Layers, operators and products of up to 2,048 tokens, on chips as somebody
  /// might build them: 256 KiB to 64 MiB of scratchpad, 4 to 256 macros.
  PlanPoint grid_point();

  /// Small shapes with every setting that an operator has, on chips that are
  /// only just possible: a few cycles each, for runs by the ten thousand.
  PlanPoint short_point();

 private:
  int below(int count) { return static_cast<int>(random_() % static_cast<unsigned>(count)); }
  int between(int least, int most) { return least + below(most - least + 1); }
  bool one_in(int count) { return below(count) == 0; }
  /// Log-uniform in least..most.
  int size(int least, int most);
  template <typename T>
  const T& any(const std::vector<T>& values) {
    return values[static_cast<std::size_t>(below(static_cast<int>(values.size())))];
  }
  /// A power of two in least..most.
  int power(int least, int most);

  KeyedFile grid_chip();
  KeyedFile short_chip();
  void lanes(KeyedFile& chip, int word_bytes, int least_lanes);
  KeyedFile layer(int tokens, bool small);
  void layer_sinkhorn(KeyedFile& file, bool small);
  void attention_shapes(KeyedFile& file, std::vector<int> q, std::vector<int> k,
                        std::vector<int> v);
  KeyedFile softmax(int tokens, bool small);
  KeyedFile damf(int tokens, bool small);
  KeyedFile sinkhorn(int tokens, bool small);
  KeyedFile linear(int tokens, bool small);
  KeyedFile matmul(int tokens, bool small);
  KeyedFile workload(int tokens, bool small);
  int width(bool small);
  void damf_settings(KeyedFile& file, const std::string& section, bool collapsed_only);

  std::mt19937_64 random_;
};

}  // namespace quadrille::testbench
