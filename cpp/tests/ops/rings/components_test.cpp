#include "recocore/rings/components.hpp"

#include <doctest/doctest.h>

#include <vector>

using namespace recocore;

TEST_CASE("a component is labelled by its smallest index, and a hub connects nobody") {
  const std::vector<std::int32_t> account{0, 1, 1, 2, 3, 0, 3};
  const std::vector<std::int32_t> entity{0, 0, 1, 2, 2, 3, 3};
  const BipartiteEdges edges{5, 4, account, entity, {}};
  CHECK(connected_components(edges, 0) == std::vector<std::int32_t>{0, 0, 0, 0, 4, 0, 0, 0, 0});
  const std::vector<std::int32_t> more_account{0, 1, 2, 3, 4, 2, 3};
  const std::vector<std::int32_t> more_entity{0, 0, 0, 0, 0, 1, 1};
  CHECK(connected_components({5, 2, more_account, more_entity, {}}, 4) ==
        std::vector<std::int32_t>{0, 1, 2, 2, 4, -1, 2});
}
