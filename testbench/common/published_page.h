// Pages of docs/ that a test makes and is held to.
//
// With QUADRILLE_BLESS=1 the page is written and the test fails all the same: a
// run that rewrote what it should be compared with has compared nothing.
#pragma once

#include <string>

namespace quadrille::testbench {

/// The text of docs/`name`; fails the test when there is no such page.
std::string published(const std::string& name);

/// Writes docs/`name` when blessing, fails the running test with what changed,
/// and returns true; else returns false. It serves pages that a test compares in
/// its own way.
bool blessed(const std::string& name, const std::string& page);

/// Expects docs/`name` to be `page`, line by line, unless blessed().
void expect_published(const std::string& name, const std::string& page);

/// The same for the part of docs/`name` between the lines "<!-- generated: `what` -->"
/// and "<!-- end: `what` -->"; the rest is written by hand.
void expect_published_part(const std::string& name, const std::string& what,
                           const std::string& part);

}  // namespace quadrille::testbench
