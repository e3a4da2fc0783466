// docs/model_vs_rtl.md from the table that `quadrille regress --cycles` writes.
#pragma once

#include <string>

namespace quadrille::testbench {

std::string model_vs_rtl_page(const std::string& table);

}  // namespace quadrille::testbench
