#include "app/files/yaml_reader.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <deque>
#include <fstream>
#include <iterator>
#include <sstream>
#include <unordered_map>
#include <utility>

#include "app/files/suggest.h"
#include "model/errors.h"

namespace quadrille::app {

struct YamlNode::Item {
  enum class Kind { kNull, kScalar, kSequence, kMap };
  using Source = std::shared_ptr<const std::string>;
  struct Pair {
    std::string key;
    Source source;
    int line = 0;
    int column = 0;
    const Item* value = nullptr;
    mutable bool consumed = false;
  };

  Kind kind = Kind::kNull;
  Source source;  // a file, or what stands for one
  int line = 0;   // from 1; 0: the source has no lines
  int column = 0;
  std::string text;     // scalar
  bool quoted = false;  // scalar
  std::vector<const Item*> elements;
  std::vector<Pair> pairs;
  mutable std::vector<std::string> known;  // keys asked for, in that order
};

struct YamlNode::Document {
  Item::Source name;       // of what is being parsed
  std::deque<Item> items;  // addresses stay
  const Item* root = nullptr;
};

namespace {

using Item = YamlNode::Item;
using Kind = Item::Kind;

constexpr std::size_t kMaxFileBytes = std::size_t{16} << 20;
constexpr std::size_t kMaxDepth = 32;

[[noreturn]] void fail_at(const std::string& file, int line, int column, const std::string& path,
                          const std::string& expectation) {
  std::string place = line == 0 ? "" : fmt::format("line {}:{}", line, column);
  if (!path.empty()) place += (place.empty() ? "" : ", ") + printable(path, 200);
  if (place.empty()) throw InputError(printable(file, 400) + ": " + expectation);
  throw InputError(printable(file, 400), place, expectation);
}

/// Builds the tree from yaml-cpp's events, which (unlike its nodes) show
/// aliases, tags and repeated keys.
class TreeBuilder : public YAML::EventHandler {
 public:
  explicit TreeBuilder(YamlNode::Document* document) : document_(document) {}

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    check(mark, "?", anchor);
    if (!open_.empty() && open_.back()->kind == Kind::kMap && !has_key_) {
      refuse(mark, "expected a key, found none");
    }
    attach(mark, Kind::kNull);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    refuse(mark, "expected a value, found an alias (aliases are not supported)");
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    check(mark, tag, anchor);
    if (!open_.empty() && open_.back()->kind == Kind::kMap && !has_key_) {
      const auto [first, fresh] = lines_.back().emplace(value, mark.line + 1);
      if (!fresh) {
        refuse(mark, fmt::format("expected each key once, found {} again (first on line {})",
                                 in_quotes(value), first->second));
      }
      open_.back()->pairs.push_back(
          {value, document_->name, mark.line + 1, mark.column + 1, nullptr, false});
      has_key_ = true;
      return;
    }
    Item& item = attach(mark, Kind::kScalar);
    item.text = value;
    item.quoted = tag == "!";
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    begin(mark, tag, anchor, Kind::kSequence);
  }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    begin(mark, tag, anchor, Kind::kMap);
  }
  void OnSequenceEnd() override { end(); }
  void OnMapEnd() override { end(); }

 private:
  [[noreturn]] void refuse(const YAML::Mark& mark, const std::string& expectation) const {
    fail_at(*document_->name, mark.line + 1, mark.column + 1, "", expectation);
  }

  // yaml-cpp gives "?" to what carries no tag and "!" to quoted scalars.
  void check(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) const {
    if (anchor != YAML::NullAnchor) {
      refuse(mark, "expected a value, found an anchor (anchors are not supported)");
    }
    if (!tag.empty() && tag != "?" && tag != "!") {
      refuse(mark, fmt::format("expected a value, found the tag {} (tags are not supported)",
                               in_quotes(tag)));
    }
  }

  void begin(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, Kind kind) {
    check(mark, tag, anchor);
    if (open_.size() >= kMaxDepth) {
      refuse(mark, fmt::format("expected at most {} levels", kMaxDepth));
    }
    if (!open_.empty() && open_.back()->kind == Kind::kMap && !has_key_) {
      refuse(mark, "expected a key that is plain text");
    }
    open_.push_back(&attach(mark, kind));
    lines_.emplace_back();
  }

  void end() {
    open_.pop_back();
    lines_.pop_back();
  }

