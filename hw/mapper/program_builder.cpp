#include "hw/mapper/program_builder.h"

#include <algorithm>

namespace quadrille::hw {

Storage ProgramBuilder::new_storage() {
  storages_.emplace_back();
  return static_cast<Storage>(storages_.size()) - 1;
}

int ProgramBuilder::add(Operation operation, Phase phase, int head,
                        const std::vector<Storage>& reads, const std::vector<Storage>& writes) {
  const int id = static_cast<int>(program_.commands.size());
  Command command;
  command.operation = std::move(operation);
  command.phase = phase;
  command.head = head;
  command.layer = static_cast<int>(program_.layers.size()) - 1;
  auto& depends = command.depends_on;
  const auto depend = [&](const std::vector<int>& others) {
    depends.insert(depends.end(), others.begin(), others.end());
  };
  for (const Storage storage : reads) {
    Uses& uses = storages_[static_cast<std::size_t>(storage)];
    depend(uses.writers);
    uses.readers.push_back(id);
  }
  for (const Storage storage : writes) {
    Uses& uses = storages_[static_cast<std::size_t>(storage)];
    if (!uses.readers.empty()) {
      uses.replaced = std::move(uses.writers);
      uses.replaced.insert(uses.replaced.end(), uses.readers.begin(), uses.readers.end());
      uses.writers.clear();
      uses.readers.clear();
    }
    depend(uses.replaced);
    uses.writers.push_back(id);
  }
  std::sort(depends.begin(), depends.end());
  depends.erase(std::unique(depends.begin(), depends.end()), depends.end());
  program_.commands.push_back(std::move(command));
  return id;
}

void ProgramBuilder::begin_layer(const std::string& name) { program_.layers.push_back(name); }

}  // namespace quadrille::hw
