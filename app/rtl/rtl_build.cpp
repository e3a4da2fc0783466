#include "app/rtl/rtl_build.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <regex>

#include "app/files/atomic_file.h"
#include "app/files/hash.h"
#include "app/files/process.h"
#include "model/errors.h"

namespace quadrille::app {
namespace {
namespace fs = std::filesystem;

const std::array<std::string, 3> kNoFaults = {"-Wno-UNUSEDSIGNAL", "-Wno-UNUSEDPARAM",
                                              "-Wno-CMPCONST"};

/// Holds a lock file until its end: who else wants it waits.
class FileLock {
 public:
  explicit FileLock(const std::string& path)
      : descriptor_(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666)) {
    if (descriptor_ < 0 || ::flock(descriptor_, LOCK_EX) != 0)
      throw InputError(path, "lock", std::strerror(errno));
  }
  ~FileLock() { ::close(descriptor_); }
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  int descriptor_;
};

/// A folder for one build, beside its place: removed at the end, whatever happens, and
/// by the next build when this one is killed.
class BuildFolder {
 public:
  explicit BuildFolder(const std::string& path) : path_(path) {
    fs::remove_all(path_);
    std::error_code error;
    fs::create_directories(path_, error);
    if (error) throw InputError(path_, "RTL cache", "cannot be written: " + error.message());
  }
  ~BuildFolder() {
    std::error_code ignored;
    if (!kept_) fs::remove_all(path_, ignored);
  }
  BuildFolder(const BuildFolder&) = delete;
  BuildFolder& operator=(const BuildFolder&) = delete;

  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  /// A log that a message names stays.
  void keep() { kept_ = true; }

 private:
  std::string path_;
  bool kept_ = false;
};

std::string compiler() {
  const char* given = std::getenv("CXX");
  return given == nullptr || *given == '\0' ? "c++" : given;
}

/// The standard output of a program; throws InputError saying what the program is for.
std::string output_of(const std::vector<std::string>& command, const std::string& what_for) {
  std::string log = fs::temp_directory_path().string() + "/quadrille-XXXXXX";
  const int made = ::mkstemp(log.data());
  if (made < 0) throw InputError(log, "temporary file", std::strerror(errno));
  ::close(made);
  const int status = run_job({command, log});
  const std::string text = status == 0 ? read_bytes(log) : "";
  fs::remove(log);
  if (status != 0) {
    throw InputError("rtl build", command.front(),
                     fmt::format("does not run (status {}); {}", status, what_for));
  }
  return text.substr(0, text.find_last_not_of("\n ") + 1);
}

std::string verilator_root() {
  return output_of({"verilator", "--getenv", "VERILATOR_ROOT"},
                   "install Verilator, which turns the RTL into C++ (Debian: verilator)");
}

/// The first error or warning of Verilator's output: its text, and where it was found.
std::string first_complaint(const std::string& text) {
  static const std::regex complaint(R"(^%(Error|Warning)[^:\n]*: .*$)", std::regex::multiline);
  std::smatch found;
  if (!std::regex_search(text, found, complaint)) return text.substr(0, text.find('\n'));
  return found.str();
}

/// The parameters that a complaint is about: those whose names it has, else all.
std::vector<hw::RtlParameter> named_in(const std::string& text, const hw::RtlDesign& design) {
  std::vector<hw::RtlParameter> named;
  for (const hw::RtlParameter& parameter : design.parameters) {
    if (std::regex_search(text, std::regex("\\b" + parameter.parameter + "\\b")))
      named.push_back(parameter);
  }
  return named.empty() ? design.parameters : named;
}

[[noreturn]] void fail(const CachedRtl& rtl, const std::string& chip_source, const std::string& log,
                       const std::string& tool) {
  const std::string text = read_bytes(log);
  throw InputError(chip_source, hw::describe(named_in(text, rtl.design)),
                   fmt::format("{} refuses rtl/{} of this size: {} (whole text: {})", tool,
                               rtl.design.engine, first_complaint(text), log));
}

/// Verilator's words for the design, with the generated sources written to `folder`.
std::vector<std::string> verilator_words(const CachedRtl& rtl, const BuildFolder& folder) {
  std::vector<std::string> words = {"verilator",    "--assert",       "-Wall",       "-O3",
                                    "--top-module", rtl.design.top(), "--prefix",    "Vengine",
                                    "--x-assign",   "fast",           "--x-initial", "fast"};
  for (const hw::RtlParameter& parameter : rtl.design.parameters)
    words.push_back(fmt::format("-G{}={}", parameter.parameter, parameter.value));
  for (const std::string& option : rtl.design.verilator_options) words.push_back(option);
  for (const std::string& path : rtl.sources.waivers) words.push_back(path);
  for (const std::string& path : rtl.sources.modules) words.push_back(path);
  for (const auto& [name, text] : rtl.sources.generated) {
    write_file(folder / name, text);
    words.push_back(folder / name);
  }
  if (rtl.waves) {
    write_file(folder / "bind_probes.sv", bind_probes(rtl.design));
    words.push_back(rtl.sources.interface + "/quadrille_probe.sv");
    words.push_back(folder / "bind_probes.sv");
    words.emplace_back("--trace-fst");
  }
  return words;
}

/// With `style`, all of Verilator's warnings; else not those of bits that this size leaves
/// unused and of comparisons that it makes constant, which are no fault.
void lint(const CachedRtl& rtl, const std::string& chip_source, BuildFolder& folder, bool style) {
  std::vector<std::string> words = verilator_words(rtl, folder);
  words.emplace_back("--lint-only");
  if (!style) words.insert(words.end(), kNoFaults.begin(), kNoFaults.end());
  if (run_job({words, folder / "lint.log"}) == 0) return;
  folder.keep();
  fail(rtl, chip_source, folder / "lint.log", "Verilator");
}

/// Verilator's files of one kind as one that includes them all: `slow` is what runs once.
void include_all(const std::string& folder, bool slow, const std::string& file) {
  std::vector<std::string> names;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    const bool runs_once = name.find("__Slow.cpp") != std::string::npos;
    if (entry.path().extension() == ".cpp" && runs_once == slow) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  std::string text;
  for (const std::string& name : names) text += fmt::format("#include \"{}\"\n", name);
  write_file(file, text);
}

std::vector<std::string> compile_words(const std::string& root, const std::string& optimisation) {
  return {compiler(),
          "-std=c++17",
          "-fPIC",
          "-fvisibility=hidden",
          "-fno-gnu-unique",
          "-w",
          optimisation,
          "-DVM_COVERAGE=0",
          "-DVM_SC=0",
          "-DVM_TRACE=0",
          "-DVM_TRACE_FST=0",
          "-DVM_TRACE_VCD=0",
          "-I" + root + "/include",
          "-I" + root + "/include/vltstd"};
}

/// Runs compilations side by side; throws at the first that failed.
void compile(const CachedRtl& rtl, const std::string& chip_source, BuildFolder& folder,
             const std::vector<Job>& jobs) {
  const std::vector<int> statuses = run_jobs(jobs);
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    if (statuses[i] == 0) continue;
    folder.keep();
    fail(rtl, chip_source, jobs[i].log, "the C++ compiler");
  }
}

