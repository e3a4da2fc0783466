// The mapper's programs, judged by the bytes and macros that they touch: every
// command must come after the last writer of what it reads and after every
// user of what it overwrites.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <random>

#include "hw/engines/softmax/softmax_engine.h"
#include "model/errors.h"
#include "testbench/common/operator_graphs.h"

namespace quadrille::hw {
namespace {

struct Touch {
  std::vector<std::uint64_t> reads;   // Scratchpad bytes.
  std::vector<std::uint64_t> writes;  // Scratchpad bytes.
  std::vector<int> macros_read;
  std::vector<int> macros_written;
};

void append(std::vector<std::uint64_t>& bytes, const Stream& stream) {
  for (StreamCursor cursor(stream); !cursor.done(); cursor.advance()) {
    for (int i = 0; i < cursor.bytes(); ++i)
      bytes.push_back(cursor.address() + static_cast<std::uint64_t>(i));
  }
}

std::vector<int> macros_of(const CimRegion& region) {
  std::vector<int> macros;
  for (int i = 0; i < region.macros(); ++i) macros.push_back(region.first_macro + i);
  return macros;
}

class TouchOf {
 public:
  explicit TouchOf(const ChipConfig& config) : config_(config) {}
  Touch operator()(const DmaCopy& copy) const {
    Touch touch;
    auto& bytes = copy.to_scratchpad ? touch.writes : touch.reads;
    for (std::int64_t row = 0; row < copy.rows; ++row) {
      for (std::int64_t i = 0; i < copy.row_bytes; ++i)
        bytes.push_back(copy.scratchpad_address +
                        static_cast<std::uint64_t>(row * copy.scratchpad_pitch_bytes + i));
    }
    return touch;
  }
  Touch operator()(const CimWrite& operation) const {
    Touch touch;
    append(touch.reads, input_stream(config_.cim, operation));
    touch.macros_written = macros_of(operation.region);
    return touch;
  }
  Touch operator()(const CimMultiply& operation) const {
    Touch touch = streams(config_.cim, operation);
    touch.macros_read = macros_of(operation.region);
    return touch;
  }
  Touch operator()(const SoftmaxRows& operation) const {
    return streams(config_.softmax, operation);
  }
  Touch operator()(const DamfProject& operation) const { return streams(config_.damf, operation); }
  Touch operator()(const DamfAttend& operation) const { return streams(config_.damf, operation); }
  Touch operator()(const SinkhornScale& operation) const {
    return streams(config_.sinkhorn, operation);
  }
  Touch operator()(const SinkhornApply& operation) const {
    return streams(config_.sinkhorn, operation);
  }
  Touch operator()(const LinearAttend& operation) const {
    return streams(config_.linear, operation);
  }
  Touch operator()(const VectorRequantise& operation) const {
    return streams(config_.vector, operation);
  }
  Touch operator()(const ForeignOperation&) const { return {}; }  // The mapper makes none.

 private:
  template <typename Config, typename Op>
  static Touch streams(const Config& config, const Op& operation) {
    Touch touch;
    append(touch.reads, input_stream(config, operation));
    append(touch.writes, output_stream(config, operation));
    return touch;
  }
  const ChipConfig& config_;
};

// reachable[i][j]: command j has ended before command i starts.
std::vector<std::vector<bool>> order_of(const Program& program) {
  const std::size_t count = program.commands.size();
  std::vector<std::vector<bool>> before(count, std::vector<bool>(count, false));
  std::map<Unit, std::size_t> last_of_unit;
  for (std::size_t i = 0; i < count; ++i) {
    const auto follow = [&](std::size_t j) {
      before[i][j] = true;
      for (std::size_t k = 0; k < j; ++k) {
        if (before[j][k]) before[i][k] = true;
      }
    };
    for (const int j : program.commands[i].depends_on) {
      EXPECT_LT(j, static_cast<int>(i));
      follow(static_cast<std::size_t>(j));
    }
    const Unit unit = unit_of(program.commands[i].operation);
    const auto last = last_of_unit.find(unit);
    if (last != last_of_unit.end()) follow(last->second);
    last_of_unit[unit] = i;
  }
  return before;
}

// Checks one kind of place (byte or macro) for read-after-write,
// write-after-read and write-after-write.
template <typename Place>
class Hazards {
 public:
  explicit Hazards(const std::vector<std::vector<bool>>& before) : before_(before) {}
  void read(std::size_t command, const Place& place) {
    Uses& uses = uses_[place];
    if (uses.writer < 0) {
      ADD_FAILURE() << "command " << command << " reads " << place << ", which nobody wrote";
      return;
    }
    check(command, static_cast<std::size_t>(uses.writer), place, "read after write");
    uses.readers.push_back(command);
  }
  void write(std::size_t command, const Place& place) {
    Uses& uses = uses_[place];
    if (uses.writer >= 0 && static_cast<std::size_t>(uses.writer) != command)
      check(command, static_cast<std::size_t>(uses.writer), place, "write after write");
    for (const std::size_t reader : uses.readers) check(command, reader, place, "write after read");
    uses.writer = static_cast<std::int64_t>(command);
    uses.readers.clear();
  }
  std::int64_t checks() const { return checks_; }

