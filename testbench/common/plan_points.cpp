#include "testbench/common/plan_points.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "testbench/common/portable_random.h"

namespace quadrille::testbench {
namespace {

std::string section_of(const std::string& key) {
  const auto dot = key.find('.');
  return dot == std::string::npos ? "" : key.substr(0, dot);
}

std::vector<int> divisors(int number) {
  std::vector<int> found;
  for (int divisor = 1; divisor <= number; ++divisor)
    if (number % divisor == 0) found.push_back(divisor);
  return found;
}

std::string shape_text(const std::vector<int>& sides) {
  return fmt::format("[{}]", fmt::join(sides, ", "));
}

}  // namespace

// --- files --------------------------------------------------------------------

void KeyedFile::set(const std::string& key, const std::string& value) {
  for (auto& entry : values_) {
    if (entry.first != key) continue;
    entry.second = value;
    return;
  }
  values_.emplace_back(key, value);
}

void KeyedFile::append(const KeyedFile& other) {
  for (const auto& [key, value] : other.values_) set(key, value);
}

const std::string* KeyedFile::find(const std::string& key) const {
  for (const auto& entry : values_)
    if (entry.first == key) return &entry.second;
  return nullptr;
}

const std::string& KeyedFile::text(const std::string& key) const {
  const std::string* found = find(key);
  if (found == nullptr) throw std::out_of_range("no key " + key);
  return *found;
}

std::string KeyedFile::yaml() const {
  std::string text;
  std::vector<std::string> written;
  for (const auto& [key, value] : values_) {
    const std::string section = section_of(key);
    if (section.empty()) {
      text += key + ": " + value + "\n";
      continue;
    }
    if (std::find(written.begin(), written.end(), section) != written.end()) continue;
    written.push_back(section);
    text += section + ":\n";
    for (const auto& [other, its_value] : values_) {
      if (section_of(other) == section)
        text += "  " + other.substr(section.size() + 1) + ": " + its_value + "\n";
    }
  }
  return text;
}

std::string KeyedFile::line() const {
  std::string text;
  for (const auto& [key, value] : values_) {
    if (key == "name" || key == "kind" || key == "data.seed" || key == "data.source") continue;
    text += (text.empty() ? "" : " ") + key + "=" + value;
  }
  return text;
}

// --- numbers ------------------------------------------------------------------

int PointDraw::size(int least, int most) {
  const double ratio = static_cast<double>(most + 1) / least;
  const double drawn = least * std::pow(ratio, portable_uniform(random_));
  return std::clamp(static_cast<int>(drawn), least, most);
}

int PointDraw::power(int least, int most) {
  int from = 0;
  while ((1 << from) < least) ++from;
  int to = from;
  while ((2 << to) <= most) ++to;
  return 1 << between(from, to);
}

// --- chips --------------------------------------------------------------------

// Lanes of every engine whose beats fit words of so many bytes.
void PointDraw::lanes(KeyedFile& chip, int word_bytes, int least_lanes) {
  const int sums = word_bytes / 4;
  chip.set("softmax.lanes", power(std::min(least_lanes, sums), sums));
  chip.set("damf.lanes", power(std::min(least_lanes, sums), sums));
  chip.set("sinkhorn.lanes", power(std::min(least_lanes, sums), sums));
  chip.set("sinkhorn.value_columns", power(1, sums));
  chip.set("linear.lanes", std::max(2, power(std::min(least_lanes, sums), sums)));
  chip.set("vector.lanes", power(std::min(least_lanes, sums), sums));
}

KeyedFile PointDraw::grid_chip() {
  KeyedFile chip;
  chip.set("name", "drawn");
  chip.set("clock_mhz", 500);
  const int word = any<int>({32, 64, 128, 128, 256});
  const int banks = one_in(4) ? between(2, 100) : power(2, 128);
  chip.set("cim.macros", size(4, 256));
  chip.set("cim.rows", power(32, 512));
  const int columns = power(16, 128);
  chip.set("cim.columns", columns);
  chip.set("cim.input_bytes_per_cycle", power(16, word));
  chip.set("cim.output_bytes_per_cycle", power(16, word));
  chip.set("cim.write_bytes_per_cycle", power(8, std::min(word, columns)));
  chip.set("cim.write_while_compute", !one_in(6));
  lanes(chip, word, 4);
  chip.set("softmax.max_keys", 4096);
  chip.set("damf.query_rows", power(1, 32));
  const int lines = static_cast<int>(chip.number("sinkhorn.lanes"));
  chip.set("sinkhorn.tile_elements", 2 * lines * lines * power(2, 16));
  chip.set("sinkhorn.log_units", std::min(lines, power(1, 16)));
  chip.set("sinkhorn.skewed", !one_in(5));
  chip.set("linear.max_width", 256);
  chip.set("linear.chunk_tokens", power(2, 32));
  // Whole words in every bank, also with twice the banks, in whole KiB.
  std::int64_t step = 1;
  while (step * 1024 % (std::int64_t{2} * banks * word) != 0) ++step;
  const std::int64_t wanted = size(256, 65536);
  chip.set("scratchpad.capacity_kib", std::max<std::int64_t>(1, (wanted + step - 1) / step) * step);
  chip.set("scratchpad.banks", banks);
  chip.set("scratchpad.word_bytes", word);
  chip.set("scratchpad.read_latency_cycles", between(1, 4));
  chip.set("dram.burst_bytes", power(32, 128));
  chip.set("dram.burst_cycles", size(1, 32));
  chip.set("dram.row_bytes", power(1024, 8192));
  chip.set("dram.banks", power(2, 16));
  chip.set("dma.outstanding_bursts", size(1, 64));
  return chip;
}

KeyedFile PointDraw::short_chip() {
  KeyedFile chip;
  chip.set("name", "drawn");
  chip.set("clock_mhz", 500);
  const int word = power(16, 256);
  const int banks = size(1, 40);
  const int rows = one_in(2) ? between(1, 40) : power(4, 64);
  const int columns = one_in(2) ? between(1, 24) : power(2, 64);
  chip.set("cim.macros", size(1, 64));
  chip.set("cim.rows", rows);
  chip.set("cim.columns", columns);
  chip.set("cim.weight_bits", one_in(16) ? between(4, 8) : 8);
  chip.set("cim.input_bits", one_in(16) ? between(4, 8) : 8);
  chip.set("cim.input_bytes_per_cycle", power(4, word));
  chip.set("cim.output_bytes_per_cycle", power(4, word));
  int granule = power(1, word);
  while (columns % granule != 0) granule /= 2;
  chip.set("cim.write_bytes_per_cycle", granule);
  chip.set("cim.write_while_compute", !one_in(4));
  lanes(chip, word, 1);
  if (one_in(4) && banks >= 4) {
    // Results as wide as several words.
    chip.set("damf.lanes", power(1, std::min(word, 64)));
    chip.set("linear.lanes", std::max(2, power(2, std::min(word, 64))));
  }
  chip.set("softmax.max_keys", size(16, 512));
  chip.set("damf.query_rows", size(1, 16));
  chip.set("damf.max_tokens", size(16, 512));
  chip.set("damf.max_model_width", size(16, 512));
  const int lines = static_cast<int>(chip.number("sinkhorn.lanes"));
  chip.set("sinkhorn.tile_elements", 2 * lines * lines * size(1, 16));
  chip.set("sinkhorn.max_lines", std::max(lines, size(16, 512)));
  chip.set("sinkhorn.log_units", between(1, lines));
  chip.set("sinkhorn.skewed", !one_in(3));
  chip.set("linear.max_width", size(8, 128));
  chip.set("linear.chunk_tokens", size(1, 32));
  chip.set("linear.max_horizon", size(1, 16));
  std::int64_t step = 1;
  while (step * 1024 % (std::int64_t{banks} * word) != 0) ++step;
  const std::int64_t wanted = size(1, 512);
  chip.set("scratchpad.capacity_kib", std::max<std::int64_t>(1, (wanted + step - 1) / step) * step);
  chip.set("scratchpad.banks", banks);
  chip.set("scratchpad.word_bytes", word);
  const int latency = between(1, 5);
  chip.set("scratchpad.read_latency_cycles", latency);
  chip.set("scratchpad.reader_fifo_words", latency + between(1, 8));
  chip.set("scratchpad.writer_fifo_words", between(2, 6));
  const int burst = power(16, 512);
  chip.set("dram.capacity_mib", size(1, 64));
  chip.set("dram.burst_bytes", burst);
  chip.set("dram.burst_cycles", size(1, 16));
  chip.set("dram.row_bytes", burst * power(1, 32));
  chip.set("dram.banks", size(1, 16));
  chip.set("dram.row_hit_latency_cycles", size(1, 30));
  chip.set("dram.row_miss_latency_cycles", between(0, 30));
  chip.set("dma.outstanding_bursts", size(1, 32));
  return chip;
}

// --- workloads ----------------------------------------------------------------

int PointDraw::width(bool small) {
  static const std::vector<int> usual = {15, 16, 24, 32, 48, 64, 64, 72, 80, 96, 128};
  if (small) return size(1, 24);
  return one_in(5) ? size(1, 160) : any(usual);
}

void PointDraw::damf_settings(KeyedFile& file, const std::string& section, bool collapsed_only) {
  const auto key = [&](const char* name) { return section + "." + name; };
  file.set(key("mode"), collapsed_only
                            ? "collapsed"
                            : any<std::string>({"maclaurin", "shift", "collapsed"}).c_str());
  if (one_in(2)) file.set(key("amax"), any<std::string>({"global", "row", "abs"}));
  if (!collapsed_only && one_in(3)) file.set(key("negative"), "clamp");
  if (file.text(key("mode")) == "shift") {
    file.set(key("rounding"), any<std::string>({"linear", "log", "floor"}));
    if (one_in(2)) file.set(key("shift_order"), "each");
  }
}

KeyedFile PointDraw::layer(int tokens, bool small) {
  KeyedFile file;
  file.set("name", "drawn");
  file.set("kind", "attention-layer");
  const std::string mechanism = any<std::string>({"softmax", "damf", "sinkhorn", "linear"});
  file.set("mechanism", mechanism);
  file.set("tokens", tokens);
  const int head_width = width(small);
  const int heads = small ? size(1, 4) : size(1, 12);
  file.set("model_width", one_in(2) ? head_width * heads : small ? size(1, 48) : size(8, 1024));
  file.set("heads", heads);
  file.set("head_width", head_width);
  file.set("causal", one_in(2));
  if (one_in(5)) file.set("batch", between(2, 3));
  if (file.text("causal") == "true" && one_in(3)) file.set("causal_align", "end");
  if (mechanism == "damf") {
    const bool on_linear = one_in(4);
    damf_settings(file, "damf", on_linear);
    if (on_linear) file.set("damf.engine", "linear");
    return file;
  }
  if (one_in(5)) file.set("key_tokens", size(1, small ? 48 : 2048));
  if (one_in(4)) file.set("key_heads", any(divisors(heads)));
  if (mechanism == "sinkhorn") layer_sinkhorn(file, small);
  if (mechanism == "linear" && one_in(3)) {
    file.set("linear.relative_positions", true);
    file.set("linear.horizon", below(small ? 4 : 16));
  }
  return file;
}

void PointDraw::layer_sinkhorn(KeyedFile& file, bool small) {
  const int iterations = between(1, small ? 6 : 21);
  file.set("sinkhorn.iterations", iterations);
  if (one_in(6)) {
    file.set("sinkhorn.form", "matrix");
    file.set("sinkhorn.epsilon", 4);
  } else if (one_in(3)) {
    file.set("sinkhorn.update", "damped");
  }
  if (one_in(4)) {
    file.set("sinkhorn.tolerance", "0.01");
    file.set("sinkhorn.assumed_half_steps", between(1, iterations));
  }
}

// Tensors of one head, or of a batch of heads, of which some share their keys.
void PointDraw::attention_shapes(KeyedFile& file, std::vector<int> q, std::vector<int> k,
                                 std::vector<int> v) {
  if (one_in(3)) {
    const int batch = between(1, 2);
    const int heads = between(1, 4);
    const int key_heads = any(divisors(heads));
    q.insert(q.begin(), {batch, heads});
    k.insert(k.begin(), {batch, key_heads});
    v.insert(v.begin(), {batch, key_heads});
  }
  file.set("shapes.Q", shape_text(q));
  file.set("shapes.K", shape_text(k));
  file.set("shapes.V", shape_text(v));
}

KeyedFile PointDraw::softmax(int tokens, bool small) {
  KeyedFile file;
  const int d = width(small);
  const int keys = one_in(2) ? tokens : size(1, small ? 48 : 2048);
  file.set("settings.causal", one_in(2));
  if (one_in(4)) file.set("settings.causal_align", "end");
  attention_shapes(file, {tokens, d}, {keys, d}, {keys, width(small)});
  return file;
}

KeyedFile PointDraw::damf(int tokens, bool small) {
  KeyedFile file;
  const int h = width(small);
  const bool from_scores = one_in(2);
  const bool on_linear = from_scores && one_in(3);
  damf_settings(file, "settings", on_linear);
  if (on_linear) file.set("settings.engine", "linear");
  file.set("settings.causal", one_in(2));
  if (from_scores) {
    file.set("shapes.s", shape_text({tokens}));
    file.set("shapes.t", shape_text({tokens}));
    file.set("shapes.V", shape_text({tokens, h}));
    return file;
  }
  const int model_width = small ? size(1, 48) : size(8, 1024);
  file.set("shapes.X", shape_text({tokens, model_width}));
  for (const char* weights : {"WQ", "WK", "WV"})
    file.set(std::string("shapes.") + weights, shape_text({model_width, h}));
  return file;
}

KeyedFile PointDraw::sinkhorn(int tokens, bool small) {
  KeyedFile file;
  const int most = small ? 40 : 1024;
  const int rows = std::min(tokens, most);
  const int columns = one_in(2) ? rows : size(1, most);
  const int iterations = between(1, small ? 8 : 21);
  file.set("settings.iterations", iterations);
  const int form = below(6);
  if (form == 1) file.set("settings.hold", "kernel");
  if (form == 2) file.set("settings.form", "matrix");
  const bool held = form == 1 || form == 2;
  const bool damped = !held && one_in(3);
  if (damped) file.set("settings.update", "damped");
  if (columns <= rows && one_in(3)) file.set("settings.causal", true);
  if (one_in(3)) {
    file.set("settings.tolerance", "0.01");
    file.set("assumed_half_steps", between(1, iterations));
  }
  if (held) file.set("settings.epsilon", "4");
  if (one_in(3)) {
    const int batch = small ? size(1, 40) : size(1, 200);
    const int side = small ? 12 : 48;
    file.set("shapes.C", shape_text({batch, std::min(rows, side), std::min(columns, side)}));
    return file;
  }
  if (one_in(2)) {
    const int d = width(small);
    file.set("shapes.Q", shape_text({rows, d}));
    file.set("shapes.K", shape_text({columns, d}));
  } else {
    file.set("shapes.C", shape_text({rows, columns}));
  }
  if (one_in(2)) file.set("shapes.V", shape_text({columns, width(small)}));
  if (!held && one_in(4)) {
    file.set("shapes.c0", shape_text({columns}));
    if (damped && one_in(2)) file.set("shapes.r0", shape_text({rows}));
  }
  return file;
}

KeyedFile PointDraw::linear(int tokens, bool small) {
  KeyedFile file;
  const int d = width(small);
  const int keys = one_in(2) ? tokens : size(1, small ? 48 : 2048);
  file.set("settings.causal", one_in(2));
  if (one_in(4)) file.set("settings.causal_align", "end");
  attention_shapes(file, {tokens, d}, {keys, d}, {keys, width(small)});
  if (one_in(3)) file.set("shapes.RP", shape_text({2 * below(small ? 4 : 16) + 1, d}));
  return file;
}

KeyedFile PointDraw::matmul(int tokens, bool small) {
  KeyedFile file;
  const int k = small ? size(1, 64) : size(1, 2048);
  const int n = small ? size(1, 64) : size(1, 2048);
  if (one_in(3)) file.set("settings.input_bits", between(1, 8));
  if (one_in(3)) file.set("settings.weight_bits", between(1, 8));
  file.set("shapes.X", shape_text({tokens, k}));
  file.set("shapes.W", shape_text({k, n}));
  return file;
}

KeyedFile PointDraw::workload(int tokens, bool small) {
  using Make = KeyedFile (PointDraw::*)(int, bool);
  static const std::vector<std::pair<const char*, Make>> operators = {
      {"softmax", &PointDraw::softmax},   {"damf", &PointDraw::damf},
      {"sinkhorn", &PointDraw::sinkhorn}, {"linear", &PointDraw::linear},
      {"matmul", &PointDraw::matmul},
  };
  KeyedFile file;
  if (one_in(2)) {
    file = layer(tokens, small);
  } else {
    const auto& [name, make] = any(operators);
    file.set("name", "drawn");
    file.set("kind", "operator");
    file.set("operator", name);
    file.append((this->*make)(tokens, small));
  }
  file.set("data.source", "random");
  file.set("data.seed", between(1, 1000));
  return file;
}

PlanPoint PointDraw::grid_point() {
  const int tokens = one_in(3) ? size(1, 48) : size(1, 2048);
  PlanPoint point;
  point.chip = grid_chip();
  point.workload = workload(tokens, false);
  return point;
}

PlanPoint PointDraw::short_point() {
  PlanPoint point;
  point.chip = short_chip();
  point.workload = workload(size(1, one_in(8) ? 200 : 48), true);
  return point;
}

}  // namespace quadrille::testbench