/// Verilator's runtime as objects in the cache, shared by the libraries that are linked
/// from it; compiled at the first build with these tools.
std::vector<std::string> runtime_objects(const CachedRtl& rtl, const std::string& chip_source,
                                         const std::string& root, BuildFolder& folder) {
  const std::string cache = fs::path(rtl.file).parent_path().string();
  std::vector<std::string> names = {"verilated", "verilated_threads"};
  if (rtl.waves) names.emplace_back("verilated_fst_c");
  const std::string tools = fmt::format("{:016x}", fnv1a_64(rtl_tools()));
  const FileLock lock(cache + "/.lock-runtime");
  std::vector<Job> jobs;
  std::vector<std::string> objects;
  for (const std::string& name : names) {
    objects.push_back(fmt::format("{}/.{}-{}.o", cache, name, tools));
    if (fs::exists(objects.back())) continue;
    std::vector<std::string> words = compile_words(root, "-O3");
    for (const std::string& word : {std::string("-c"), root + "/include/" + name + ".cpp",
                                    std::string("-o"), folder / (name + ".o")})
      words.push_back(word);
    jobs.push_back({words, folder / (name + ".log")});
  }
  compile(rtl, chip_source, folder, jobs);
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (!fs::exists(objects[i])) fs::rename(folder / (names[i] + ".o"), objects[i]);
  }
  return objects;
}

/// The library, in `folder`.
void build_in(const CachedRtl& rtl, const std::string& chip_source, BuildFolder& folder) {
  const std::string root = verilator_root();
  std::vector<std::string> verilator = verilator_words(rtl, folder);
  verilator.insert(verilator.end(), kNoFaults.begin(), kNoFaults.end());
  for (const std::string& word : {std::string("--cc"), std::string("--Mdir"), folder / "cc"})
    verilator.push_back(word);
  if (run_job({verilator, folder / "verilate.log"}) != 0) {
    folder.keep();
    fail(rtl, chip_source, folder / "verilate.log", "Verilator");
  }
  include_all(folder / "cc", false, folder / "cc/all.cc");
  include_all(folder / "cc", true, folder / "cc/slow.cc");
  write_file(folder / "cc/engine_pins.h", engine_pins_header(rtl.design, rtl.key, rtl.waves));
  const std::vector<std::string> objects = runtime_objects(rtl, chip_source, root, folder);
  std::vector<Job> jobs;
  const auto add = [&](const std::string& source, const std::string& object,
                       const std::string& optimisation) {
    std::vector<std::string> words = compile_words(root, optimisation);
    for (const std::string& word : {"-I" + (folder / "cc"), "-I" + rtl.sources.interface,
                                    std::string("-c"), source, std::string("-o"), folder / object})
      words.push_back(word);
    jobs.push_back({words, folder / (object + ".log")});
  };
  // A waveform's writer is large, and its run is not measured.
  add(folder / "cc/all.cc", "all.o", rtl.waves ? "-O1" : rtl.design.optimisation);
  add(folder / "cc/slow.cc", "slow.o", "-O0");
  add(rtl.sources.interface + "/quadrille_rtl.cpp", "interface.o", "-O2");
  compile(rtl, chip_source, folder, jobs);
  std::vector<std::string> link = {
      compiler(),       "-shared",         "-Wl,-Bsymbolic",      "-o", folder / "library.so",
      folder / "all.o", folder / "slow.o", folder / "interface.o"};
  link.insert(link.end(), objects.begin(), objects.end());
  for (const char* word : {"-lz", "-pthread"}) link.emplace_back(word);
  compile(rtl, chip_source, folder, {{link, folder / "link.log"}});
}

