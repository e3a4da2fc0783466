// The planner: emits the program of a graph for several sets of choices, in the
// order in which its steps could start, and keeps the one that ends first.
#include <algorithm>
#include <limits>
#include <numeric>
#include <optional>
#include <vector>

#include "hw/mapper/mapping.h"
#include "hw/mapper/operators/scores.h"
#include "hw/mapper/operators/stage.h"
#include "hw/mapper/placement.h"
#include "model/errors.h"

namespace quadrille::hw {
namespace {

/// What a cycle of the run is worth, and a token that passes by a macro, in cycles in
/// which a unit works.
constexpr std::int64_t kCycle = 64;
constexpr std::int64_t kMacroToken = 2;
/// Commands that the search from one start emits at most: beyond, the best so far is
/// kept.
constexpr std::int64_t kMostSearched = 300'000;
/// A plan that takes at most this much more than its busiest unit is good enough.
constexpr std::int64_t kGoodEnoughShare = 200;
/// From so many commands on, finer blocks must pay.
constexpr std::int64_t kManyCommands = 1024;
/// Blocks that a start and a remedy try at most, with projections and without.
constexpr std::size_t kMostStarts = 3;
constexpr std::int64_t kMostBlocks = 64;
constexpr std::int64_t kMostOperatorBlocks = 4096;
constexpr std::int64_t kInfeasible = std::numeric_limits<std::int64_t>::max();

std::unique_ptr<Stage> make_stage(Workspace& workspace, const model::IntegerGraph& graph,
                                  const StageGrant& grant) {
  const model::Operator& op = graph.graph.nodes[static_cast<std::size_t>(grant.node)].op;
  if (std::holds_alternative<model::SoftmaxAttention>(op))
    return make_softmax_stage(workspace, graph, grant);
  if (const auto* damf = std::get_if<model::DamfAttention>(&op)) {
    return damf->engine == model::DamfEngineChoice::kLinear
               ? make_linear_attention_stage(workspace, graph, grant)
               : make_damf_stage(workspace, graph, grant);
  }
  if (std::holds_alternative<model::LinearAttention>(op))
    return make_linear_attention_stage(workspace, graph, grant);
  return make_sinkhorn_stage(workspace, graph, grant);
}

bool is_projection(const model::Operator& op) {
  return std::holds_alternative<model::Linear>(op) ||
         std::holds_alternative<model::DamfProject>(op);
}

/// How the macros are shared: those behind the weights' are K's and V's.
struct Shares {
  MacroRange weights, heads;
};

Shares share_macros(const ChipConfig& config, const model::Graph& graph, const Choices& choices) {
  int wanted = 0, least = 0, node = 0;
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    wanted = std::max(wanted, attention_macros(config, graph, graph.nodes[i], choices));
    const int needed = least_attention_macros(config, graph, graph.nodes[i]);
    if (needed > least) node = static_cast<int>(i);
    least = std::max(least, needed);
  }
  const int macros = config.cim.macros;
  const int weights = Projections::least_macros(config, graph);
  if (least + weights > macros)
    throw DoesNotFit{
        node, least == 0 ? "a strip of weights" : "K and V of a head beside a strip of weights",
        least + weights, macros, DoesNotFit::Resource::kMacros};
  int heads = wanted;
  if (weights == 0) {
    heads = macros;
  } else if (choices.copies == 0) {
    heads = std::max(least, std::min(wanted, macros - 2 * weights * choices.strip_tiles));
  } else if (heads > macros - weights) {
    throw DoesNotFit{node, "whole copies of K and V", heads + weights, macros,
                     DoesNotFit::Resource::kMacros};
  }
  return {{0, macros - heads}, {macros - heads, heads}};
}

/// One program by one set of choices. Throws DoesNotFit.
class Emission {
 public:
  Emission(const ChipConfig& config, const model::IntegerGraph& graph, const Choices& choices,
           const CommandCost& cost, bool keep)
      : workspace_(config, graph.graph, cost, keep), choices_(choices) {
    place_tensors(workspace_, choices);
    const Shares shares = share_macros(config, graph.graph, choices);
    projections_ = std::make_unique<Projections>(workspace_, graph, choices, shares.weights);
    for (std::size_t i = 0; i < graph.graph.nodes.size(); ++i) {
      if (is_projection(graph.graph.nodes[i].op)) continue;
      nodes_.push_back(&graph.graph.nodes[i]);
      stages_.push_back(
          make_stage(workspace_, graph, {static_cast<int>(i), shares.heads, choices}));
    }
    if (!choices.heads_first) return;
    // What the heads write into is there before projections take the memory.
    for (const model::Node* node : nodes_) {
      const model::TensorId out = node->output(0);
      if (out != model::kAbsent && workspace_.home(out).place == Place::kRows)
        workspace_.open(out, 0);
    }
  }