 private:
  struct Uses {
    std::int64_t writer = -1;
    std::vector<std::size_t> readers;
  };
  void check(std::size_t command, std::size_t other, const Place& place, const char* kind) {
    ++checks_;
    if (other != command && !before_[command][other] && ++failures_ < 5)
      ADD_FAILURE() << kind << " at " << place << ": command " << command
                    << " does not wait for command " << other;
  }
  const std::vector<std::vector<bool>>& before_;
  std::map<Place, Uses> uses_;
  std::int64_t checks_ = 0;
  int failures_ = 0;
};

void expect_no_hazard(const ChipConfig& config, const Mapping& mapping) {
  const auto before = order_of(mapping.program);
  Hazards<std::uint64_t> bytes(before);
  Hazards<int> macros(before);
  for (std::size_t i = 0; i < mapping.program.commands.size(); ++i) {
    const Touch touch = std::visit(TouchOf(config), mapping.program.commands[i].operation);
    for (const auto byte : touch.reads) bytes.read(i, byte);
    for (const auto macro : touch.macros_read) macros.read(i, macro);
    for (const auto byte : touch.writes) bytes.write(i, byte);
    for (const auto macro : touch.macros_written) macros.write(i, macro);
    for (const auto macro : touch.macros_written) ASSERT_LT(macro, config.cim.macros);
  }
  EXPECT_GT(bytes.checks(), 0);
  EXPECT_LE(mapping.scratchpad_bytes, config.scratchpad.capacity_bytes);
}

ChipConfig little_chip(const std::function<void(ChipValues&)>& change = [](ChipValues&) {}) {
  ChipValues config;
  config.name = "little";
  config.cim = {24, 32, 16, 8, 8, 16, 16, 16, true};
  config.softmax = {4, 512};
  config.damf = {4, 2, 512, 256};
  config.sinkhorn = {4, 256, 512, 2, 2, true};
  config.linear = {4, 32, 4, 4};
  config.vector = {4};
  config.scratchpad = {64 << 10, 8, 16, 2};
  change(config);
  return resolve(config);
}

LayerProblem layer(int tokens, int width, int heads, int head_width, bool causal,
                   model::Mechanism mechanism) {
  return {tokens, width, heads, head_width, causal, mechanism};
}

TEST(Mapper, LayersHaveNoHazard) {
  const ChipConfig config =
      little_chip([](ChipValues& chip) { chip.scratchpad.capacity_bytes = 256 << 10; });
  for (const auto mechanism : {model::Mechanism::kSoftmax, model::Mechanism::kDamf,
                               model::Mechanism::kSinkhorn, model::Mechanism::kLinear}) {
    for (const int tokens : {1, 7, 33, 70}) {
      for (const int heads : {1, 2, 4}) {
        SCOPED_TRACE(fmt::format("tokens {} heads {} mechanism {}", tokens, heads,
                                 static_cast<int>(mechanism)));
        expect_no_hazard(config, map_attention_layer(config, layer(tokens, 48, heads, 16,
                                                                   tokens % 2 == 1, mechanism)));
      }
    }
  }
}

// Few macros and little memory: strips of K and V, blocks of queries.
TEST(Mapper, CrampedOperatorsHaveNoHazard) {
  const ChipConfig config = little_chip([](ChipValues& chip) { chip.cim.macros = 6; });
  std::mt19937 random(5);
  for (int trial = 0; trial < 12; ++trial) {
    const model::SoftmaxShape shape{
        1 + static_cast<int>(random() % 90), 1 + static_cast<int>(random() % 90),
        1 + static_cast<int>(random() % 40), 1 + static_cast<int>(random() % 70), trial % 2 == 0};
    SCOPED_TRACE(fmt::format("Lq {} Lk {} d {} dv {}", shape.queries, shape.keys, shape.width,
                             shape.value_width));
    expect_no_hazard(config, map_softmax(config, shape, {}));
    expect_no_hazard(config,
                     map_matmul(config, shape.queries, shape.keys, shape.value_width, 8, 8));
    DamfProblem damf;
    damf.tokens = shape.queries;
    damf.model_width = shape.width;
    damf.width = shape.value_width;
    expect_no_hazard(config, map_damf(config, damf));
  }
}

SinkhornProblem sinkhorn_problem(int batch, int rows, int columns, bool causal) {
  SinkhornProblem problem;
  problem.integer.shape = {batch, rows, columns, causal};
  return problem;
}

// Whole, streamed, batched, held, warm, with values and from Q and K.
TEST(Mapper, SinkhornHasNoHazard) {
  const ChipConfig config = little_chip();
  for (const auto& [rows, columns] : {std::pair{1, 1}, {7, 5}, {16, 16}, {33, 20}, {20, 33}}) {
    SCOPED_TRACE(fmt::format("{} x {}", rows, columns));
    SinkhornProblem problem = sinkhorn_problem(1, rows, columns, false);
    expect_no_hazard(config, map_sinkhorn(config, problem));
    problem.warm_columns = problem.warm_rows = true;
    problem.value_width = 5;
    expect_no_hazard(config, map_sinkhorn(config, problem));
    problem.score_width = 12;
    problem.value_bytes = 1;
    expect_no_hazard(config, map_sinkhorn(config, problem));
    problem = sinkhorn_problem(9, rows, columns, false);
    expect_no_hazard(config, map_sinkhorn(config, problem));
  }
  for (const auto form : {model::SinkhornForm::kKernel, model::SinkhornForm::kMatrix}) {
    SinkhornProblem problem = sinkhorn_problem(1, 7, 9, true);
    problem.integer.settings.form = form;
    problem.value_width = 3;
    expect_no_hazard(config, map_sinkhorn(config, problem));
    problem = sinkhorn_problem(40, 4, 4, false);
    problem.integer.settings.form = form;
    expect_no_hazard(config, map_sinkhorn(config, problem));
  }
  expect_no_hazard(config, map_sinkhorn(config, sinkhorn_problem(300, 4, 4, false)));
}

TEST(Mapper, LinearHasNoHazard) {
  const ChipConfig config = little_chip(
      [](ChipValues& chip) { chip.scratchpad.capacity_bytes = 16 << 10; });  // Several pieces.
  for (const auto& [queries, keys] : {std::pair{1, 1}, {5, 40}, {40, 5}, {130, 130}, {300, 170}}) {
    for (const bool causal : {false, true}) {
      for (const int horizon : {-1, 0, 3}) {
        SCOPED_TRACE(fmt::format("Lq {} Lk {} causal {} k {}", queries, keys, causal, horizon));
        LinearProblem problem;
        problem.shape = {queries, keys, 6, 10, causal, horizon};
        problem.sums_wanted = horizon == 0;
        expect_no_hazard(config, map_linear(config, problem));
      }
    }
  }
  model::DamfSettings settings;
  settings.mode = model::DamfMode::kCollapsed;
  expect_no_hazard(config, map_damf_linear(config, 150, 9, settings));
  settings.causal = true;
  expect_no_hazard(config, map_damf_linear(config, 150, 9, settings));
}

// More tokens than a command holds become several commands.
TEST(Mapper, CutsLongOperatorsIntoCommands) {
  const ChipConfig config =
      little_chip([](ChipValues& chip) { chip.scratchpad.capacity_bytes = 16 << 20; });
  constexpr int kTokens = 70000;
  const auto multiplied = [&](const Mapping& mapping) {
    std::int64_t tokens = 0;
    std::int64_t queries = 0;
    for (const Command& command : mapping.program.commands) {
      if (const auto* multiply = std::get_if<CimMultiply>(&command.operation)) {
        EXPECT_LE(multiply->tokens, 65535);
        tokens += multiply->tokens;
      }
      if (const auto* rows = std::get_if<SoftmaxRows>(&command.operation)) {
        EXPECT_NO_THROW(validate(config.softmax, *rows));
        queries += rows->queries;
      }
    }
    return std::pair{tokens, queries};
  };
  for (const bool causal : {false, true}) {
    const Mapping softmax = map_softmax(config, {kTokens, 1, 1, 1, causal}, {});
    EXPECT_EQ(multiplied(softmax), (std::pair<std::int64_t, std::int64_t>{2 * kTokens, kTokens}));
  }
  EXPECT_EQ(multiplied(map_matmul(config, kTokens, 1, 1, 8, 8)),
            (std::pair<std::int64_t, std::int64_t>{kTokens, 0}));
}

TEST(Mapper, RefusesMoreThanADamfCommandHolds) {
  const ChipConfig config = little_chip([](ChipValues& chip) {
    chip.scratchpad.capacity_bytes = 16 << 20;
    chip.damf.max_tokens = chip.damf.max_model_width = 100000;
  });
  EXPECT_NO_THROW(map_damf_attend(config, 4, 65535, {}, {}));
  EXPECT_THROW(map_damf_attend(config, 4, 65536, {}, {}), InputError);
  EXPECT_THROW(map_damf_attend(config, 65536, 4, {}, {}), InputError);
  DamfProblem damf;
  damf.tokens = 4;
  damf.model_width = 65536;
  damf.width = 4;
  EXPECT_THROW(map_damf(config, damf), InputError);
}

// Sums of products have 32 bits: of a head's width, of the keys, of a token's elements.
TEST(Mapper, RefusesProductsThatNoSumHolds) {
  const ChipConfig config = little_chip([](ChipValues& chip) {
    chip.scratchpad.capacity_bytes = 16 << 20;
    chip.cim.macros = 1 << 16;
    chip.softmax.max_keys = 100000;
  });
  EXPECT_NO_THROW(map_softmax(config, {1, 1, 65793, 1, false}, {}));
  EXPECT_THROW(map_softmax(config, {1, 1, 65794, 1, false}, {}), InputError);
  EXPECT_THROW(map_softmax(config, {1, 65794, 1, 1, false}, {}), InputError);
  EXPECT_NO_THROW(map_matmul(config, 1, 65793, 1, 8, 8));
  EXPECT_THROW(map_matmul(config, 1, 65794, 1, 8, 8), InputError);
  SinkhornProblem problem = sinkhorn_problem(1, 2, 2, false);
  problem.score_width = 65794;
  EXPECT_THROW(map_sinkhorn(config, problem), InputError);
}

TEST(Mapper, RefusesWhatDoesNotFit) {
  ChipConfig config = little_chip([](ChipValues& chip) { chip.scratchpad.capacity_bytes = 4096; });
  EXPECT_NO_THROW(map_matmul(config, 64, 128, 128, 8, 8)) << "in parts of the tokens";
  config = little_chip([](ChipValues& chip) { chip.scratchpad.capacity_bytes = 1024; });
  try {
    map_matmul(config, 64, 128, 128, 8, 8);
    ADD_FAILURE() << "a strip of weights takes more";
  } catch (const InputError& refusal) {
    EXPECT_THAT(refusal.what(), testing::AllOf(testing::HasSubstr("scratchpad.capacity_kib"),
                                               testing::HasSubstr("node matmul"),
                                               testing::HasSubstr("KiB would do")));
  }
  config = little_chip([](ChipValues& chip) { chip.cim.macros = 1; });
  EXPECT_THROW(map_matmul(config, 4, 64, 16, 8, 8), InputError);
  config = little_chip();
  EXPECT_THROW(map_sinkhorn(config, sinkhorn_problem(1, 513, 4, false)), InputError);
  EXPECT_THROW(map_sinkhorn(config, sinkhorn_problem(1, 512, 1, false)), InputError)
      << "one column is not streamed";
  EXPECT_NO_THROW(map_sinkhorn(config, sinkhorn_problem(1, 512, 2, false)));
  SinkhornProblem held = sinkhorn_problem(1, 20, 20, false);
  held.integer.settings.form = model::SinkhornForm::kMatrix;
  EXPECT_THROW(map_sinkhorn(config, held), InputError) << "400 elements of held K, 128 fit";
  LinearProblem wide;
  wide.shape = {4, 4, 33, 4, false, -1};
  EXPECT_THROW(map_linear(config, wide), InputError);
  wide.shape = {4, 4, 8, 4, false, 5};
  EXPECT_THROW(map_linear(config, wide), InputError);
  model::DamfSettings shift;
  shift.mode = model::DamfMode::kShift;
  EXPECT_THROW(map_damf_linear(config, 8, 4, shift), InputError);
  EXPECT_NO_THROW(
      map_attention_layer(config, layer(8, 48, 2, 24, false, model::Mechanism::kSoftmax)));
}

}  // namespace
}  // namespace quadrille::hw
