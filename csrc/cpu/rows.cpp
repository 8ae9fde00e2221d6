#include "rows.h"

#include <algorithm>

namespace lrcn_fast::cpu {

void deal_rows(const LstmShape& shape, int64_t groups, int64_t* row, int64_t* first) {
  int64_t place = 0;
  for (int64_t group = 0; group < groups; ++group) {
    first[group] = place;
    for (int64_t b = group; b < shape.batch; b += groups) row[place++] = b;
    if (shape.lengths != nullptr) {
      const int64_t* lengths = shape.lengths;
      std::stable_sort(row + first[group], row + place,
                       [lengths](int64_t a, int64_t b) { return lengths[a] > lengths[b]; });
    }
  }
  first[groups] = place;
}

}  // namespace lrcn_fast::cpu
