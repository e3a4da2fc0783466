#include "app/config/chip_file.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <utility>

#include "app/config/dram_kind_file.h"
#include "app/config/technology_file.h"
#include "app/files/shipped.h"
#include "app/files/suggest.h"
#include "app/files/yaml_reader.h"
#include "model/errors.h"

namespace quadrille::app {
namespace {

namespace fs = std::filesystem;

constexpr const char* kBase = "base";
constexpr const char* kName = "name";
constexpr const char* kDramKind = "dram.kind";

/// The path of the file that `base` names.
std::string base_path(const YamlNode& base) {
  const std::string given = base.as_text();
  const fs::path beside = fs::path(base.file()).parent_path() / given;
  std::error_code error;
  if (fs::is_regular_file(beside, error)) return beside.lexically_normal().string();
  const std::vector<std::string> names = shipped_names("chips");
  if (std::find(names.begin(), names.end(), given) != names.end())
    return find_file(base.file(), "chips", given);
  base.fail(fmt::format("expected a file beside this one or a shipped chip ({}), found {}{}",
                        fmt::join(names, ", "), in_quotes(given), did_you_mean(given, names)));
}

std::string identity(const std::string& path) {
  std::error_code error;
  const fs::path same = fs::weakly_canonical(path, error);
  return error ? path : same.string();
}

/// The file over its base, over the base's base; `files` gets their paths.
YamlNode read_with_bases(const std::string& path, std::vector<std::string>& files) {
  YamlNode root = read_yaml(path);
  files.push_back(path);
  const auto base = root.is_map() ? root.optional_child(kBase) : std::nullopt;
  if (!base) return root;
  const std::string below = base_path(*base);
  for (const std::string& file : files) {
    if (identity(file) == identity(below))
      base->fail(fmt::format("expected another file, found a circle: {} -> {}",
                             fmt::join(files, " -> "), below));
  }
  return overlaid(read_with_bases(below, files), root);
}

bool has_key(const YamlNode& map, const std::string& key) {
  const std::vector<std::string> keys = map.keys();
  return std::find(keys.begin(), keys.end(), key) != keys.end();
}

/// The node of "cim.rows", if it is there. Does not make the key known.
std::optional<YamlNode> find_node(YamlNode node, const std::string& name) {
  for (std::size_t begin = 0, dot = 0; dot != std::string::npos; begin = dot + 1) {
    dot = name.find('.', begin);
    const std::string step = name.substr(begin, dot == std::string::npos ? dot : dot - begin);
    if (!node.is_map() || !has_key(node, step)) return std::nullopt;
    node = node.child(step);
  }
  return node;
}

void refuse_removed(const YamlNode& root, const std::vector<hw::RemovedChipKey>& removed) {
  for (const hw::RemovedChipKey& key : removed) {
    if (const auto node = find_node(root, key.name)) node->fail("no key any more; " + key.instead);
  }
}

hw::KeyOrigin origin_of(const YamlNode& node) {
  return {node.file(),
          node.line() == 0 ? "" : fmt::format("line {}:{}", node.line(), node.column())};
}

hw::ChipKeyValue value_of(const YamlNode& node, const hw::ChipKey& key) {
  using Kind = hw::ChipKey::Kind;
  switch (key.kind) {
    case Kind::kInteger:
      return node.as_integer(static_cast<std::int64_t>(key.least),
                             static_cast<std::int64_t>(key.most));
    case Kind::kReal:
      return node.as_number(key.least, key.most);
    case Kind::kBoolean:
      return node.as_boolean();
    case Kind::kWord:
      return node.as_text(key.words);
    case Kind::kText:
      break;
  }
  return node.as_text();
}

std::optional<YamlNode> node_of(const YamlNode& root, const hw::ChipKey& key) {
  if (key.section().empty())
    return key.required ? root.child(key.name) : root.optional_child(key.name);
  const auto section = root.optional_child(key.section());
  return section ? section->optional_child(key.leaf()) : std::nullopt;
}

/// How far below the command line a key was written: 0 there, 1 in the chip file, 2 in
/// its base, ...
std::size_t depth(const ParsedChip& parsed, const hw::KeyOrigin& origin) {
  if (origin.place.empty()) return 0;
  const auto file = std::find(parsed.files.begin(), parsed.files.end(), origin.source);
  return 1 + static_cast<std::size_t>(file - parsed.files.begin());
}

/// Keys of the kind `plain` that stand below another kind belong to the chip that is
/// the base; above it or beside it nobody could mean them.
void drop_plain_dram(ParsedChip& parsed) {
  const auto kind = parsed.keys.find(kDramKind);
  if (kind == parsed.keys.end()) return;
  const std::string& name = std::get<std::string>(kind->second.value);
  if (name == hw::kPlainDram) return;
  for (const hw::ChipKey& key : hw::chip_keys()) {
    const auto found = key.plain_dram ? parsed.keys.find(key.name) : parsed.keys.end();
    if (found == parsed.keys.end()) continue;
    const hw::KeyOrigin& origin = found->second.origin;
    if (depth(parsed, origin) <= depth(parsed, kind->second.origin)) {
      throw InputError(origin.source, (origin.place.empty() ? "" : origin.place + ", ") + key.name,
                       fmt::format("expected it to be left out, since dram.kind = {} says it "
                                   "(the key belongs to dram.kind = {})",
                                   name, hw::kPlainDram));
    }
    parsed.keys.erase(found);
  }
}

}  // namespace

ChipSource read_chip_source(const std::string& path) {
  std::vector<std::string> files;
  YamlNode root = read_with_bases(path, files);
  const bool based = files.size() > 1;
  if (based && (!has_key(root, kName) || root.child(kName).file() != path)) {
    // The base's name would be untrue of a chip that differs.
    root = assigned(root, kName, fs::path(path).stem().string(), path);
  }
  return {std::move(root), std::move(files)};
}

ParsedChip parse_chip_file(const std::string& path, const std::vector<Override>& overrides,
                           const std::vector<hw::RemovedChipKey>& removed) {
  return parse_chip(read_chip_source(path), overrides, removed);
}

ParsedChip parse_chip(const ChipSource& source, const std::vector<Override>& overrides,
                      const std::vector<hw::RemovedChipKey>& removed) {
  ParsedChip parsed;
  parsed.files = source.files;
  const YamlNode root = with_overrides(source.root, overrides);
  root.optional_child(kBase);
  refuse_removed(root, removed);
  for (const hw::ChipKey& key : hw::chip_keys()) {
    if (const auto node = node_of(root, key))
      parsed.keys[key.name] = {value_of(*node, key), origin_of(*node)};
  }
  root.finish();
  drop_plain_dram(parsed);
  return parsed;
}

hw::ChipConfig resolve(const ParsedChip& parsed) {
  hw::ChipValues chip;
  chip.file = parsed.file();
  std::map<std::string, hw::KeyOrigin> origins;
  for (const auto& [name, key] : parsed.keys) {
    hw::chip_key(name).set(chip, key.value);
    origins[name] = key.origin;
  }
  if (const std::optional<std::string> path = dram_kind_path(parsed))
    chip.dram.figures = read_dram_kind_file(*path);
  return hw::resolve(std::move(chip), origins);
}

hw::ChipConfig read_chip_file(const std::string& path) { return resolve(parse_chip_file(path)); }

std::optional<std::string> dram_kind_path(const ParsedChip& parsed) {
  const auto key = parsed.keys.find(kDramKind);
  if (key == parsed.keys.end()) return std::nullopt;
  const std::string& name = std::get<std::string>(key->second.value);
  if (name == hw::kPlainDram) return std::nullopt;
  return find_dram_kind(name, key->second.origin, parsed.file());
}

std::string technology_path(const ParsedChip& parsed) {
  const auto key = parsed.keys.find("technology");
  if (key == parsed.keys.end()) return find_technology(hw::ChipValues{}.technology, parsed.file());
  const bool in_a_file = !key->second.origin.place.empty();
  return find_technology(std::get<std::string>(key->second.value),
                         in_a_file ? key->second.origin.source : parsed.file());
}

}  // namespace quadrille::app
