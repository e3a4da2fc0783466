// A unit of an engine behind its sequencer queue: one command at a time, in tile
// timing (one closed form) or beat timing (its body, a reader and a writer, cycle by
// cycle).
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "hw/engines/engine.h"
#include "hw/engines/engine_entry.h"
#include "hw/engines/paired_body.h"
#include "hw/memory/traffic.h"
#include "hw/stepped_unit.h"
#include "model/errors.h"

namespace quadrille::hw {

/// Latencies between an engine and the scratchpad, unconflicted: what beat
/// timing shows and tile timing adds to alone_cycles (docs/timing.md). The
/// reader's is ScratchpadConfig::read_latency_cycles.
inline constexpr std::int64_t kWriterLatency = 1;

/// Which unit of which engine it is; names are literals.
struct EngineUnitPlace {
  Unit unit = Unit::kDma;
  const char* name = "";
  const char* engine = "";
  bool keep_spans = false;  ///< The engine has another unit: their logs are merged.
};

/// Runs the commands of one unit of an engine: in tile timing by the engine's closed
/// forms, in beat timing by a body with a reader and a writer.
template <typename Op>
class EngineUnit final : public SteppedUnit {
 public:
  /// Without a body, beat timing takes the engine's own. The engine must outlive it.
  EngineUnit(const EngineUnitPlace& place, const UnitSurroundings& surroundings, Engine<Op>& engine,
             std::unique_ptr<BeatEngine<Op>> body)
      : SteppedUnit(place.unit, place.name, surroundings, place.keep_spans),
        engine_(engine),
        engine_name_(place.engine),
        reader_(surroundings.config->scratchpad, surroundings.data),
        writer_(surroundings.config->scratchpad, surroundings.data),
        body_(std::move(body)) {
    if (surroundings.beat && !body_) body_ = engine_.body(&values_);
  }

  std::int64_t start(const CommandStart& start) override {
    CommandRecord& entry = open_record(start);
    operation_ = operation_as<Op>(start.command->operation);
    input_ = engine_.input(operation_);
    output_ = engine_.output(operation_);
    check_streams(start.index);
    values_ = Activity{};
    if (body_) {
      patience_ = kPatience + engine_.longest_silence(operation_);
      passes_ = 1;
      index_ = start.index;
      started_ = start.cycle;
      accepted_ = false;
      pass_began_ = false;
      charged_ = 0;
      taken_bytes_ = 0;
      reader_.start(&input_, start.cycle);
      writer_.start(&output_);
      around_.step->notify(sc_core::SC_ZERO_TIME);
      return kOpenEnd;
    }
    engine_.begin(operation_);
    MovedBytes moved;
    if (around_.data) {
      account(entry,
              engine_.execute(operation_, around_.scratchpad->bytes().counting(moved), values_));
      check_moved(start.index, entry, moved);
    } else {
      account(entry, engine_.course(operation_));
      moved = {entry.traffic.sram_read.bytes, entry.traffic.sram_write.bytes, 0};
    }
    const std::int64_t alone = engine_.alone_cycles(operation_, entry.course);
    // Asking again for the input costs a cycle more than the command's start.
    const std::int64_t latency = around_.config->scratchpad.read_latency_cycles;
    const std::int64_t input_wait = entry.traffic.sram_read.accesses > 0
                                        ? latency + (entry.course.input_passes - 1) * (latency + 1)
                                        : 0;
    const std::int64_t output_wait = entry.traffic.sram_write.accesses > 0 ? kWriterLatency : 0;
    around_.scratchpad->count(
        {moved.read, entry.traffic.sram_read.accesses, entry.traffic.sram_read.slices},
        {moved.written, entry.traffic.sram_write.accesses, entry.traffic.sram_write.slices});
    spend(entry, CycleState::busy(), 1);
    spend(entry, CycleState::stalled(StallCause::kFill), input_wait);
    spend(entry, CycleState::busy(), alone - 1);
    spend(entry, CycleState::stalled(StallCause::kFill), output_wait);
    entry.end_cycle = start.cycle + alone + input_wait + output_wait;
    return entry.end_cycle;
  }

  void finish(int, const Command& command, std::int64_t) override {
    if (!body_) engine_.end(operation_as<Op>(command.operation));
  }

  bool active() const override { return index_ >= 0; }

  void request(BankArbiter& arbiter, std::int64_t cycle) const override {
    PortRequest wanted;
    if (reader_.request(cycle, wanted)) arbiter.request(reader_port(), wanted);
    if (writer_.request(wanted)) arbiter.request(writer_port(), wanted);
  }

