#include "testbench/common/plan_replay.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "hw/engines.h"
#include "hw/engines/softmax/softmax_engine.h"
#include "model/errors.h"

namespace quadrille::testbench {
namespace {

using hw::kUnits;

/// What is thrown inside this file; first_plan_fault() turns it into its answer.
struct Fault {
  std::string text;
};

/// Bytes begin .. end - 1 of a memory.
struct Bytes {
  std::int64_t begin = 0;
  std::int64_t end = 0;
  std::int64_t size() const { return end - begin; }
};

std::string text_of(const Bytes& bytes) {
  return fmt::format("bytes {}..{}", bytes.begin, bytes.end - 1);
}

/// A set of bytes: intervals in rising order that do not touch each other.
class ByteSet {
 public:
  void add(std::int64_t begin, std::int64_t size) {
    if (size > 0) parts_.push_back({begin, begin + size});
  }

  /// Sorts and joins what was added. With `overlap`, tells the first byte range
  /// that was added twice.
  void settle(std::optional<Bytes>* overlap = nullptr) {
    std::sort(parts_.begin(), parts_.end(),
              [](const Bytes& a, const Bytes& b) { return a.begin < b.begin; });
    std::size_t kept = 0;
    for (const Bytes& part : parts_) {
      if (kept > 0 && part.begin <= parts_[kept - 1].end) {
        Bytes& last = parts_[kept - 1];
        if (overlap != nullptr && !*overlap && part.begin < last.end)
          *overlap = Bytes{part.begin, std::min(part.end, last.end)};
        last.end = std::max(last.end, part.end);
      } else {
        parts_[kept++] = part;
      }
    }
    parts_.resize(kept);
  }

  const std::vector<Bytes>& parts() const { return parts_; }

 private:
  std::vector<Bytes> parts_;
};

std::optional<Bytes> common_bytes(const ByteSet& a, const ByteSet& b) {
  auto left = a.parts().begin();
  auto right = b.parts().begin();
  while (left != a.parts().end() && right != b.parts().end()) {
    const Bytes both{std::max(left->begin, right->begin), std::min(left->end, right->end)};
    if (both.size() > 0) return both;
    (left->end < right->end ? left : right)++;
  }
  return std::nullopt;
}

// --- what one command touches -------------------------------------------------

/// Everything that one command reads and writes.
struct Touch {
  ByteSet scratchpad_reads, scratchpad_writes;
  ByteSet dram_reads, dram_writes;
  const hw::CimWrite* filled = nullptr;
  const hw::CimMultiply* used = nullptr;
};

/// The rows of a two-level loop: each one interval of bytes.
struct Rows {
  std::int64_t first = 0;
  std::int64_t count = 0;
  std::int64_t pitch = 0;
  std::int64_t bytes = 0;
};

void add_rows(ByteSet& set, const Rows& rows) {
  if (rows.bytes <= 0 || rows.count <= 0) return;
  if (rows.pitch == rows.bytes) return set.add(rows.first, rows.count * rows.bytes);
  for (std::int64_t row = 0; row < rows.count; ++row)
    set.add(rows.first + row * rows.pitch, rows.bytes);
}

class TouchOf {
 public:
  explicit TouchOf(const hw::ChipConfig& chip) : chip_(chip) {}

