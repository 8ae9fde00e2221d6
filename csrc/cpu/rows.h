#pragma once

#include <cstdint>

#include "lrcn_fast/lstm.h"

namespace lrcn_fast::cpu {

// Deals the rows of a batch out to groups of threads and sorts each group by descending length, so that the
// rows that are valid at a step are the first ones of their group.
// row (B,): the caller's row at each place; first (groups + 1,): the first place of each group.
void deal_rows(const LstmShape& shape, int64_t groups, int64_t* row, int64_t* first);

}  // namespace lrcn_fast::cpu