  void run(std::int64_t give_up) {
    while (!projections_->done() || stage_ < stages_.size()) {
      projections_->prefetch();
      step();
      if (price() > give_up) return;
    }
  }

  /// Cycles, and a little for every cycle in which a unit works and every MAC: of plans
  /// that end together the one that does less is better.
  std::int64_t price() {
    const Emitter& emit = workspace_.emit();
    return emit.cycles() * kCycle + emit.busy_cycles() + emit.macro_tokens() * kMacroToken;
  }
  const Emitter& emitter() { return workspace_.emit(); }
  Mapping finish() { return workspace_.finish(); }

 private:
  void step() {
    constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();
    Stage* stage = stage_ < stages_.size() && stage_may_begin() ? stages_[stage_].get() : nullptr;
    const std::int64_t stage_at = stage != nullptr && stage->ready() ? stage->starts_at() : kNever;
    const std::int64_t write_at = projections_->can_write() ? projections_->write_at() : kNever;
    const std::int64_t multiply_at =
        projections_->can_multiply() ? projections_->multiply_at() : kNever;
    if (stage_at != kNever && stage_at <= std::min(write_at, multiply_at)) {
      stage->step();
      if (stage->done()) ++stage_;
    } else if (write_at != kNever && write_at <= multiply_at) {
      projections_->write();
    } else if (multiply_at != kNever) {
      projections_->multiply();
    } else {
      throw stage != nullptr && stage->blocked().node >= 0 ? stage->blocked()
                                                           : projections_->blocked();
    }
  }

  /// By phases: all that a node reads is made before it takes its memory.
  bool stage_may_begin() const {
    if (choices_.heads_first) return true;
    for (const model::TensorId id : nodes_[stage_]->inputs) {
      if (id != model::kAbsent && !workspace_.complete(id, -1)) return false;
    }
    return true;
  }

  Workspace workspace_;
  Choices choices_;
  std::unique_ptr<Projections> projections_;
  std::vector<const model::Node*> nodes_;
  std::vector<std::unique_ptr<Stage>> stages_;
  std::size_t stage_ = 0;
};

/// What a graph's nodes can be told to do differently.
struct Freedom {
  std::int64_t tokens = 1;   ///< Most rows of a projection's input.
  std::int64_t queries = 1;  ///< Most queries of a head.
  bool projections = false;
  bool heads = false;
  bool causal = false;   ///< Masked blocks can be left out.
  bool macros = false;   ///< An attention uses the CIM bank.
  bool between = false;  ///< Values between projections and heads.
};

/// Queries of a head, or what else its blocks are parts of: pairs, matrices, rows.
std::int64_t tokens_of(const model::Graph& graph, const model::Node& node) {
  const auto rows = [&](const model::Heads& heads, std::size_t slot) {
    return query_grid(heads, graph.tensor(node.input(slot))).rows;
  };
  if (const auto* op = std::get_if<model::SoftmaxAttention>(&node.op)) return rows(op->heads, 0);
  if (const auto* op = std::get_if<model::SinkhornAttention>(&node.op)) return rows(op->heads, 0);
  if (const auto* op = std::get_if<model::DamfAttention>(&node.op)) return rows(op->heads, 1);
  if (const auto* op = std::get_if<model::LinearAttention>(&node.op))
    return std::max(rows(op->heads, 0), key_grid(op->heads, graph.tensor(node.input(1))).rows);
  const auto* sinkhorn = std::get_if<model::Sinkhorn>(&node.op);
  return sinkhorn == nullptr ? 1 : std::max(sinkhorn->shape.batch, sinkhorn->shape.rows);
}

Freedom freedom_of(const ChipConfig& config, const model::Graph& graph) {
  Freedom freedom;
  for (const model::Node& node : graph.nodes) {
    if (is_projection(node.op)) {
      freedom.projections = true;
      freedom.tokens = std::max(freedom.tokens, graph.tensor(node.input(0)).rows);
      continue;
    }
    freedom.heads = true;
    freedom.queries = std::max(freedom.queries, tokens_of(graph, node));
    freedom.macros = freedom.macros || least_attention_macros(config, graph, node) > 0;
    const auto* softmax = std::get_if<model::SoftmaxAttention>(&node.op);
    freedom.causal = freedom.causal || (softmax != nullptr && softmax->causal);
  }
  freedom.between = freedom.projections && freedom.heads;
  return freedom;
}

class Planner {
 public:
  Planner(const ChipConfig& config, const model::IntegerGraph& graph)
      : config_(config), graph_(graph), cost_(config), freedom_(freedom_of(config, graph.graph)) {
    for (const model::Node& node : graph.graph.nodes) check_limits(config, graph.graph, node);
  }

