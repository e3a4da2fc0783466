// A unit of the chip behind its sequencer queue: one engine command at a time,
// in tile timing (one closed form) or beat timing (its body, a reader and a
// writer, cycle by cycle).
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "hw/chip_result.h"
#include "hw/engines/beat_engine.h"
#include "hw/engines/paired_body.h"
#include "hw/memory/scratchpad.h"
#include "hw/memory/stream_port.h"
#include "hw/sequencer/sequencer.h"
#include "model/errors.h"

namespace quadrille::hw {

/// Latencies between an engine and the scratchpad, unconflicted: what beat
/// timing shows and tile timing adds to alone_cycles (docs/timing.md). The
/// reader's is ScratchpadConfig::read_latency_cycles.
inline constexpr std::int64_t kWriterLatency = 1;

/// What all units share.
struct UnitSurroundings {
  const ChipConfig* config = nullptr;
  Scratchpad* scratchpad = nullptr;
  bool data = false;
  std::vector<CommandRecord>* records = nullptr;
  sc_core::sc_event* step = nullptr;  ///< Beat timing: wakes the chip's step.
};

/// A unit that is stepped cycle by cycle in beat timing.
class SteppedUnit : public UnitExecutor {
 public:
  SteppedUnit(Unit unit, const UnitSurroundings& surroundings, bool keep_spans)
      : unit_(unit), around_(surroundings), log_(keep_spans) {}

  Unit unit() const { return unit_; }
  const OccupancyLog& log() const { return log_; }
  void finish(int, const Command&, std::int64_t) override {}

  virtual bool active() const = 0;
  /// Puts this cycle's bank requests, from registered state.
  virtual void request(BankArbiter& arbiter, std::int64_t cycle) const = 0;
  /// One clock edge. True when the command has ended: its end is cycle + 1.
  virtual bool step(const BankArbiter& arbiter, std::int64_t cycle) = 0;
  /// First cycle after `cycle` that must be stepped while active.
  virtual std::int64_t next_cycle(std::int64_t cycle) const { return cycle + 1; }

 protected:
  CommandRecord& record(int index) { return (*around_.records)[static_cast<std::size_t>(index)]; }
  /// Fills the record's identity and logs what the unit waited for.
  CommandRecord& open_record(const CommandStart& start) {
    CommandRecord& entry = record(start.index);
    entry.unit = unit_;
    entry.node = start.command->node;
    entry.step = start.command->step;
    entry.head = start.command->head;
    entry.start_cycle = start.cycle;
    entry.dependency_cycles = start.dependency_cycles;
    entry.exclusion_cycles = start.exclusion_cycles;
    log_.add(CycleState::stalled(StallCause::kDependency), start.dependency_cycles);
    log_.add(CycleState::stalled(StallCause::kWriteExclusion), start.exclusion_cycles);
    return entry;
  }
  void spend(CommandRecord& entry, CycleState state, std::int64_t cycles) {
    entry.occupancy.add(state, cycles);
    log_.add(state, cycles);
  }

  Unit unit_;
  UnitSurroundings around_;
  OccupancyLog log_;
};

/// `Model` says how one engine is reached:
///   using Operation;                            what its body takes
///   Operation get(const hw::Operation&) const;
///   Stream input(op), output(op);
///   void begin(op), end(op);                    tile timing, around execute()
///   CommandCourse course(op);                   what there is without data
///   CommandCourse execute(op, Bytes, Activity& values);  tile timing, with data
///   int64 alone_cycles(op, course);  Activity activity(op, course);
///   int64 longest_silence(op);      cycles that its body may work without a transfer
///   std::unique_ptr<BeatEngine<Operation>> body(Activity* values);
///   static constexpr bool kWritesCim;
template <typename Model>
class EngineUnit final : public SteppedUnit {
 public:
  using EngineOperation = typename Model::Operation;

  EngineUnit(Unit unit, const UnitSurroundings& surroundings, bool keep_spans, Model model,
             bool beat)
      : SteppedUnit(unit, surroundings, keep_spans),
        model_(std::move(model)),
        reader_(surroundings.config->scratchpad, surroundings.data),
        writer_(surroundings.config->scratchpad, surroundings.data) {
    if (beat) body_ = model_.body(&values_);
  }

