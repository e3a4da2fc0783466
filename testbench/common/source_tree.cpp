#include "testbench/common/source_tree.h"

namespace quadrille::testbench {

const std::string& source_folder() {
  static const std::string folder = QUADRILLE_SOURCE_DIR;
  return folder;
}

const std::string& program_path() {
  static const std::string path = QUADRILLE_PROGRAM;
  return path;
}

}  // namespace quadrille::testbench