  Touch operator()(const hw::DmaCopy& copy) const {
    Touch touch;
    const bool in = copy.to_scratchpad;
    const auto first = static_cast<std::int64_t>(copy.scratchpad_address);
    const auto dram = static_cast<std::int64_t>(copy.dram_address);
    add_rows(in ? touch.scratchpad_writes : touch.scratchpad_reads,
             {first, copy.rows, copy.scratchpad_pitch_bytes, copy.row_bytes});
    add_rows(in ? touch.dram_reads : touch.dram_writes,
             {dram, copy.rows, copy.dram_pitch_bytes, copy.row_bytes});
    return touch;
  }
  Touch operator()(const hw::CimWrite& write) const {
    check_region(write.region, write.rows, write.columns);
    check_bits("weight", write.weight_bits, chip_.cim.weight_bits);
    Touch touch;
    add_stream(touch.scratchpad_reads, input_stream(chip_.cim, write), false);
    touch.filled = &write;
    return touch;
  }
  Touch operator()(const hw::CimMultiply& multiply) const {
    check_region(multiply.region, multiply.rows, multiply.columns);
    check_bits("input", multiply.input_bits, chip_.cim.input_bits);
    if (multiply.tokens < 1 || multiply.tokens > hw::kCimMostTokens)
      throw Fault{fmt::format("multiplies {} tokens", multiply.tokens)};
    Touch touch = streams(chip_.cim, multiply);
    touch.used = &multiply;
    return touch;
  }
  Touch operator()(const hw::SoftmaxRows& rows) const {
    validate(chip_.softmax, rows);
    return streams(chip_.softmax, rows);
  }
  Touch operator()(const hw::DamfProject& project) const { return streams(chip_.damf, project); }
  Touch operator()(const hw::DamfAttend& attend) const { return streams(chip_.damf, attend); }
  Touch operator()(const hw::VectorRequantise& requantise) const {
    return streams(chip_.vector, requantise);
  }
  Touch operator()(const hw::SinkhornScale& scale) const { return streams(chip_.sinkhorn, scale); }
  Touch operator()(const hw::SinkhornApply& apply) const { return streams(chip_.sinkhorn, apply); }
  Touch operator()(const hw::LinearAttend& attend) const { return streams(chip_.linear, attend); }
  Touch operator()(const hw::ForeignOperation&) const { return {}; }  // A planner makes none.

 private:
  template <typename Config, typename Operation>
  Touch streams(const Config& config, const Operation& operation) const {
    Touch touch;
    add_stream(touch.scratchpad_reads, input_stream(config, operation), false);
    add_stream(touch.scratchpad_writes, output_stream(config, operation), true);
    return touch;
  }

  void add_stream(ByteSet& set, const hw::Stream& stream, bool written) const {
    // Engines that pass over an operand again and again list it again and again:
    // of loops that differ in their length only the longest says all. What is
    // written stays whole, since writing twice is a fault.
    using Pattern = std::tuple<std::uint64_t, std::int64_t, std::int64_t, std::int64_t, int, int>;
    std::map<Pattern, std::int64_t> longest;
    for (const hw::StreamSegment& segment : stream) {
      if (segment.beats() <= 0) continue;
      if (written) {
        check_beats(segment);
        add_segment(set, segment);
        continue;
      }
      std::int64_t& outer =
          longest[{segment.address, segment.inner_count, segment.inner_stride_bytes,
                   segment.outer_stride_bytes, segment.beat_bytes, segment.last_beat_bytes}];
      outer = std::max(outer, segment.outer_count);
    }
    for (const auto& [pattern, outer] : longest) {
      hw::StreamSegment segment;
      std::tie(segment.address, segment.inner_count, segment.inner_stride_bytes,
               segment.outer_stride_bytes, segment.beat_bytes, segment.last_beat_bytes) = pattern;
      segment.outer_count = outer;
      check_beats(segment);
      add_segment(set, segment);
    }
  }

  static void add_segment(ByteSet& set, const hw::StreamSegment& segment) {
    const auto first = static_cast<std::int64_t>(segment.address);
    if (segment.inner_count == 1 || segment.inner_stride_bytes == segment.beat_bytes) {
      add_rows(set, {first, segment.outer_count, segment.outer_stride_bytes,
                     segment.bytes() / segment.outer_count});
      return;
    }
    for (std::int64_t row = 0; row < segment.outer_count; ++row) {
      const std::int64_t begin = first + row * segment.outer_stride_bytes;
      add_rows(set,
               {begin, segment.inner_count - 1, segment.inner_stride_bytes, segment.beat_bytes});
      set.add(begin + (segment.inner_count - 1) * segment.inner_stride_bytes,
              segment.last_beat_bytes);
    }
  }