  Item& attach(const YAML::Mark& mark, Kind kind) {
    Item& item = document_->items.emplace_back();
    item.kind = kind;
    item.source = document_->name;
    item.line = mark.line + 1;
    item.column = mark.column + 1;
    if (open_.empty()) {
      document_->root = &item;
    } else if (open_.back()->kind == Kind::kMap) {
      Item::Pair& pair = open_.back()->pairs.back();
      pair.value = &item;
      if (kind == Kind::kNull) {  // yaml-cpp reports what comes next
        item.line = pair.line;
        item.column = pair.column;
      }
      has_key_ = false;
    } else {
      open_.back()->elements.push_back(&item);
    }
    return item;
  }

  YamlNode::Document* document_;
  std::vector<Item*> open_;  // the maps and sequences around the next event
  std::vector<std::unordered_map<std::string, int>> lines_;  // of their keys
  bool has_key_ = false;  // the innermost map's last pair awaits its value
};

/// Refuses what is not text before yaml-cpp sees it (it reads past such bytes).
void check_text(const std::string& text, const std::string& name) {
  const std::size_t valid = valid_utf8_prefix(text);
  int line = 1;
  int column = 1;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    const bool control = (c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7F;
    if (i >= valid || control) {
      fail_at(name, line, column, "",
              fmt::format("expected text in UTF-8, found the byte 0x{:02x}", c));
    }
    ++column;
    if (c == '\n') {
      ++line;
      column = 1;
    }
  }
}

template <typename T>
bool parse_whole(const std::string& text, T* value) {
  const char* end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, *value);
  return result.ec == std::errc() && result.ptr == end;
}

// --- Units at the end of keys: clock_mhz, bandwidth_gb_per_s, energy_pj_per_byte.

constexpr std::string_view kUnits[] = {
    "hz",  "khz",  "mhz",  "ghz",   "s",       "ms", "us",     "ns",     "ps",  "cycle", "cycles",
    "bit", "bits", "byte", "bytes", "kb",      "mb", "gb",     "kib",    "mib", "gib",   "j",
    "mj",  "uj",   "nj",   "pj",    "fj",      "w",  "mw",     "uw",     "v",   "mv",    "nm",
    "um",  "mm",   "um2",  "mm2",   "percent", "db", "kelvin", "celsius"};

bool is_unit(std::string_view word) {
  return std::find(std::begin(kUnits), std::end(kUnits), word) != std::end(kUnits);
}

struct KeyParts {
  std::string stem;
  std::string unit;  // "mhz", "gb_per_s"; "" if the key has none
};

KeyParts split_unit(const std::string& key) {
  KeyParts parts{key, ""};
  const std::size_t per = key.rfind("_per_");
  std::size_t end = key.size();
  if (per != std::string::npos) end = per;
  const std::size_t start = key.rfind('_', end == 0 ? 0 : end - 1);
  if (start == std::string::npos || start == 0 || start >= end) return parts;
  if (!is_unit(std::string_view(key).substr(start + 1, end - start - 1))) return parts;
  parts.stem = key.substr(0, start);
  parts.unit = key.substr(start + 1);
  return parts;
}

/// The known key that `key` is but for its unit, or "".
std::string same_but_for_unit(const std::string& key, const std::vector<std::string>& known) {
  const KeyParts wrong = split_unit(key);
  for (const std::string& candidate : known) {
    const KeyParts right = split_unit(candidate);
    if (right.stem == wrong.stem && !(right.unit.empty() && wrong.unit.empty())) return candidate;
  }
  return "";
}

std::string unit_note(const std::string& key) {
  const std::string unit = split_unit(key).unit;
  return unit.empty() ? " (without a unit)" : " (the unit is " + unit + ")";
}

std::string unknown_key(const std::string& key, const std::vector<std::string>& known) {
  const std::string message = "unknown key " + in_quotes(key);
  const std::string other = same_but_for_unit(key, known);
  if (!other.empty()) {
    return message + ", expected " + in_quotes(other) + unit_note(other);
  }
  std::string phrase = did_you_mean(key, known);
  if (phrase.empty()) {
    std::string list;
    for (const std::string& candidate : known) list += (list.empty() ? "" : ", ") + candidate;
    phrase = list.empty() ? ", expected no key here" : ", expected one of " + printable(list, 300);
  }
  return message + phrase;
}

std::string one_of(const std::vector<std::string>& allowed) {
  std::string list;
  for (const std::string& word : allowed) list += (list.empty() ? "" : ", ") + in_quotes(word);
  return "one of " + list;
}

}  // namespace

// ---------------------------------------------------------------------------

