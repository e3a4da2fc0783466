// A line of progress on a terminal, and nothing anywhere else.
#pragma once

#include <unistd.h>

#include <cstdio>
#include <string>

namespace quadrille::app {

class Progress {
 public:
  Progress() : terminal_(::isatty(STDERR_FILENO) == 1) {}
  ~Progress() { clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void show(const std::string& text) {
    if (terminal_) std::fprintf(stderr, "\r\033[K%s", text.c_str());
  }
  void clear() { show(""); }

 private:
  bool terminal_;
};

}  // namespace quadrille::app