  // Where a beat lies in its word repeats after at most word_bytes beats of a row,
  // and after at most word_bytes rows.
  void check_beats(const hw::StreamSegment& segment) const {
    const std::int64_t word = chip_.scratchpad.word_bytes;
    const std::int64_t last = segment.inner_count - 1;
    for (std::int64_t row = 0; row < std::min(segment.outer_count, word); ++row) {
      const std::int64_t begin =
          static_cast<std::int64_t>(segment.address) + row * segment.outer_stride_bytes;
      for (std::int64_t beat = 0; beat < std::min(last, word); ++beat)
        check_beat(begin + beat * segment.inner_stride_bytes, segment.beat_bytes);
      check_beat(begin + last * segment.inner_stride_bytes, segment.last_beat_bytes);
    }
  }

  void check_beat(std::int64_t address, std::int64_t bytes) const {
    const std::int64_t word = chip_.scratchpad.word_bytes;
    const std::int64_t offset = address % word;
    if (offset == 0 || offset + bytes <= word) return;
    throw Fault{fmt::format("has a beat of {} bytes at scratchpad address {}, across words of {}",
                            bytes, address, word)};
  }

  void check_region(const hw::CimRegion& region, int rows, int columns) const {
    const hw::CimConfig& cim = chip_.cim;
    const bool shape = rows > 0 && columns > 0 &&
                       region.row_tiles == (rows + cim.rows - 1) / cim.rows &&
                       region.column_tiles == (columns + cim.columns - 1) / cim.columns;
    const bool inside =
        region.first_macro >= 0 && region.macros() <= cim.macros - region.first_macro;
    if (shape && inside) return;
    throw Fault{fmt::format("has a matrix of {} x {} in {} x {} macros from {} on, of {}", rows,
                            columns, region.row_tiles, region.column_tiles, region.first_macro,
                            cim.macros)};
  }

  static void check_bits(const char* what, int bits, int most) {
    if (bits >= 1 && bits <= most) return;
    throw Fault{fmt::format("has {} {} bits, the bank {}", bits, what, most)};
  }

  const hw::ChipConfig& chip_;
};

// --- who has ended before whom ------------------------------------------------

/// The index of a command of every unit; -1: none.
using CommandPerUnit = std::array<int, kUnits>;

CommandPerUnit no_commands() {
  CommandPerUnit none{};
  none.fill(-1);
  return none;
}

/// Vector clocks: of every command, how many commands of each unit have ended
/// before it starts.
class Order {
 public:
  explicit Order(const hw::Program& program) : program_(program) {
    const auto count = static_cast<int>(program.commands.size());
    for (int index = 0; index < count; ++index) add(index);
  }

  bool ended_before(int first, int second) const {
    return seen_[at(second)][unit(first)] > ordinal_[at(first)];
  }

  std::string name(int index) const {
    const hw::Operation& operation = program_.commands[at(index)].operation;
    return fmt::format("command {} ({})", index, hw::unit_name(hw::unit_of(operation)));
  }

 private:
  using Clock = std::array<int, kUnits>;

  static std::size_t at(int index) { return static_cast<std::size_t>(index); }
  std::size_t unit(int index) const {
    return static_cast<std::size_t>(hw::unit_of(program_.commands[at(index)].operation));
  }

  void add(int index) {
    Clock clock{};
    const auto follow = [&](int earlier) {
      for (std::size_t u = 0; u < clock.size(); ++u)
        clock[u] = std::max(clock[u], seen_[at(earlier)][u]);
      clock[unit(earlier)] = std::max(clock[unit(earlier)], ordinal_[at(earlier)] + 1);
    };
    for (const int earlier : program_.commands[at(index)].depends_on) {
      if (earlier < 0 || earlier >= index)
        throw Fault{fmt::format("{} depends on command {}, which is not an earlier one",
                                name(index), earlier)};
      follow(earlier);
    }
    const std::size_t own = unit(index);
    if (last_[own] >= 0) follow(last_[own]);
    seen_.push_back(clock);
    ordinal_.push_back(last_[own] < 0 ? 0 : ordinal_[at(last_[own])] + 1);
    last_[own] = index;
  }

  const hw::Program& program_;
  std::vector<Clock> seen_;
  std::vector<int> ordinal_;  ///< Of a command among its unit's.
  CommandPerUnit last_ = no_commands();
};

// --- what a memory holds ------------------------------------------------------

constexpr int kNobody = -1;
constexpr int kInput = -2;

/// Of every byte: who wrote it, and who has read it since.
class MemoryHistory {
 public:
  MemoryHistory(const char* name, std::int64_t size, const hw::Program& program, const Order& order)
      : name_(name), size_(size), program_(program), order_(order) {
    spans_[0] = {size, kNobody, no_commands()};
  }

