// Files that come with the program: chips/NAME.yaml, workloads/NAME.yaml.
#pragma once

#include <string>
#include <vector>

namespace quadrille::app {

/// The folder of the repository (or installation) that holds chips/,
/// workloads/, technology/, traces/ and checkpoints/: the source directory of the
/// build, or else the parent of the program's own folder.
std::string shipped_root();

/// Names (without .yaml) of the shipped files of `folder`, sorted.
std::vector<std::string> shipped_names(const std::string& folder);

/// What a YAML file says of itself: the first sentence of the comment it begins with, on one
/// line and without its full stop. "" where there is none.
std::string description_of(const std::string& path);

/// The path for what the user gave: a path to a file, or the name of a shipped
/// file. InputError naming `option` and the nearest name if it is neither.
std::string find_file(const std::string& option, const std::string& folder,
                      const std::string& given);

}  // namespace quadrille::app