  std::int64_t start(const CommandStart& start) override {
    CommandRecord& entry = open_record(start);
    operation_ = model_.get(start.command->operation);
    input_ = model_.input(operation_);
    output_ = model_.output(operation_);
    check_streams(start.index);
    values_ = Activity{};
    if (body_) {
      patience_ = kPatience + model_.longest_silence(operation_);
      passes_ = 1;
      index_ = start.index;
      started_ = start.cycle;
      accepted_ = false;
      charged_ = 0;
      reader_.start(&input_, start.cycle);
      writer_.start(&output_);
      around_.step->notify(sc_core::SC_ZERO_TIME);
      return kOpenEnd;
    }
    model_.begin(operation_);
    account(entry, around_.data ? model_.execute(operation_, around_.scratchpad->bytes(), values_)
                                : model_.course(operation_));
    const std::int64_t alone = model_.alone_cycles(operation_, entry.course);
    // Asking again for the input costs a cycle more than the command's start.
    const std::int64_t latency = around_.config->scratchpad.read_latency_cycles;
    const std::int64_t input_wait = entry.traffic.sram_read.accesses > 0
                                        ? latency + (entry.course.input_passes - 1) * (latency + 1)
                                        : 0;
    const std::int64_t output_wait = entry.traffic.sram_write.accesses > 0 ? kWriterLatency : 0;
    around_.scratchpad->count(entry.traffic.sram_read, entry.traffic.sram_write);
    spend(entry, CycleState::busy(), 1);
    spend(entry, CycleState::stalled(StallCause::kInput), input_wait);
    spend(entry, CycleState::busy(), alone - 1);
    spend(entry, CycleState::stalled(StallCause::kOutput), output_wait);
    entry.end_cycle = start.cycle + alone + input_wait + output_wait;
    return entry.end_cycle;
  }

  void finish(int, const Command& command, std::int64_t) override {
    if (!body_) model_.end(model_.get(command.operation));
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

    BeatInputs<EngineOperation> pins;
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
        ++passes_;
      }
      const bool done = body_->command_ready();
      const Beat* front = reader_.front(cycle);
      const bool takes = body_->input_ready();
      const bool gives = body_->output_valid();
      pins.input = front;
      pins.output_ready = writer_.ready();
      popped = front != nullptr && takes;
      const bool taken = gives && pins.output_ready;
      if (taken) given = &body_->output();
      const bool starved = takes && front == nullptr && !reader_.drained();
      classify(done, starved, gives && !taken);
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
    account(entry, told != nullptr ? *told : model_.course(operation_));
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

  /// A pair of bodies that part says where; the unit adds when, and in what.
  void tick(const BeatInputs<EngineOperation>& pins, std::int64_t cycle) {
    try {
      body_->tick(pins);
    } catch (PinsDiffer& found) {
      PinDifference& where = found.difference;
      where.engine = engine_name(engine_of(unit_));
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
    entry.activity = model_.activity(operation_, entry.course);
    if (around_.data) entry.activity += values_;
    entry.traffic.sram_read = stream_accesses(input_, word_bytes) * entry.course.input_passes;
    entry.traffic.sram_write = stream_accesses(output_, word_bytes);
    if (Model::kWritesCim) entry.traffic.cim_write_bytes = entry.traffic.sram_read.bytes;
  }

  // A stall is charged to a lost bank request of this command as long as there
  // is one that no earlier stall was charged to.
  void classify(bool done, bool starved, bool blocked) {
    if (!done && !starved && !blocked) {
      spend(record(index_), CycleState::busy(), 1);
      return;
    }
    StallCause cause = starved ? StallCause::kInput : StallCause::kOutput;
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
          throw InvariantError("command " + std::to_string(index) + " (" + unit_name(unit_) +
                               "): " + error.what());
        }
      }
    }
  }

  InvariantError stuck(const char* what, std::int64_t cycle) const {
    return InvariantError("command " + std::to_string(index_) + " (" + unit_name(unit_) + "), " +
                          "started at cycle " + std::to_string(started_) + ": " + what +
                          " at cycle " + std::to_string(cycle));
  }

  Model model_;
  StreamReader reader_;
  StreamWriter writer_;
  std::unique_ptr<BeatEngine<EngineOperation>> body_;
  EngineOperation operation_;
  Stream input_;
  Stream output_;
  Activity values_;
  int index_ = -1;
  std::int64_t started_ = 0;
  std::int64_t moved_at_ = 0;
  bool accepted_ = false;
  std::int64_t charged_ = 0;
  std::int64_t passes_ = 1;
  std::int64_t patience_ = kPatience;
};

}  // namespace quadrille::hw