  /// With `padded`, bytes that nobody has written are no fault.
  void read(int command, const ByteSet& bytes, bool padded = false) {
    for (const Bytes& part : bytes.parts()) check_inside(command, part, "reads");
    for_each_span(bytes, [&](Spans::value_type& span) {
      if (!padded || span.second.writer != kNobody) check_writer(command, span, "reads");
      span.second.readers[unit(command)] = command;
    });
  }

  /// A copy that fetches an input's bytes may fetch the gaps between its rows: from
  /// then on they are the input's too.
  void read_image(int command, const ByteSet& bytes) {
    for (const Bytes& part : bytes.parts()) check_inside(command, part, "reads");
    bool input = false;
    for_each_span(bytes, [&](Spans::value_type& span) { input |= span.second.writer == kInput; });
    if (input) {
      for_each_span(bytes, [&](Spans::value_type& span) {
        if (span.second.writer == kNobody) span.second.writer = kInput;
        if (span.second.writer >= 0)
          throw Fault{fmt::format("{} reads an input's bytes of {} and {}, which {} wrote",
                                  order_.name(command), name_, text_of(range(span)),
                                  order_.name(span.second.writer))};
      });
    }
    read(command, bytes);
  }

  void write(int command, const ByteSet& bytes) {
    for (const Bytes& part : bytes.parts()) {
      check_inside(command, part, "writes");
      const auto end = cut(part.end);
      const auto begin = cut(part.begin);
      for (auto span = begin; span != end; ++span) check_replaced(command, *span);
      spans_.erase(begin, end);
      spans_[part.begin] = {part.end, command, no_commands()};
    }
  }

  void place_input(const ByteSet& bytes) {
    for (const Bytes& part : bytes.parts()) {
      const auto end = cut(part.end);
      spans_.erase(cut(part.begin), end);
      spans_[part.begin] = {part.end, kInput, no_commands()};
    }
  }

  void require_written(const std::string& what, const ByteSet& bytes) {
    for (const Bytes& part : bytes.parts()) {
      const auto end = cut(part.end);
      for (auto span = cut(part.begin); span != end; ++span) {
        if (span->second.writer == kNobody)
          throw Fault{fmt::format("nobody writes {} of {}", text_of(range(*span)), what)};
      }
    }
  }

 private:
  struct Span {
    std::int64_t end = 0;
    int writer = kNobody;
    CommandPerUnit readers{};  ///< The last one of every unit.
  };
  using Spans = std::map<std::int64_t, Span>;

  std::size_t unit(int command) const {
    return static_cast<std::size_t>(
        hw::unit_of(program_.commands[static_cast<std::size_t>(command)].operation));
  }
  static Bytes range(const Spans::value_type& span) { return {span.first, span.second.end}; }

  template <typename Do>
  void for_each_span(const ByteSet& bytes, Do act) {
    for (const Bytes& part : bytes.parts()) {
      const auto end = cut(part.end);
      for (auto span = cut(part.begin); span != end; ++span) act(*span);
    }
  }

  /// Makes a span begin at `address`; the end is no span.
  Spans::iterator cut(std::int64_t address) {
    auto span = spans_.lower_bound(address);
    if (address >= size_ || (span != spans_.end() && span->first == address)) return span;
    auto before = std::prev(span);
    Span rest = before->second;
    before->second.end = address;
    return spans_.emplace_hint(span, address, rest);
  }

  void check_inside(int command, const Bytes& bytes, const char* does) const {
    if (bytes.begin >= 0 && bytes.end <= size_) return;
    throw Fault{fmt::format("{} {} {} {}, beyond its {}", order_.name(command), does, name_,
                            text_of(bytes), size_)};
  }

  void check_writer(int command, const Spans::value_type& span, const char* does) const {
    const int writer = span.second.writer;
    if (writer == kInput || (writer >= 0 && order_.ended_before(writer, command))) return;
    const std::string what =
        fmt::format("{} {} {} {}", order_.name(command), does, name_, text_of(range(span)));
    if (writer == kNobody) throw Fault{what + ", which nobody wrote before"};
    throw Fault{fmt::format("{}, without waiting for their writer, {}", what, order_.name(writer))};
  }

