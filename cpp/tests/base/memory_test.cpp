#include "recocore/memory.hpp"

#include <doctest/doctest.h>

#include <limits>

#include "recocore/error.hpp"

namespace recocore {
namespace {

std::int64_t a_gigabyte() noexcept {
  return 1'000'000'000;
}
std::int64_t nothing() noexcept {
  return 0;
}

TEST_CASE("the system has memory") {
  CHECK(available_memory() > 0);
}

TEST_CASE("a budget refuses what goes beyond it and keeps the rest") {
  MemoryBudget budget("similarity", &a_gigabyte);
  budget.take(600'000'000, "lower k");
  CHECK_THROWS_WITH_AS(
      budget.take(500'000'000, "lower k"),
      "similarity: needs 500 MB beside the 600 MB in use, more than the 1000 MB that are free; lower k", Error);
  budget.take(400'000, 1000, "lower k");
  CHECK_THROWS_AS(budget.take(1, "lower k"), Error);
}

TEST_CASE("a product beyond 64 bits is too much") {
  MemoryBudget budget("similarity", &a_gigabyte);
  CHECK_THROWS_AS(budget.take(std::numeric_limits<std::int64_t>::max() / 2, 3, ""), Error);
  budget.take(0, std::numeric_limits<std::int64_t>::max(), "");
}

TEST_CASE("a small need is met without asking the system") {
  MemoryBudget budget("similarity", &nothing);
  budget.take(MemoryBudget::kUnasked, "lower k");
  try {
    budget.take(1, "lower k");
    FAIL("expected an error");
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::out_of_memory);
  }
}

}  // namespace
}  // namespace recocore
