// The cache of verilated engines: one shared library per engine, size and sources,
// which `quadrille rtl build` makes and a run loads.
//
// A library's name is its key: engine, size and a digest of everything that it is made
// from, so that what was built from other sources is never found. It contains Verilator's
// runtime: which Verilator and compiler made it does not matter to who loads it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "app/rtl/rtl_sources.h"
#include "hw/engines/engine_entry.h"
#include "model/errors.h"

namespace quadrille::app {

/// A library that is there or could be.
struct CachedRtl {
  hw::RtlDesign design;
  RtlSources sources;
  bool waves = false;
  std::string key;
  std::string file;

  bool built() const;
  /// Loads it. InputError when it is not there, is damaged or speaks another interface.
  std::shared_ptr<const hw::RtlLibrary> open() const;
};

class RtlCache {
 public:
  /// QUADRILLE_RTL_CACHE where it is set; the build folder's rtl/cache for a program
  /// that lies in it; else the user's cache folder.
  RtlCache();
  explicit RtlCache(std::string folder) : folder_(std::move(folder)) {}

  const std::string& folder() const { return folder_; }
  /// The library of a design from the shipped sources.
  CachedRtl at(const hw::RtlDesign& design, bool waves) const;
  /// The library of a design from other sources.
  CachedRtl at(const hw::RtlDesign& design, RtlSources sources, bool waves) const;

 private:
  std::string folder_;
};

/// The words after `quadrille rtl build` that make the library of `design` of `chip`.
std::string rtl_build_words(const hw::ChipConfig& chip, const hw::RtlDesign& design, bool waves);

/// The library of a design is not in the cache: the message has the command that builds it.
class RtlNotBuilt : public InputError {
 public:
  using InputError::InputError;
};

/// Loads from the cache; throws RtlNotBuilt, which names the chip's file and the sizes.
hw::FindRtl find_in_cache(RtlCache cache = {});

/// `bodies`; where they do not say how RTL is found, it is found in the cache.
hw::RtlBodies or_cached(hw::RtlBodies bodies);

}  // namespace quadrille::app