  void check_replaced(int command, const Spans::value_type& span) const {
    if (span.second.writer == kInput)
      throw Fault{fmt::format("{} overwrites {} {}, which an input holds", order_.name(command),
                              name_, text_of(range(span)))};
    if (span.second.writer != kNobody) check_writer(command, span, "overwrites");
    for (const int reader : span.second.readers) {
      if (reader < 0 || order_.ended_before(reader, command)) continue;
      throw Fault{fmt::format("{} overwrites {} {}, without waiting for their reader, {}",
                              order_.name(command), name_, text_of(range(span)),
                              order_.name(reader))};
    }
  }

  const char* name_;
  std::int64_t size_;
  const hw::Program& program_;
  const Order& order_;
  Spans spans_;
};

/// Of every macro: which command filled it, and which multiply last used it.
class MacroHistory {
 public:
  MacroHistory(int macros, const Order& order)
      : order_(order), macros_(static_cast<std::size_t>(macros)) {}

  void fill(int command, const hw::CimWrite& write) {
    for (int i = 0; i < write.region.macros(); ++i) {
      Macro& macro = macros_[static_cast<std::size_t>(write.region.first_macro + i)];
      for (const int earlier : {macro.writer, macro.reader}) {
        if (earlier >= 0 && !order_.ended_before(earlier, command))
          throw Fault{fmt::format("{} overwrites macro {}, without waiting for {}",
                                  order_.name(command), write.region.first_macro + i,
                                  order_.name(earlier))};
      }
      macro = {command, -1, &write};
    }
  }

  void use(int command, const hw::CimMultiply& multiply) {
    const int first = multiply.region.first_macro;
    const int writer = macros_[static_cast<std::size_t>(first)].writer;
    for (int i = 0; i < multiply.region.macros(); ++i) {
      Macro& macro = macros_[static_cast<std::size_t>(first + i)];
      const std::string what =
          fmt::format("{} multiplies by macro {}", order_.name(command), first + i);
      if (macro.writer < 0) throw Fault{what + ", which nobody filled"};
      if (macro.writer != writer)
        throw Fault{fmt::format("{}, filled by {}, and by others of {}", what,
                                order_.name(macro.writer), order_.name(writer))};
      if (!order_.ended_before(writer, command))
        throw Fault{fmt::format("{}, without waiting for {}", what, order_.name(writer))};
      check_matrix(what, multiply, *macro.matrix);
      macro.reader = command;
    }
  }

 private:
  struct Macro {
    int writer = -1;
    int reader = -1;  ///< Since then; one unit has all multiplies, so the last is enough.
    const hw::CimWrite* matrix = nullptr;
  };

  static void check_matrix(const std::string& what, const hw::CimMultiply& wanted,
                           const hw::CimWrite& found) {
    const hw::CimRegion& a = wanted.region;
    const hw::CimRegion& b = found.region;
    const bool same = a.first_macro == b.first_macro && a.row_tiles == b.row_tiles &&
                      a.column_tiles == b.column_tiles && wanted.rows == found.rows &&
                      wanted.columns == found.columns && wanted.weight_bits == found.weight_bits &&
                      wanted.dynamic == found.dynamic;
    if (same) return;
    const auto text = [](const auto& matrix) {
      return fmt::format("a {} matrix of {} x {} in {} bits from macro {} on",
                         matrix.dynamic ? "dynamic" : "static", matrix.rows, matrix.columns,
                         matrix.weight_bits, matrix.region.first_macro);
    };
    throw Fault{fmt::format("{}: wants {}, finds {}", what, text(wanted), text(found))};
  }

