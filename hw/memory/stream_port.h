// Beat timing between the engines and the scratchpad's banks: a reader that
// fetches a stream, a writer that stores one, and the arbiter of the banks.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "hw/chip_config.h"
#include "hw/engines/beat_engine.h"
#include "hw/memory/scratchpad.h"
#include "hw/memory/stream.h"
#include "hw/memory/traffic.h"

namespace quadrille::hw {

/// One bank access wanted in one cycle.
struct PortRequest {
  bool write = false;
  std::uint64_t address = 0;
  std::int64_t bytes = 0;
};

/// The requesters of a bank, in the order of their urgency.
enum class PortClass { kReader, kWriter, kDma };

/// Every bank serves one access per cycle. Word w lies in bank w modulo banks.
/// When several ports want a bank, readers go before writers (whose FIFOs
/// hide the wait) and writers before the DMA (whose bus is slower than a bank);
/// every kTurn-th cycle the classes are served in the opposite order. Within a
/// class the priority rotates by one port per cycle. So nobody starves, and
/// who wins depends on the cycle alone, not on history. An access wider than a
/// word takes its neighbouring banks in the same cycle, all or none.
class BankArbiter {
 public:
  static constexpr std::int64_t kTurn = 15;
  BankArbiter(const ScratchpadConfig& config, const std::vector<PortClass>& ports);

  void clear();
  void request(int port, const PortRequest& request);
  void arbitrate(std::int64_t cycle);
  bool requested(int port) const { return bank_[static_cast<std::size_t>(port)] >= 0; }
  bool granted(int port) const { return granted_[static_cast<std::size_t>(port)]; }

  int banks() const { return static_cast<int>(conflicts_.size()); }
  /// Requests that found this bank taken, one per request and cycle.
  std::int64_t conflicts(int bank) const { return conflicts_[static_cast<std::size_t>(bank)]; }

 private:
  void serve(std::size_t port, std::int64_t cycle);

  std::uint64_t word_bytes_;
  std::array<std::vector<int>, 3> classes_;
  std::vector<int> bank_;   ///< First one wanted by each port, -1 for none.
  std::vector<int> words_;  ///< The number of waiting requests.
  std::vector<bool> granted_;
  std::vector<std::int64_t> taken_;  ///< Last cycle in which each bank served.
  std::vector<std::int64_t> conflicts_;
};

/// Fetches a stream word by word into a FIFO of reader_fifo_words words and
/// hands it out beat by beat.
///  - Started at cycle t0 it may request from t0 + 1 on, one access per cycle,
///    while it holds a credit (a FIFO place for the answer).
///  - The beats of a word granted in cycle c can be taken from cycle
///    c + read_latency_cycles on, one per cycle.
///  - A place whose last beat is taken in cycle c may be requested for in c + 1.
class StreamReader {
 public:
  /// Without data every beat holds kNoData bytes: a pattern that no engine can
  /// refuse (a reciprocal of it has a valid shift).
  static constexpr std::uint8_t kNoData = 0x3f;
  StreamReader(const ScratchpadConfig& config, bool data);

  void start(const Stream* stream, std::int64_t cycle);
  bool request(std::int64_t cycle, PortRequest& request) const;
  /// Null when the next beat has not arrived. Valid until the next step().
  const Beat* front(std::int64_t cycle) const;
  /// All beats were taken.
  bool drained() const { return beats_.done(); }
  /// One clock edge. `scratchpad` gives the data of a granted word.
  void step(std::int64_t cycle, bool granted, bool popped, const Scratchpad& scratchpad);
  /// Requests of this stream that another port's access delayed.
  std::int64_t conflicts() const { return conflicts_; }

 private:
  struct Place {
    std::array<std::uint8_t, Beat::kBytes> bytes;
    std::uint64_t address = 0;
    std::uint64_t end = 0;
    std::int64_t arrival = 0;
  };
  const Place& head() const { return fifo_[static_cast<std::size_t>(head_) % fifo_.size()]; }
  void fill_front();

  int read_latency_;
  std::int64_t word_bytes_;
  bool data_;
  std::vector<Place> fifo_;
  AccessCursor accesses_;
  StreamCursor beats_;
  Beat front_;  ///< The next beat, if its word was granted.
  std::int64_t start_ = 0;
  std::int64_t head_ = 0;  ///< Words handed out.
  std::int64_t tail_ = 0;  ///< Words granted.
  std::int64_t conflicts_ = 0;
};

/// Gathers a stream's beats into words and stores them through a FIFO of
/// writer_fifo_words words. A word whose last beat is pushed in cycle c
/// requests its bank from c + 1 on; granted in cycle g it is in the bank for
/// reads granted from g + 1 on, and its place is free from g + 1 on.
class StreamWriter {
 public:
  StreamWriter(const ScratchpadConfig& config, bool data);

  void start(const Stream* stream);
  bool ready() const { return tail_ - head_ < static_cast<std::int64_t>(fifo_.size()); }
  bool request(PortRequest& request) const;
  /// All beats of the stream have been pushed.
  bool all_given() const { return beats_.done(); }
  /// All beats of the stream have been stored.
  bool drained() const { return beats_.done() && head_ == tail_; }
  /// Beats pushed since the start, and where the next one belongs, if there is one.
  std::int64_t given() const { return given_; }
  std::optional<std::uint64_t> next_address() const {
    if (beats_.done()) return std::nullopt;
    return beats_.address();
  }
  /// One clock edge; `pushed` is the beat taken from the engine, or null. A
  /// beat too many, or of another size than the stream lists, is an
  /// InvariantError.
  void step(bool granted, const Beat* pushed, const Scratchpad& scratchpad);
  std::int64_t conflicts() const { return conflicts_; }

 private:
  struct Place {
    std::array<std::uint8_t, Beat::kBytes> bytes;
    std::uint64_t address = 0;
    std::int64_t size = 0;
  };
  std::int64_t word_bytes_;
  bool data_;
  std::vector<Place> fifo_;
  AccessCursor accesses_;
  StreamCursor beats_;
  std::int64_t given_ = 0;
  std::int64_t head_ = 0;
  std::int64_t tail_ = 0;  ///< Words complete; place tail_ is being gathered.
  std::int64_t conflicts_ = 0;
};

}  // namespace quadrille::hw