  Mapping plan() {
    Choices best;
    std::int64_t cycles = kInfeasible;
    for (const Start& start : starts_by_price()) {
      // The cheapest comes first; what costs much more than it ends up at seldom gets below.
      if (cycles != kInfeasible && start.price - start.price / 5 > cycles) break;
      restart();
      consider(start.choices);
      for (std::int64_t before = kInfeasible; best_price_ < before && worth_it();) {
        before = best_price_;
        descend();
      }
      if (best_price_ < cycles) best = best_;
      cycles = std::min(cycles, best_price_);
    }
    return emit(best);
  }

  void restart() {
    best_price_ = kInfeasible;
    good_ = false;
    searched_ = 0;
    tried_.clear();
  }

  Mapping least() {
    const Choices choices = least_choices();
    try {
      return emit(choices);
    } catch (const DoesNotFit& missing) {
      refuse(missing);
    }
  }

 private:
  Mapping emit(const Choices& choices) {
    Emission emission(config_, graph_, choices, cost_, true);
    emission.run(kInfeasible - 1);
    return emission.finish();
  }

  /// The price of these choices, or more than the best's.
  std::int64_t consider(const Choices& choices) {
    for (const auto& [tried, price] : tried_) {
      if (tried == choices) return price;
    }
    std::int64_t price = kInfeasible;
    try {
      Emission emission(config_, graph_, choices, cost_, false);
      emission.run(best_price_ == kInfeasible ? kInfeasible - 1 : best_price_);
      price = emission.price();
      const Emitter& emit = emission.emitter();
      commands_ = emit.command_count();
      searched_ += commands_;
      if (price < best_price_) {
        best_price_ = price;
        best_ = choices;
        good_ = emit.cycles() - emit.busiest_cycles() <= emit.cycles() / kGoodEnoughShare;
      }
    } catch (const DoesNotFit& missing) {
      missing_ = missing;
    }
    tried_.emplace_back(choices, price);
    return price;
  }

  /// The search may go on.
  bool worth_it() const { return !good_ && searched_ < kMostSearched; }

  Choices least_choices(std::int64_t most = std::numeric_limits<int>::max()) const {
    Choices least;
    least.strip_tiles = 1;
    least.token_blocks = least.input_blocks = static_cast<int>(std::min(most, freedom_.tokens));
    least.strips_ahead = least.sums_blocks = least.scratch_blocks = 1;
    least.heads_first = least.hold_heads = least.keep_heads = least.keep_attention = false;
    least.query_blocks = static_cast<int>(std::min(most, freedom_.queries));
    least.copies = 0;
    return least;
  }

  /// Where the search begins, and what that costs.
  struct Start {
    Choices choices;
    std::int64_t price = kInfeasible;
  };

  std::vector<Start> starts_by_price() {
    std::vector<Start> starts = find_starts();
    std::stable_sort(starts.begin(), starts.end(),
                     [](const Start& a, const Start& b) { return a.price < b.price; });
    if (starts.size() > kMostStarts) starts.resize(kMostStarts);
    return starts;
  }

