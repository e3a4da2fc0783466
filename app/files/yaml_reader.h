// Strict YAML: typed, range-checked, with unknown keys refused.
//
//   const YamlNode root = read_yaml("chips/foo.yaml");
//   const YamlNode cim = root.child("cim");
//   config.rows = cim.integer("rows", 1, 4096);
//   config.clock_hz = 1e6 * root.number("clock_mhz", 1, 10000);
//   root.finish();
//
// Every error is an InputError of one line:
//   chips/foo.yaml: line 4:9, cim.rows: expected an integer in 1..4096, found 'zero'
// (line and column count from 1; nodes of sequences are written layers[3].)
//
// The language is a subset: one document, plain text in UTF-8, keys that are
// scalars, no key twice, at most 32 levels and 16 MiB. Anchors, aliases and
// tags are refused, so a file cannot be larger in memory than on disk.
// Integers are decimal (-12), numbers decimal with point or exponent (0.5,
// 5e8), booleans true and false; text in quotes is never a number. A key
// without a value (or with `~` or null) is there, and no getter accepts it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace quadrille::app {

/// A node of a parsed file. Copies are cheap and refer to the same node; the
/// file stays in memory while a node of it lives. A map remembers which of its
/// keys were asked for: those are the known keys, and finish() refuses others.
/// Const and yet remembering: not for use from several threads at once.
class YamlNode {
 public:
  bool is_map() const;
  bool is_sequence() const;
  bool is_scalar() const;  ///< Text, number or boolean; not null.
  bool is_null() const;

  /// The file (or option) in which it stands.
  const std::string& file() const;
  /// "cim.rows", "layers[3].kind"; "" for the root.
  const std::string& path() const { return path_; }
  int line() const;  ///< 0: of an option, which has no lines.
  int column() const;

  // --- Maps. On another kind of node these are an InputError. A key that is
  // missing is an InputError too, unless there is a default.

  /// True if the key is there. Makes it known, not consumed.
  bool has(const std::string& key) const;
  /// In the order of the file; makes none known. For maps of free names.
  std::vector<std::string> keys() const;
  YamlNode child(const std::string& key) const;
  std::optional<YamlNode> optional_child(const std::string& key) const;
  /// The nodes of the sequence under `key`.
  std::vector<YamlNode> sequence(const std::string& key) const;

  std::int64_t integer(const std::string& key, std::int64_t min, std::int64_t max) const;
  std::int64_t integer(const std::string& key, std::int64_t min, std::int64_t max,
                       std::int64_t fallback) const;
  double number(const std::string& key, double min, double max) const;
  double number(const std::string& key, double min, double max, double fallback) const;
  std::string text(const std::string& key) const;
  std::string text(const std::string& key, const std::vector<std::string>& allowed) const;
  std::string text(const std::string& key, const std::vector<std::string>& allowed,
                   const std::string& fallback) const;
  bool boolean(const std::string& key) const;
  bool boolean(const std::string& key, bool fallback) const;

  /// T: bool, int, std::int64_t, double, std::string, or a std::vector of one.
  template <typename T>
  T required(const std::string& key) const {
    return child(key).as<T>();
  }
  template <typename T>
  T optional(const std::string& key, T fallback) const {
    const std::optional<YamlNode> node = optional_child(key);
    return node ? node->as<T>() : fallback;
  }

  /// Refuses the first key, in this map or any map or sequence below it, that
  /// nobody read: with the known key meant, or the unit expected ("unknown key
  /// 'clock_ghz', expected 'clock_mhz' (the unit is mhz)"). Call it on the root
  /// when everything has been read. A scalar passes.
  void finish() const;

  // --- Sequences. On another kind of node an InputError.

  std::size_t size() const;
  YamlNode at(std::size_t index) const;  ///< InvariantError beyond size().
  std::vector<YamlNode> items() const;

  // --- Scalars.

  std::int64_t as_integer(std::int64_t min = std::numeric_limits<std::int64_t>::min(),
                          std::int64_t max = std::numeric_limits<std::int64_t>::max()) const;
  double as_number(double min = std::numeric_limits<double>::lowest(),
                   double max = std::numeric_limits<double>::max()) const;
  std::string as_text() const;
  std::string as_text(const std::vector<std::string>& allowed) const;
  bool as_boolean() const;
  template <typename T>
  T as() const;

  /// Throws the InputError "FILE: line L:C, PATH: EXPECTATION".
  [[noreturn]] void fail(const std::string& expectation) const;

  struct Item;      // a node of the tree
  struct Document;  // the tree and its file's name

 private:
  friend YamlNode parse_yaml(const std::string& text, const std::string& name);
  friend YamlNode overlaid(const YamlNode& base, const YamlNode& over);
  friend YamlNode assigned(const YamlNode& root, const std::string& key, const std::string& value,
                           const std::string& source);

  YamlNode(std::shared_ptr<const Document> document, const Item* item, std::string path);
  YamlNode node(const Item* item, const std::string& step) const;
  /// The value of `key`, null if missing. Makes the key known.
  const Item* find(const std::string& key, bool consume) const;
  void require_map() const;
  [[noreturn]] void fail_missing(const std::string& key) const;
  std::string found() const;

  std::shared_ptr<const Document> document_;
  const Item* item_ = nullptr;
  std::string path_;
};

/// Reads and parses the whole file. InputError if it cannot be read, is empty,
/// or is not the YAML described above.
YamlNode read_yaml(const std::string& path);
/// The same for text in memory; `name` stands for the file in messages.
YamlNode parse_yaml(const std::string& text, const std::string& name);

/// `base` with everything that `over` says: maps merge key by key, anything else
/// in `over` takes the place of what `base` has. Every node and every key still
/// knows the file and the line in which it stands.
YamlNode overlaid(const YamlNode& base, const YamlNode& over);

/// `root` with one value of an option: "cim.rows" names the key `rows` of the map
/// `cim`, which is made if it is not there. A value that begins with '[' is read
/// as a YAML list, any other is text as in a file. In messages `source` stands for
/// the file: "--set cim.rows=0: cim.rows: expected ...".
YamlNode assigned(const YamlNode& root, const std::string& key, const std::string& value,
                  const std::string& source);

// ---------------------------------------------------------------------------

namespace detail {
template <typename T>
struct IsVector : std::false_type {};
template <typename T>
struct IsVector<std::vector<T>> : std::true_type {};
}  // namespace detail

template <typename T>
T YamlNode::as() const {
  if constexpr (std::is_same_v<T, bool>) {
    return as_boolean();
  } else if constexpr (std::is_same_v<T, int> || std::is_same_v<T, std::int64_t>) {
    return static_cast<T>(as_integer(std::numeric_limits<T>::min(), std::numeric_limits<T>::max()));
  } else if constexpr (std::is_same_v<T, double>) {
    return as_number();
  } else if constexpr (std::is_same_v<T, std::string>) {
    return as_text();
  } else {
    static_assert(detail::IsVector<T>::value, "no YAML reader for this type");
    T values;
    for (const YamlNode& item : items()) {
      values.push_back(item.template as<typename T::value_type>());
    }
    return values;
  }
}

}  // namespace quadrille::app
