// Question: is a QUADRILLE_* variable that means nothing a failure?
#include "testbench/common/environment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <stdexcept>

namespace quadrille::testbench {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(Environment, WholeNumbersInRange) {
  EXPECT_EQ(parse_environment_number("QUADRILLE_SEED", "1"), 1u);
  EXPECT_EQ(parse_environment_number("QUADRILLE_SEED", "18446744073709551615"), ~std::uint64_t{0});
  EXPECT_EQ(parse_environment_number("QUADRILLE_LOCKSTEP_RUNS", "100"), 100u);
}

TEST(Environment, ZeroAndGarbageAreRefused) {
  for (const char* text : {"", "0", "00", "-1", "+1", " 1", "1 ", "0x10", "1e3", "12a", "seven",
                           "18446744073709551616"}) {
    EXPECT_THROW(parse_environment_number("QUADRILLE_SEED", text), std::invalid_argument) << text;
    EXPECT_THROW(parse_environment_number("QUADRILLE_RANDOM_CASES", text), std::invalid_argument)
        << text;
  }
  EXPECT_THROW(parse_environment_number("QUADRILLE_LOCKSTEP_RUNS", "99"), std::invalid_argument);
  EXPECT_THROW(parse_environment_number("QUADRILLE_BLESS", "0"), std::invalid_argument);
  EXPECT_THROW(parse_environment_number("QUADRILLE_BLESS", "yes"), std::invalid_argument);
}

TEST(Environment, EveryFaultIsNamedBeforeTheFirstTest) {
  EXPECT_THAT(environment_faults({"PATH=/bin", "QUADRILLE_SEED=7", "QUADRILLE_COVERAGE=some/file"}),
              IsEmpty());
  EXPECT_THAT(environment_faults({"QUADRILLE_SEDE=7", "QUADRILLE_RANDOM_CASES=0"}),
              ElementsAre(HasSubstr("QUADRILLE_SEDE is no variable of the tests"),
                          HasSubstr("QUADRILLE_RANDOM_CASES is '0', expected a whole number")));
}

TEST(Environment, AReaderThrowsForAValueThatWasNotChecked) {
  const char* before = std::getenv("QUADRILLE_RANDOM_CASES");
  const std::string kept = before == nullptr ? "" : before;
  ::setenv("QUADRILLE_RANDOM_CASES", "0", 1);
  EXPECT_THROW(random_cases(5), std::invalid_argument);
  ::setenv("QUADRILLE_RANDOM_CASES", "12", 1);
  EXPECT_EQ(random_cases(5), 12);
  ::unsetenv("QUADRILLE_RANDOM_CASES");
  EXPECT_EQ(random_cases(5), 5);
  if (before != nullptr) ::setenv("QUADRILLE_RANDOM_CASES", kept.c_str(), 1);
}

}  // namespace
}  // namespace quadrille::testbench