  // From everything in the scratchpad down to everything spilled; of each kind those with
  // the fewest blocks that fit, and with every weight fetched once.
  std::vector<Start> find_starts() {
    std::vector<Start> starts;
    for (const int copies : {2, 1, 0}) {
      for (int spill = 0; spill < (freedom_.between ? 3 : 1); ++spill) {
        for (const int tiles : {4, 1}) {
          const auto start = start_with(copies, spill, tiles);
          if (!start) continue;
          starts.push_back({*start, best_price_});
          // Nothing is gained by spilling what has room without any blocks.
          if (copies == 2 && tiles > 1 && start->token_blocks == 1 && start->keep_attention)
            return starts;
          // The same with every weight fetched once, and smaller blocks for it.
          if (start->input_blocks == 1) continue;
          Choices once = *start;
          once.input_blocks = 1;
          once.query_blocks *= 4;
          restart();
          if (consider(once) != kInfeasible) starts.push_back({once, best_price_});
        }
      }
      if (!freedom_.macros) break;
    }
    if (!starts.empty()) return starts;
    for (const Choices& least : {least_choices(kMostBlocks), least_choices()}) {
      restart();
      if (consider(least) != kInfeasible) return {{least, best_price_}};
    }
    refuse(missing_);
  }

  std::optional<Choices> start_with(int copies, int spill, int tiles) {
    const std::int64_t most = std::min(freedom_.projections ? kMostBlocks : kMostOperatorBlocks,
                                       std::max(freedom_.tokens, freedom_.queries));
    std::pair<std::int64_t, std::int64_t> lacking{-1, -1};
    for (std::int64_t blocks = 1; blocks <= most; blocks *= 4) {
      Choices start;
      start.copies = copies;
      start.strip_tiles = tiles;
      start.keep_attention = spill < 1;
      start.keep_heads = start.heads_first = spill < 2;
      start.query_blocks =
          static_cast<int>(std::min(4 * blocks, std::max<std::int64_t>(4, freedom_.queries)));
      start.token_blocks = static_cast<int>(blocks);
      start.input_blocks = spill < 2 && freedom_.between ? 1 : static_cast<int>(blocks);
      restart();
      if (consider(start) != kInfeasible) return start;
      // More blocks do not help where what is missing stays as large.
      if (missing_.resource != DoesNotFit::Resource::kScratchpad ||
          std::pair{missing_.needed, missing_.there} == lacking)
        break;
      lacking = {missing_.needed, missing_.there};
    }
    return std::nullopt;
  }

  template <typename Member>
  void try_values(Member Choices::*member, std::initializer_list<Member> values) {
    const Choices from = best_;
    for (const Member value : values) {
      if (value == from.*member) continue;
      Choices choices = from;
      choices.*member = value;
      if (worth_it()) consider(choices);
    }
  }
  /// Doubles and halves as long as that does not harm.
  void try_scaled(int Choices::*member, std::int64_t most) {
    const Choices from = best_;
    for (const bool up : {false, true}) {
      Choices choices = from;
      std::int64_t before = best_price_;
      while (worth_it()) {
        const std::int64_t next = up ? std::int64_t{2} * (choices.*member) : choices.*member / 2;
        if (next < 1 || next > most) break;
        choices.*member = static_cast<int>(next);
        const std::int64_t cycles = consider(choices);
        if (cycles > before) break;
        // Many more commands for next to nothing are not worth their memory.
        if (commands_ > kManyCommands && cycles > before - before / 1000) break;
        before = cycles;
      }
    }
  }