YamlNode::YamlNode(std::shared_ptr<const Document> document, const Item* item, std::string path)
    : document_(std::move(document)), item_(item), path_(std::move(path)) {}

bool YamlNode::is_map() const { return item_->kind == Kind::kMap; }
bool YamlNode::is_sequence() const { return item_->kind == Kind::kSequence; }
bool YamlNode::is_scalar() const { return item_->kind == Kind::kScalar; }
bool YamlNode::is_null() const { return item_->kind == Kind::kNull; }
const std::string& YamlNode::file() const { return *item_->source; }
int YamlNode::line() const { return item_->line; }
int YamlNode::column() const { return item_->column; }

void YamlNode::fail(const std::string& expectation) const {
  fail_at(*item_->source, item_->line, item_->column, path_, expectation);
}

std::string YamlNode::found() const {
  switch (item_->kind) {
    case Kind::kNull:
      return ", found nothing";
    case Kind::kSequence:
      return ", found a sequence";
    case Kind::kMap:
      return ", found a map";
    case Kind::kScalar:
      break;
  }
  return item_->quoted ? ", found the text " + in_quotes(item_->text)
                       : ", found " + in_quotes(item_->text);
}

YamlNode YamlNode::node(const Item* item, const std::string& step) const {
  const bool element = !step.empty() && step.front() == '[' && is_sequence();
  return {document_, item, path_ + (path_.empty() || element ? "" : ".") + step};
}

void YamlNode::require_map() const {
  if (!is_map()) fail("expected a map" + found());
}

const YamlNode::Item* YamlNode::find(const std::string& key, bool consume) const {
  require_map();
  if (std::find(item_->known.begin(), item_->known.end(), key) == item_->known.end()) {
    item_->known.push_back(key);
  }
  for (const Item::Pair& pair : item_->pairs) {
    if (pair.key != key) continue;
    if (consume) pair.consumed = true;
    return pair.value;
  }
  return nullptr;
}

void YamlNode::fail_missing(const std::string& key) const {
  std::vector<std::string> unread;
  for (const Item::Pair& pair : item_->pairs) {
    if (!pair.consumed) unread.push_back(pair.key);
  }
  std::string message = "expected the key " + in_quotes(key);
  const std::string other_unit = same_but_for_unit(key, unread);
  const std::string meant = other_unit.empty() ? suggest(key, unread) : other_unit;
  if (!other_unit.empty()) message += unit_note(key);
  for (const Item::Pair& pair : item_->pairs) {
    if (pair.key != meant) continue;
    message += fmt::format("; {} has {}",
                           pair.line == 0 ? *pair.source : fmt::format("line {}", pair.line),
                           in_quotes(meant));
    if (other_unit.empty()) message += ", did you mean " + in_quotes(key) + "?";
  }
  fail(message);
}

bool YamlNode::has(const std::string& key) const { return find(key, false) != nullptr; }

std::vector<std::string> YamlNode::keys() const {
  require_map();
  std::vector<std::string> all;
  for (const Item::Pair& pair : item_->pairs) all.push_back(pair.key);
  return all;
}

YamlNode YamlNode::child(const std::string& key) const {
  const Item* item = find(key, true);
  if (item == nullptr) fail_missing(key);
  return node(item, key);
}

std::optional<YamlNode> YamlNode::optional_child(const std::string& key) const {
  const Item* item = find(key, true);
  if (item == nullptr) return std::nullopt;
  return node(item, key);
}

std::vector<YamlNode> YamlNode::sequence(const std::string& key) const {
  return child(key).items();
}

std::int64_t YamlNode::integer(const std::string& key, std::int64_t min, std::int64_t max) const {
  return child(key).as_integer(min, max);
}

std::int64_t YamlNode::integer(const std::string& key, std::int64_t min, std::int64_t max,
                               std::int64_t fallback) const {
  const auto value = optional_child(key);
  return value ? value->as_integer(min, max) : fallback;
}

double YamlNode::number(const std::string& key, double min, double max) const {
  return child(key).as_number(min, max);
}

double YamlNode::number(const std::string& key, double min, double max, double fallback) const {
  const auto value = optional_child(key);
  return value ? value->as_number(min, max) : fallback;
}

std::string YamlNode::text(const std::string& key) const { return child(key).as_text(); }

std::string YamlNode::text(const std::string& key, const std::vector<std::string>& allowed) const {
  return child(key).as_text(allowed);
}

std::string YamlNode::text(const std::string& key, const std::vector<std::string>& allowed,
                           const std::string& fallback) const {
  const auto value = optional_child(key);
  return value ? value->as_text(allowed) : fallback;
}