  bool step(const BankArbiter& arbiter, std::int64_t cycle) override {
    PortRequest access;
    const bool read = arbiter.granted(reader_port()) && reader_.request(cycle, access);
    if (read) around_.scratchpad->access(false, access.address, access.bytes);
    const bool written = arbiter.granted(writer_port()) && writer_.request(access);
    if (written) around_.scratchpad->access(true, access.address, access.bytes);

    BeatInputs<Op> pins;
    bool popped = false;
    const Beat* given = nullptr;
    if (!accepted_) {
      if (!body_->command_ready()) throw stuck("its engine is not ready for it", cycle);
      pins.command = &operation_;
      accepted_ = true;
      spend(record(index_), CycleState::busy(), 1);
    } else {
      if (body_->repeat_input() && reader_.drained()) {
        reader_.start(&input_, cycle);
        pass_began_ = false;
        ++passes_;
      }
      const bool done = body_->command_ready();
      const Beat* front = reader_.front(cycle);
      const bool takes = body_->input_ready();
      const bool gives = body_->output_valid();
      pins.input = front;
      pins.output_ready = writer_.ready();
      popped = front != nullptr && takes;
      if (popped) taken_bytes_ += front->size;
      const bool taken = gives && pins.output_ready;
      if (taken) given = &body_->output();
      const bool starved = takes && front == nullptr && !reader_.drained();
      classify(done, starved, gives && !taken);
      pass_began_ = pass_began_ || popped;
      moved_at_ = popped || taken || written || read ? cycle : moved_at_;
      if (cycle - std::max(moved_at_, started_) > patience_) throw stuck("nothing moves", cycle);
    }
    writer_.step(written, given,
                 *around_.scratchpad);  // Before the tick, which changes the output pins.
    tick(pins, cycle);
    reader_.step(cycle, read, popped, *around_.scratchpad);
    if (!body_->command_ready()) return false;
    if (!reader_.drained()) throw stuck("its engine left input beats", cycle);
    if (!writer_.drained()) {
      if (!writer_.all_given()) throw stuck("its engine gave too few output beats", cycle);
      return false;
    }
    CommandRecord& entry = record(index_);
    entry.end_cycle = cycle + 1;
    const CommandCourse* told = body_->course();
    account(entry, told != nullptr ? *told : engine_.course(operation_));
    expect_bytes(index_, "its body took", taken_bytes_, entry.traffic.sram_read.bytes);
    if (!around_.data) entry.course.residuals.clear();  // Measured on nothing.
    if (entry.course.input_passes != passes_) throw stuck("its input passes are miscounted", cycle);
    index_ = -1;
    return true;
  }

 private:
  /// Cycles without any transfer after which a body counts as stuck, beside
  /// those in which it may work silently.
  static constexpr std::int64_t kPatience = 1'000'000;

  int reader_port() const { return 2 * static_cast<int>(unit_); }
  int writer_port() const { return 2 * static_cast<int>(unit_) + 1; }

  /// If paired bodies differ, the exception names the pin; the unit adds the cycle
  /// and the command.
  void tick(const BeatInputs<Op>& pins, std::int64_t cycle) {
    try {
      body_->tick(pins);
    } catch (PinsDiffer& found) {
      PinDifference& where = found.difference;
      where.engine = engine_name_;
      where.command = index_;
      where.cycle = cycle + 1;
      where.command_cycle = cycle + 1 - started_;
      where.output_beats = writer_.given();
      where.beat_address = writer_.next_address();
      throw;
    }
  }

  /// Fills in what the command did, once its course is known.
  void account(CommandRecord& entry, CommandCourse course) {
    const std::int64_t word_bytes = around_.config->scratchpad.word_bytes;
    entry.course = std::move(course);
    entry.activity = engine_.activity(operation_, entry.course);
    if (around_.data) entry.activity += values_;
    entry.traffic.sram_read = stream_accesses(input_, word_bytes) * entry.course.input_passes;
    entry.traffic.sram_write = stream_accesses(output_, word_bytes);
    if (engine_.writes_cells()) entry.traffic.cim_write_bytes = entry.traffic.sram_read.bytes;
  }

  void expect_bytes(int index, const char* what, std::int64_t found, std::int64_t listed) const {
    if (found == listed) return;
    throw InvariantError(who(index) + ": " + what + " " + std::to_string(found) +
                         " bytes, its streams list " + std::to_string(listed));
  }

  /// Tile timing with data: what the data path has moved is what the streams list.
  void check_moved(int index, const CommandRecord& entry, const MovedBytes& moved) const {
    expect_bytes(index, "its data path read", moved.read, entry.traffic.sram_read.bytes);
    expect_bytes(index, "its data path wrote", moved.written, entry.traffic.sram_write.bytes);
    expect_bytes(index, "its data path put into cells", moved.cells, entry.traffic.cim_write_bytes);
  }

