// Processes of the program that a test starts, watches and ends.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "testbench/common/source_tree.h"
#include "testbench/common/temporary_folder.h"

namespace quadrille::testbench {

/// What /proc says of a process behind its name: "S 1 ..."; "" if it is gone.
inline std::string states_and_parents(pid_t id) {
  const std::string stat = TemporaryFolder::read("/proc/" + std::to_string(id) + "/stat");
  const std::size_t name_end = stat.rfind(')');
  return name_end == std::string::npos ? "" : stat.substr(name_end + 2);
}

/// Whether a process runs, and is neither a zombie nor gone.
inline bool alive(pid_t id) {
  const std::string stat = states_and_parents(id);
  return !stat.empty() && stat.front() != 'Z' && stat.front() != 'X';
}

inline std::vector<pid_t> children_of(pid_t parent) {
  std::vector<pid_t> children;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string name = entry.path().filename().string();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    const pid_t id = std::stoi(name);
    std::istringstream stat(states_and_parents(id));
    std::string state;
    pid_t of = 0;
    if (stat >> state >> of && of == parent && state != "Z") children.push_back(id);
  }
  return children;
}

/// Polls for at most a minute, which nothing here needs.
inline bool eventually(const std::function<bool()>& holds) {
  for (int i = 0; i < 30000; ++i) {
    if (holds()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return false;
}

/// Starts the program with what it says going to the file `output`; returns at once.
inline pid_t start_program(const std::vector<std::string>& arguments, const std::string& output) {
  const pid_t id = ::fork();
  if (id != 0) return id;
  ::dup2(::open("/dev/null", O_RDONLY), 0);
  const int said = ::open(output.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0666);
  ::dup2(said, 1);
  ::dup2(said, 2);
  std::vector<char*> words = {const_cast<char*>("quadrille")};
  for (const std::string& argument : arguments)
    words.push_back(const_cast<char*>(argument.c_str()));
  words.push_back(nullptr);
  ::execv(program_path().c_str(), words.data());
  ::_exit(127);
}

}  // namespace quadrille::testbench
