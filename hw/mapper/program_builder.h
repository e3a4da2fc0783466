// Builds a program whose dependencies follow from what each command reads and
// writes, so that a mapper never lists them by hand.
#pragma once

#include <utility>
#include <vector>

#include "hw/sequencer/program.h"

namespace quadrille::hw {

/// A piece of storage (a scratchpad buffer, a group of macros) whose uses must
/// be ordered. Several writes without a read between them are parts of one
/// content; the first write after a read replaces it.
using Storage = int;

class ProgramBuilder {
 public:
  Storage new_storage();

  /// Appends a command. It depends on the writers of what it reads and, for
  /// what it writes, on the readers and writers of the content it replaces.
  int add(Operation operation, Phase phase, int head, const std::vector<Storage>& reads,
          const std::vector<Storage>& writes);

  /// Following commands belong to this layer of the report.
  void begin_layer(const std::string& name);

  Program take() { return std::move(program_); }

 private:
  struct Uses {
    std::vector<int> replaced;  ///< Uses of the previous content.
    std::vector<int> writers;
    std::vector<int> readers;
  };
  std::vector<Uses> storages_;
  Program program_;
};

/// Two or more equal buffers used in turn.
template <typename T>
class Rotation {
 public:
  explicit Rotation(std::vector<T> slots) : slots_(std::move(slots)) {}
  const T& next() { return slots_[turn_++ % slots_.size()]; }
  std::size_t size() const { return slots_.size(); }

 private:
  std::vector<T> slots_;
  std::size_t turn_ = 0;
};

}  // namespace quadrille::hw