  // A stall is charged to a lost bank request of this command as long as there
  // is one that no earlier stall was charged to.
  void classify(bool done, bool starved, bool blocked) {
    if (!done && !starved && !blocked) {
      spend(record(index_), CycleState::busy(), 1);
      return;
    }
    // Before a pass's first beat and behind the last result nothing but latency is missing.
    StallCause cause = StallCause::kFill;
    if (starved && pass_began_) cause = StallCause::kReadPort;
    if (!starved && blocked) cause = StallCause::kWritePort;
    if (reader_.conflicts() + writer_.conflicts() > charged_) {
      ++charged_;
      cause = StallCause::kBankConflict;
    }
    spend(record(index_), CycleState::stalled(cause), 1);
  }

  void check_streams(int index) const {
    for (const Stream* stream : {&input_, &output_}) {
      for (const StreamSegment& segment : *stream) {
        if (segment.beats() <= 0) continue;
        const std::int64_t last = (segment.inner_count - 1) * segment.inner_stride_bytes +
                                  (segment.outer_count - 1) * segment.outer_stride_bytes;
        const std::int64_t before_last =
            segment.inner_count > 1 ? segment.beat_bytes - segment.inner_stride_bytes : 0;
        try {
          around_.scratchpad->check(
              segment.address, last + std::max(before_last, std::int64_t{segment.last_beat_bytes}));
        } catch (const InvariantError& error) {
          throw InvariantError(who(index) + ": " + error.what());
        }
        const std::int64_t word_bytes = around_.config->scratchpad.word_bytes;
        if (const auto beat = straddling_beat(segment, word_bytes)) {
          throw InvariantError(who(index) + ": a beat of " + std::to_string(beat->bytes) +
                               " bytes at scratchpad address " + std::to_string(beat->address) +
                               " straddles words of " + std::to_string(word_bytes) + " bytes");
        }
      }
    }
  }

  InvariantError stuck(const char* what, std::int64_t cycle) const {
    return InvariantError(who(index_) + ", started at cycle " + std::to_string(started_) + ": " +
                          what + " at cycle " + std::to_string(cycle));
  }

  Engine<Op>& engine_;
  const char* engine_name_;
  StreamReader reader_;
  StreamWriter writer_;
  std::unique_ptr<BeatEngine<Op>> body_;
  Op operation_;
  Stream input_;
  Stream output_;
  Activity values_;
  int index_ = -1;
  std::int64_t started_ = 0;
  std::int64_t moved_at_ = 0;
  bool accepted_ = false;
  bool pass_began_ = false;  ///< It took a beat of this pass over its input.
  std::int64_t charged_ = 0;
  std::int64_t taken_bytes_ = 0;  ///< Across the body's input pins.
  std::int64_t passes_ = 1;
  std::int64_t patience_ = kPatience;
};

/// An engine's port for commands of one kind.
template <typename Op>
class EnginePortOf final : public EnginePort {
 public:
  EnginePortOf(const EngineUnitPlace& place, std::unique_ptr<Engine<Op>> engine)
      : place_(place), engine_(std::move(engine)) {}

  std::unique_ptr<SteppedUnit> make_unit(const UnitSurroundings& around,
                                         std::unique_ptr<AnyBeatEngine> body,
                                         EnginePort* twin) override {
    std::unique_ptr<BeatEngine<Op>> own;
    if (body) {
      auto* typed = dynamic_cast<BeatEngine<Op>*>(body.get());
      if (typed == nullptr) {
        throw InvariantError(std::string("unit ") + place_.name +
                             " was given a body for other commands");
      }
      body.release();
      own.reset(typed);
    }
    if (own && twin != nullptr) {
      auto& other = dynamic_cast<EnginePortOf<Op>&>(*twin);
      own = std::make_unique<PairedBody<Op>>(std::move(own),
                                             other.engine_->body(&other.unused_values_));
    }
    return std::make_unique<EngineUnit<Op>>(place_, around, *engine_, std::move(own));
  }

 private:
  EngineUnitPlace place_;
  std::unique_ptr<Engine<Op>> engine_;
  Activity unused_values_;  ///< Of a twin's body: the RTL tells none to compare with.
};

/// The usual engine: one unit, nothing shared.
template <typename Op>
class OneUnitEngine final : public ChipEngine {
 public:
  OneUnitEngine(const EngineEntry& entry, std::unique_ptr<Engine<Op>> engine) {
    const UnitEntry unit = entry.units().at(0);
    add(std::make_unique<EnginePortOf<Op>>(
        EngineUnitPlace{unit.unit, unit.name, entry.name(), false}, std::move(engine)));
  }
};

}  // namespace quadrille::hw
