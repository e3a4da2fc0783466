// Question: is a technology table read as it is written, and refused when a
// row is missing, doubled, misspelt or out of range?
#include "app/config/technology_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/errors.h"
#include "testbench/common/source_tree.h"
#include "testbench/common/temporary_folder.h"

namespace quadrille::testbench {
namespace {

const std::string kShipped = source_path("technology/cmos28.yaml");

class TechnologyFile : public testing::Test {
 protected:
  /// The shipped table with its first `from` replaced by `to`.
  void refuse(const std::string& from, const std::string& to, const std::string& part) {
    std::string text = TemporaryFolder::read(kShipped);
    const std::size_t at = text.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    text.replace(at, from.size(), to);
    try {
      app::read_technology_file(folder_.write("table.yaml", text));
      ADD_FAILURE() << to << " was accepted";
    } catch (const InputError& error) {
      EXPECT_THAT(error.what(), testing::HasSubstr("table.yaml"));
      EXPECT_THAT(error.what(), testing::HasSubstr(part));
    }
  }
  TemporaryFolder folder_;
};

TEST_F(TechnologyFile, TheShippedTableHasEveryRowAndSource) {
  const hw::Technology table = app::read_technology_file(kShipped);
  EXPECT_EQ(table.name(), "cmos28");
  EXPECT_DOUBLE_EQ(table.value("dram.activation"), 1200.0);
  EXPECT_EQ(table.rows().size(), hw::required_technology_rows().size());
  for (const hw::TechnologyRow& row : table.rows()) {
    EXPECT_NE(row.source, "") << row.name;
    EXPECT_NE(row.unit, "") << row.name;
  }
  EXPECT_DOUBLE_EQ(table.sram(64).read_pj, 14.7);
}

TEST_F(TechnologyFile, RefusesWhatIsNotATable) {
  refuse("name: op.mac8", "name: op.mac9", "did you mean 'op.mac8'?");
  refuse("name: op.mac8", "name: op.addition", "again");
  refuse("  - {name: op.mac8,", "#", "op.mac8");
  refuse("value: 1.394", "value: -1", "value");
  refuse("value: 1.394", "valu: 1.394", "value");
  refuse("tag: found", "tag: fond", "found");
  refuse("capacity_kib: 16", "capacity_kib: 8", "rising");
  refuse("read_pj: 3.29", "read_pj: 0", "read_pj");
  refuse("sram:", "smar:", "sram");
}

}  // namespace
}  // namespace quadrille::testbench
