#include "app/config/dram_kind_file.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "app/config/technology_file.h"
#include "app/files/shipped.h"
#include "app/files/suggest.h"
#include "app/files/yaml_reader.h"
#include "model/errors.h"

namespace quadrille::app {
namespace {

double read_figure(const YamlNode& root, const hw::DramKindKey& key) {
  const YamlNode figure = root.child(key.name);
  figure.text("source");
  figure.text("tag", source_tags());
  if (!key.whole) return figure.number("value", key.least, key.most);
  return static_cast<double>(figure.integer("value", static_cast<std::int64_t>(key.least),
                                            static_cast<std::int64_t>(key.most)));
}

void check_bytes(const YamlNode& root, const hw::DramKind& kind) {
  const double burst = kind.burst_bytes();
  if (burst < 16 || burst > 4096 || std::exp2(std::floor(std::log2(burst))) != burst) {
    root.child("burst_length")
        .fail(fmt::format("expected bursts of a power of two in 16..4096 bytes, found {} "
                          "transfers of {} bits = {} bytes",
                          kind.burst_length, kind.width_bits, burst));
  }
  if (std::fmod(kind.row_bytes, burst) != 0.0) {
    root.child("row_bytes")
        .fail(fmt::format("expected whole bursts of {} bytes, found {}", burst, kind.row_bytes));
  }
}

/// Whatever a burst waits for, it must end before the next refresh.
void check_refresh(const YamlNode& root, const hw::DramKind& kind) {
  if (kind.refresh_interval_ns == 0.0) return;
  const double busy = kind.precharge_ns + kind.refresh_ns + kind.activate_to_activate_ns +
                      kind.activate_to_column_ns + kind.read_latency_ns + kind.write_latency_ns +
                      kind.write_to_read_ns + kind.read_to_write_ns +
                      1e3 * kind.burst_length / kind.data_rate_mtps;
  if (kind.refresh_interval_ns > 2.0 * busy) return;
  root.child("refresh_interval_ns")
      .fail(fmt::format("expected more than {:.6g}, twice what a refresh and a burst behind it "
                        "take, found {:.6g}",
                        2.0 * busy, kind.refresh_interval_ns));
}

}  // namespace

hw::DramKind read_dram_kind_file(const std::string& path) {
  const YamlNode root = read_yaml(path);
  hw::DramKind kind;
  kind.name = root.text("name");
  for (const hw::DramKindKey& key : hw::dram_kind_keys()) kind.*key.value = read_figure(root, key);
  root.finish();
  check_bytes(root, kind);
  check_refresh(root, kind);
  return kind;
}

std::string find_dram_kind(const std::string& name, const hw::KeyOrigin& origin,
                           const std::string& chip_path) {
  const std::string& from = origin.place.empty() ? chip_path : origin.source;
  const auto beside = std::filesystem::path(from).parent_path() / name;
  std::error_code error;
  if (std::filesystem::is_regular_file(beside, error)) return beside.string();
  std::vector<std::string> known = shipped_names(kDramKindFolder);
  if (std::find(known.begin(), known.end(), name) != known.end())
    return find_file("dram.kind", kDramKindFolder, name);
  known.insert(known.begin(), hw::kPlainDram);
  throw InputError(origin.source, (origin.place.empty() ? "" : origin.place + ", ") + "dram.kind",
                   fmt::format("expected a file beside the chip's or one of {}, found {}{}",
                               fmt::join(known, ", "), in_quotes(name), did_you_mean(name, known)));
}

}  // namespace quadrille::app