  void descend() {
    if (freedom_.between) {
      try_values(&Choices::heads_first, {true, false});
      try_values(&Choices::keep_attention, {true, false});
      try_values(&Choices::keep_heads, {true, false});
    }
    if (freedom_.heads) {
      try_scaled(&Choices::query_blocks, freedom_.queries);
      if (freedom_.causal)
        try_scaled(&Choices::key_groups, std::min<std::int64_t>(freedom_.queries, 16));
      if (freedom_.macros) {
        // Where all of K finds room it is written once a head.
        if (best_.copies > 0) try_values(&Choices::copies, {2, 1});
        try_values(&Choices::hold_heads, {true, false});
      }
      try_values(&Choices::scratch_blocks, {2, 3, 1});
    }
    if (freedom_.projections) {
      try_values(&Choices::strip_tiles, {4, 2, 1, 8, 16});
      try_scaled(&Choices::token_blocks, freedom_.tokens);
      try_scaled(&Choices::input_blocks, freedom_.tokens);
      try_values(&Choices::strips_ahead, {2, 4, 8, 16, 1});
      try_values(&Choices::sums_blocks, {2, 3, 1});
    }
  }

  /// What would do at least, or nothing where nothing is known.
  std::string remedy(const DoesNotFit& missing) const {
    using Resource = DoesNotFit::Resource;
    if (missing.resource == Resource::kMacros)
      return "; at least " + std::to_string(least_macros()) + " would do";
    if (missing.resource == Resource::kDram)
      return "; at least " + std::to_string(divide_up(missing.needed, 1 << 20)) + " MiB would do";
    // Capacities are whole KiB, and whole words in every bank.
    constexpr std::int64_t kLargest = std::int64_t{1} << 34;
    const std::int64_t step = std::lcm(
        std::int64_t{1024}, std::int64_t{config_.scratchpad.banks} * config_.scratchpad.word_bytes);
    std::int64_t low = config_.scratchpad.capacity_bytes / step;
    std::int64_t high = 2 * low;
    while (high * step <= kLargest && !fits(high * step)) {
      low = high;
      high *= 2;
    }
    if (high * step > kLargest) return "";
    while (low + 1 < high) {
      const std::int64_t middle = (low + high) / 2;
      (fits(middle * step) ? high : low) = middle;
    }
    return "; at least " + std::to_string(high * step / 1024) + " KiB would do";
  }

  /// The least plan runs with a scratchpad of so many bytes.
  bool fits(std::int64_t capacity_bytes) const {
    const ChipConfig larger =
        config_.with([&](ChipValues& chip) { chip.scratchpad.capacity_bytes = capacity_bytes; });
    try {
      Emission emission(larger, graph_, least_choices(kMostBlocks), cost_, false);
      emission.run(kInfeasible - 1);
      return true;
    } catch (const DoesNotFit&) {
      return false;
    }
  }

  int least_macros() const {
    int heads = 0;
    for (const model::Node& node : graph_.graph.nodes)
      heads = std::max(heads, least_attention_macros(config_, graph_.graph, node));
    return heads + Projections::least_macros(config_, graph_.graph);
  }

  [[noreturn]] void refuse(const DoesNotFit& missing) const {
    using Resource = DoesNotFit::Resource;
    const std::string node =
        missing.node < 0
            ? ""
            : "node " + graph_.graph.nodes[static_cast<std::size_t>(missing.node)].name + ": ";
    const std::string unit = missing.resource == Resource::kMacros ? " macros" : " bytes";
    const char* key = missing.resource == Resource::kMacros ? "cim.macros"
                      : missing.resource == Resource::kDram ? "dram.capacity_mib"
                                                            : "scratchpad.capacity_kib";
    throw InputError(config_.source(), key,
                     node + "expected room for " + missing.what + ", " +
                         std::to_string(missing.needed) + unit + ", found " +
                         std::to_string(missing.there) + unit + remedy(missing));
  }

  const ChipConfig& config_;
  const model::IntegerGraph& graph_;
  CommandCost cost_;
  Freedom freedom_;
  Choices best_;
  std::int64_t best_price_ = kInfeasible;
  bool good_ = false;  ///< The best is as good as its busiest unit allows.
  std::int64_t searched_ = 0, commands_ = 0;
  std::vector<std::pair<Choices, std::int64_t>> tried_;  ///< From the present start.
  DoesNotFit missing_;
};

}  // namespace

Mapping lower(const ChipConfig& config, const model::IntegerGraph& graph) {
  return Planner(config, graph).plan();
}

Mapping lower_least(const ChipConfig& config, const model::IntegerGraph& graph) {
  return Planner(config, graph).least();
}

}  // namespace quadrille::hw