  const Order& order_;
  std::vector<Macro> macros_;
};

// --- the whole program --------------------------------------------------------

ByteSet bytes_of(const hw::DramTensor& tensor) {
  ByteSet bytes;
  for (const hw::DramPiece& piece : tensor.pieces)
    add_rows(bytes, {static_cast<std::int64_t>(piece.address), piece.rows, piece.pitch_bytes,
                     piece.columns * tensor.element_bytes});
  return bytes;
}

std::int64_t size_of(const ByteSet& bytes) {
  std::int64_t size = 0;
  for (const Bytes& part : bytes.parts()) size += part.size();
  return size;
}

/// Inputs, weights and outputs; values that the plan spills are written and read
/// by its own commands.
void place_tensors(const hw::ChipConfig& chip, const hw::Mapping& mapping, MemoryHistory& dram) {
  ByteSet all;
  for (const hw::DramTensor& tensor : mapping.tensors) {
    if (tensor.role == model::Role::kValue) continue;
    ByteSet bytes = bytes_of(tensor);
    bytes.settle();
    if (size_of(bytes) != tensor.bytes())
      throw Fault{fmt::format("tensor {} of {} bytes lies in pieces of {}", tensor.name,
                              tensor.bytes(), size_of(bytes))};
    const Bytes whole{bytes.parts().front().begin, bytes.parts().back().end};
    if (whole.begin < 0 || whole.end > chip.dram.capacity_bytes)
      throw Fault{fmt::format("tensor {} lies at DRAM {}, beyond its {}", tensor.name,
                              text_of(whole), chip.dram.capacity_bytes)};
    for (const Bytes& part : bytes.parts()) all.add(part.begin, part.size());
    if (tensor.role != model::Role::kOutput) dram.place_input(bytes);
  }
  std::optional<Bytes> overlap;
  all.settle(&overlap);
  if (overlap) throw Fault{fmt::format("tensors share DRAM {}", text_of(*overlap))};
}

/// Sets of one command, settled and free of contradictions.
Touch touch_of(const hw::ChipConfig& chip, const hw::Operation& operation) {
  Touch touch = std::visit(TouchOf(chip), operation);
  touch.scratchpad_reads.settle();
  touch.dram_reads.settle();
  std::optional<Bytes> twice;
  touch.scratchpad_writes.settle(&twice);
  if (twice) throw Fault{"writes scratchpad " + text_of(*twice) + " twice"};
  touch.dram_writes.settle(&twice);
  if (twice) throw Fault{"writes DRAM " + text_of(*twice) + " twice"};
  if (const auto both = common_bytes(touch.scratchpad_reads, touch.scratchpad_writes))
    throw Fault{"reads and writes scratchpad " + text_of(*both)};
  return touch;
}

void replay(const hw::ChipConfig& chip, const hw::Mapping& mapping) {
  const hw::Program& program = mapping.program;
  const Order order(program);
  MemoryHistory scratchpad("scratchpad", chip.scratchpad.capacity_bytes, program, order);
  MemoryHistory dram("DRAM", chip.dram.capacity_bytes, program, order);
  MacroHistory macros(chip.cim.macros, order);
  place_tensors(chip, mapping, dram);
  for (std::size_t i = 0; i < program.commands.size(); ++i) {
    const auto index = static_cast<int>(i);
    Touch touch;
    try {
      touch = touch_of(chip, program.commands[i].operation);
    } catch (const Fault& fault) {
      throw Fault{order.name(index) + " " + fault.text};
    } catch (const InvariantError& error) {
      throw Fault{order.name(index) + ": " + error.what()};
    }
    // Rows of codes may have padding behind them, which meets weights of zero.
    scratchpad.read(index, touch.scratchpad_reads, touch.used != nullptr);
    dram.read_image(index, touch.dram_reads);
    if (touch.used != nullptr) macros.use(index, *touch.used);
    scratchpad.write(index, touch.scratchpad_writes);
    dram.write(index, touch.dram_writes);
    if (touch.filled != nullptr) macros.fill(index, *touch.filled);
  }
  for (const hw::DramTensor& tensor : mapping.tensors) {
    if (tensor.role == model::Role::kOutput)
      dram.require_written("the output " + tensor.name, bytes_of(tensor));
  }
}

}  // namespace

std::optional<std::string> first_plan_fault(const hw::ChipConfig& chip,
                                            const hw::Mapping& mapping) {
  try {
    replay(chip, mapping);
  } catch (const Fault& fault) {
    return fault.text;
  }
  return std::nullopt;
}

}  // namespace quadrille::testbench