bool YamlNode::boolean(const std::string& key) const { return child(key).as_boolean(); }

bool YamlNode::boolean(const std::string& key, bool fallback) const {
  const auto value = optional_child(key);
  return value ? value->as_boolean() : fallback;
}

void YamlNode::finish() const {
  if (is_sequence()) {
    for (const YamlNode& element : items()) element.finish();
    return;
  }
  if (!is_map()) return;
  for (const Item::Pair& pair : item_->pairs) {
    if (!pair.consumed) {
      fail_at(*pair.source, pair.line, pair.column, path_, unknown_key(pair.key, item_->known));
    }
    node(pair.value, pair.key).finish();
  }
}

std::size_t YamlNode::size() const {
  if (!is_sequence()) fail("expected a sequence" + found());
  return item_->elements.size();
}

YamlNode YamlNode::at(std::size_t index) const {
  if (index >= size()) {
    throw InvariantError(fmt::format("YamlNode::at: index {} of {} in {}", index, size(), path_));
  }
  return node(item_->elements[index], fmt::format("[{}]", index));
}

std::vector<YamlNode> YamlNode::items() const {
  std::vector<YamlNode> all;
  for (std::size_t i = 0; i < size(); ++i) all.push_back(at(i));
  return all;
}

std::int64_t YamlNode::as_integer(std::int64_t min, std::int64_t max) const {
  std::int64_t value = 0;
  if (!is_scalar() || item_->quoted || !parse_whole(item_->text, &value) || value < min ||
      value > max) {
    const bool any = min == std::numeric_limits<std::int64_t>::min() &&
                     max == std::numeric_limits<std::int64_t>::max();
    fail("expected an integer" + (any ? "" : fmt::format(" in {}..{}", min, max)) + found());
  }
  return value;
}

double YamlNode::as_number(double min, double max) const {
  double value = 0.0;
  if (!is_scalar() || item_->quoted || !parse_whole(item_->text, &value) || !std::isfinite(value) ||
      value < min || value > max) {
    const bool any =
        min == std::numeric_limits<double>::lowest() && max == std::numeric_limits<double>::max();
    fail("expected a number" + (any ? "" : fmt::format(" in {:g}..{:g}", min, max)) + found());
  }
  return value;
}

std::string YamlNode::as_text() const {
  if (!is_scalar()) fail("expected text" + found());
  return item_->text;
}

std::string YamlNode::as_text(const std::vector<std::string>& allowed) const {
  if (!is_scalar()) fail("expected " + one_of(allowed) + found());
  if (std::find(allowed.begin(), allowed.end(), item_->text) == allowed.end()) {
    fail("expected " + one_of(allowed) + found() + did_you_mean(item_->text, allowed));
  }
  return item_->text;
}

bool YamlNode::as_boolean() const {
  const bool yes = is_scalar() && !item_->quoted && item_->text == "true";
  const bool no = is_scalar() && !item_->quoted && item_->text == "false";
  if (!yes && !no) fail("expected true or false" + found());
  return yes;
}

// ---------------------------------------------------------------------------

YamlNode parse_yaml(const std::string& text, const std::string& name) {
  check_text(text, name);
  const auto document = std::make_shared<YamlNode::Document>();
  document->name = std::make_shared<const std::string>(name);
  TreeBuilder builder(document.get());
  // Without the end marker yaml-cpp takes the end of the file for the end of a
  // quoted scalar.
  std::istringstream stream(text + "\n...\n");
  try {
    YAML::Parser parser(stream);
    const bool some = parser.HandleNextDocument(builder);
    if (!some || document->root == nullptr || document->root->kind == Kind::kNull) {
      fail_at(name, 1, 1, "", "expected a map, found an empty file");
    }
    YamlNode::Document rest;
    rest.name = document->name;
    TreeBuilder second(&rest);
    if (parser.HandleNextDocument(second)) {
      const int line = rest.root == nullptr ? document->root->line : rest.root->line;
      fail_at(name, line, 1, "", "expected one document, found another");
    }
  } catch (const YAML::Exception& error) {
    fail_at(name, std::max(error.mark.line, 0) + 1, std::max(error.mark.column, 0) + 1, "",
            "expected valid YAML: " + printable(error.msg, 200));
  }
  return {document, document->root, ""};
}

namespace {

/// Copies trees, of several documents, into one.
class TreeMerger {
 public:
  explicit TreeMerger(YamlNode::Document* into) : into_(into) {}