/// Folders of builds that were killed: whoever holds the library's lock is the only one
/// that builds. Their compilers may still run; a folder that is gone stops them.
void remove_left_behind(const std::string& cache, const std::string& prefix) {
  for (const fs::directory_entry& entry : fs::directory_iterator(cache)) {
    std::error_code ignored;
    if (entry.path().filename().string().rfind(prefix, 0) == 0) fs::remove_all(entry, ignored);
  }
}

std::string tools_file(const CachedRtl& rtl) { return rtl.file + ".tools"; }

}  // namespace

std::string rtl_tools() {
  const std::string verilator =
      output_of({"verilator", "--version"},
                "install Verilator, which turns the RTL into C++ (Debian: verilator)");
  const std::string version =
      output_of({compiler(), "-dumpfullversion", "-dumpversion"}, "set CXX to a C++ compiler");
  return fmt::format("{}, {} {}", verilator, compiler(), version);
}

std::string rtl_tools_of(const CachedRtl& rtl) {
  std::error_code error;
  return fs::exists(tools_file(rtl), error) ? read_bytes(tools_file(rtl)) : "";
}

void require_rtl_limits(const hw::RtlDesign& design, const std::string& chip_source) {
  for (const hw::RtlLimit& limit : design.limits) {
    if (limit.kept) continue;
    throw InputError(chip_source, limit.key,
                     fmt::format("the RTL of {} needs {} (found {}); the SystemC body does not",
                                 design.engine, limit.rule, hw::describe(design.parameters)));
  }
}

void lint_rtl(const CachedRtl& rtl, const std::string& chip_source) {
  require_rtl_limits(rtl.design, chip_source);
  BuildFolder folder(fmt::format("{}/.lint-{}-{}", fs::path(rtl.file).parent_path().string(),
                                 rtl.key, ::getpid()));
  lint(rtl, chip_source, folder, true);
}

hw::FindRtl find_or_offer() {
  return [](const hw::ChipConfig& chip, const hw::RtlDesign& design, bool waves) {
    try {
      return find_in_cache()(chip, design, waves);
    } catch (const RtlNotBuilt& missing) {
      if (::isatty(STDIN_FILENO) == 0 || ::isatty(STDERR_FILENO) == 0) throw;
      fmt::print(stderr, "{}\nBuild it now? [Y/n] ", missing.what());
      std::string answer;
      if (!std::getline(std::cin, answer) ||
          !(answer.empty() || answer[0] == 'y' || answer[0] == 'Y'))
        throw;
    }
    const CachedRtl rtl = RtlCache().at(design, waves);
    build_rtl(rtl, chip.source());
    return rtl.open();
  };
}

RtlBuild build_rtl(const CachedRtl& rtl, const std::string& chip_source) {
  require_rtl_limits(rtl.design, chip_source);
  const std::string cache = fs::path(rtl.file).parent_path().string();
  std::error_code error;
  fs::create_directories(cache, error);
  if (error) throw InputError(cache, "RTL cache", "cannot be written: " + error.message());
  const std::string tools = rtl_tools();
  const FileLock lock(fmt::format("{}/.lock-{}", cache, rtl.key));
  if (rtl.built() && rtl_tools_of(rtl) == tools) return RtlBuild::kThere;
  const std::string prefix = ".build-" + rtl.key + "-";
  remove_left_behind(cache, prefix);
  BuildFolder folder(fmt::format("{}/{}{}", cache, prefix, ::getpid()));
  lint(rtl, chip_source, folder, false);
  build_in(rtl, chip_source, folder);
  // A library that cannot be loaded must not appear.
  { const hw::RtlLibrary loads(folder / "library.so", rtl.key); }
  fs::rename(folder / "library.so", rtl.file);
  write_file(tools_file(rtl), tools);
  return RtlBuild::kBuilt;
}

}  // namespace quadrille::app