  /// `over` alone without a `base`, and the other way round.
  const Item* merged(const Item* base, const Item* over) {
    const bool both = base != nullptr && over != nullptr && maps(*base, *over);
    const Item* shown = over == nullptr || (both && over->line == 0) ? base : over;
    Item& item = into_->items.emplace_back();
    item.kind = shown->kind;
    item.source = shown->source;
    item.line = shown->line;
    item.column = shown->column;
    item.text = shown->text;
    item.quoted = shown->quoted;
    for (const Item* element : shown->elements) item.elements.push_back(merged(nullptr, element));
    if (both) {
      for (const Item::Pair& pair : base->pairs) add(item, pair, find(*over, pair.key));
    }
    for (const Item::Pair& pair : (both ? over : shown)->pairs) {
      if (!both || find(*base, pair.key) == nullptr) add(item, pair, nullptr);
    }
    return &item;
  }

 private:
  /// Two maps merge. If the upper one has no line, it is an option that sets one
  /// key: the map still stands where the lower one does.
  static bool maps(const Item& base, const Item& over) {
    return base.kind == Kind::kMap && over.kind == Kind::kMap;
  }

  static const Item::Pair* find(const Item& map, const std::string& key) {
    for (const Item::Pair& pair : map.pairs) {
      if (pair.key == key) return &pair;
    }
    return nullptr;
  }

  void add(Item& map, const Item::Pair& pair, const Item::Pair* over) {
    const bool keeps = over == nullptr || (over->line == 0 && maps(*pair.value, *over->value));
    const Item::Pair& shown = keeps ? pair : *over;
    const Item* value =
        over != nullptr ? merged(pair.value, over->value) : merged(nullptr, pair.value);
    map.pairs.push_back({shown.key, shown.source, shown.line, shown.column, value, false});
  }

  YamlNode::Document* into_;
};

}  // namespace

YamlNode overlaid(const YamlNode& base, const YamlNode& over) {
  const auto document = std::make_shared<YamlNode::Document>();
  document->name = over.item_->source;
  document->root = TreeMerger(document.get()).merged(base.item_, over.item_);
  return {document, document->root, over.path_};
}

YamlNode assigned(const YamlNode& root, const std::string& key, const std::string& value,
                  const std::string& source) {
  root.require_map();
  const auto document = std::make_shared<YamlNode::Document>();
  document->name = std::make_shared<const std::string>(source);
  const auto make = [&](Kind kind) -> Item& {
    Item& item = document->items.emplace_back();
    item.kind = kind;
    item.source = document->name;
    return item;
  };
  Item* map = &make(Kind::kMap);
  document->root = map;
  for (std::size_t begin = 0, dot = 0; dot != std::string::npos; begin = dot + 1) {
    dot = key.find('.', begin);
    const std::string step = key.substr(begin, dot == std::string::npos ? dot : dot - begin);
    if (step.empty()) throw InputError(source + ": expected a key, found " + in_quotes(key));
    Item& below = make(dot == std::string::npos ? Kind::kScalar : Kind::kMap);
    map->pairs.push_back({step, document->name, 0, 0, &below, false});
    map = &below;
  }
  if (!value.empty() && value.front() == '[') {
    const std::size_t first = document->items.size();
    const YamlNode list = parse_yaml(value, source);
    if (!list.is_sequence()) list.fail("expected a list" + list.found());
    map->kind = Kind::kSequence;
    map->elements = TreeMerger(document.get()).merged(nullptr, list.item_)->elements;
    // The places are those in the option's text, which has no lines.
    for (std::size_t i = first; i < document->items.size(); ++i) {
      document->items[i].line = 0;
      for (Item::Pair& pair : document->items[i].pairs) pair.line = 0;
    }
  } else {
    map->text = value;
  }
  return overlaid(root, YamlNode(document, document->root, root.path_));
}

YamlNode read_yaml(const std::string& path) {
  const std::string shown = printable(path, 400);
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    throw InputError(shown, "file", "expected a YAML file, found none");
  }
  if (!S_ISREG(status.st_mode)) throw InputError(shown, "file", "expected a regular file");
  if (static_cast<std::size_t>(status.st_size) > kMaxFileBytes) {
    throw InputError(shown, "file", fmt::format("expected at most {} bytes", kMaxFileBytes));
  }
  std::ifstream stream(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
  if (!stream) throw InputError(shown, "file", "expected a readable file");
  return parse_yaml(text, path);
}

}  // namespace quadrille::app
