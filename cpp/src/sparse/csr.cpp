#include "recocore/csr.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "recocore/error.hpp"
#include "recocore/memory.hpp"

namespace recocore {
namespace {

constexpr std::int64_t kRowsBetweenPolls = 1024;

std::size_t at(std::int64_t i) {
  return static_cast<std::size_t>(i);
}

std::string quoted(std::string_view argument) {
  return std::string(argument);
}

/// Turns counts (shifted by one) into row starts.
void accumulate(std::vector<std::int64_t>& indptr) {
  for (std::size_t r = 1; r < indptr.size(); ++r) indptr[r] += indptr[r - 1];
}

float merged(float earlier, float later, Duplicates duplicates) {
  switch (duplicates) {
    case Duplicates::sum: return earlier + later;
    case Duplicates::last: return later;
    case Duplicates::max: return std::max(earlier, later);
  }
  return later;
}

}  // namespace

void validate_outline(const CsrPattern& matrix, std::string_view argument) {
  require(matrix.rows >= 0 && matrix.cols >= 0 && matrix.cols <= INT32_MAX, [&] {
    return quoted(argument) + ": expected a shape with rows >= 0 and 0 <= columns < 2**31, got " +
           std::to_string(matrix.rows) + " x " + std::to_string(matrix.cols);
  });
  require(std::ssize(matrix.indptr) == matrix.rows + 1, [&] {
    return quoted(argument) + ".indptr: expected rows + 1 = " + std::to_string(matrix.rows + 1) + " elements, got " +
           std::to_string(matrix.indptr.size());
  });
  require(matrix.indptr.front() == 0 && matrix.indptr.back() == std::ssize(matrix.indices), [&] {
    return quoted(argument) + ".indptr: expected to run from 0 to the number of indices, " +
           std::to_string(matrix.indices.size()) + ", got " + std::to_string(matrix.indptr.front()) + " to " +
           std::to_string(matrix.indptr.back());
  });
}

void validate_outline(const CsrView& matrix, std::string_view argument) {
  validate_outline(static_cast<const CsrPattern&>(matrix), argument);
  require(matrix.values.size() == matrix.indices.size(), [&] {
    return quoted(argument) + ".values: expected one for each index, " + std::to_string(matrix.indices.size()) +
           ", got " + std::to_string(matrix.values.size());
  });
}

void validate_row(const CsrPattern& matrix, std::int64_t row, std::string_view argument) {
  const std::int64_t begin = matrix.indptr[at(row)];
  const std::int64_t end = matrix.indptr[at(row) + 1];
  require(0 <= begin && begin <= end && end <= std::ssize(matrix.indices), [&] {
    return quoted(argument) + ".indptr: expected numbers that never fall, got " + std::to_string(begin) + " then " +
           std::to_string(end) + " at row " + std::to_string(row);
  });
  for (const std::int32_t c : matrix.row(row)) {
    require(c >= 0 && c < matrix.cols, [&] {
      return quoted(argument) + ".indices: expected numbers in [0, " + std::to_string(matrix.cols) + "), got " +
             std::to_string(c) + " in row " + std::to_string(row);
    });
  }
}

void validate_row(const CsrView& matrix, std::int64_t row, std::string_view argument) {
  validate_row(static_cast<const CsrPattern&>(matrix), row, argument);
  for (const float v : matrix.row_values(row)) {
    require(std::isfinite(v), [&] {
      return quoted(argument) + ": expected finite values, got " + std::to_string(v) + " in row " + std::to_string(row);
    });
  }
}

void validate(const CsrPattern& matrix, std::string_view argument) {
  validate_outline(matrix, argument);
  for (std::int64_t r = 0; r < matrix.rows; ++r) validate_row(matrix, r, argument);
}

void validate(const CsrView& matrix, std::string_view argument, const Execution& execution) {
  validate_outline(matrix, argument);
  // One thread: the first bad row is the one to name.
  parallel_for({1, execution.monitor}, matrix.rows, kRowsBetweenPolls, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t r = begin; r < end; ++r) validate_row(matrix, r, argument);
  });
}

CsrMatrix csr_from_coo(std::span<const std::int32_t> row_ids, std::span<const std::int32_t> col_ids,
                       std::span<const float> values, std::int64_t rows, std::int64_t cols, Duplicates duplicates) {
  require(rows >= 0 && rows <= INT32_MAX && cols >= 0 && cols <= INT32_MAX, [&] {
    return "shape: expected 0 <= rows, columns < 2**31, got " + std::to_string(rows) + " x " + std::to_string(cols);
  });
  require(row_ids.size() == col_ids.size() && row_ids.size() == values.size(), [&] {
    return "rows, cols, values: expected equal lengths, got " + std::to_string(row_ids.size()) + ", " +
           std::to_string(col_ids.size()) + ", " + std::to_string(values.size());
  });
  const std::size_t entries = row_ids.size();
  MemoryBudget budget("csr_from_coo");
  budget.take(rows + rows + cols, sizeof(std::int64_t), "use fewer rows or columns");
  budget.take(std::ssize(row_ids), 2 * sizeof(std::int64_t), "use fewer entries at a time");
  for (std::size_t e = 0; e < entries; ++e) {
    require(row_ids[e] >= 0 && row_ids[e] < rows && col_ids[e] >= 0 && col_ids[e] < cols, [&] {
      return "rows, cols: expected coordinates inside " + std::to_string(rows) + " x " + std::to_string(cols) +
             ", got (" + std::to_string(row_ids[e]) + ", " + std::to_string(col_ids[e]) + ") at position " +
             std::to_string(e);
    });
    require(std::isfinite(values[e]), [&] {
      return "values: expected finite values, got " + std::to_string(values[e]) + " at position " + std::to_string(e);
    });
  }

  // Two stable counting sorts, by column and then by row, leave each row ordered by column and duplicates in input
  // order.
  std::vector<std::int64_t> column_start(at(cols) + 1, 0);
  for (const std::int32_t c : col_ids) ++column_start[at(c) + 1];
  accumulate(column_start);
  std::vector<std::int64_t> by_column(entries);
  for (std::size_t e = 0; e < entries; ++e)
    by_column[at(column_start[at(col_ids[e])]++)] = static_cast<std::int64_t>(e);

  CsrMatrix result{rows, cols, std::vector<std::int64_t>(at(rows) + 1, 0), {}, {}};
  for (const std::int32_t r : row_ids) ++result.indptr[at(r) + 1];
  accumulate(result.indptr);
  result.indices.resize(entries);
  result.values.resize(entries);
  std::vector<std::int64_t> next(result.indptr.begin(), result.indptr.end() - 1);
  for (const std::int64_t e : by_column) {
    const std::size_t to = at(next[at(row_ids[at(e)])]++);
    result.indices[to] = col_ids[at(e)];
    result.values[to] = values[at(e)];
  }

  std::size_t written = 0;
  std::size_t read = 0;
  for (std::size_t r = 0; r < at(rows); ++r) {
    const std::size_t row_begin = written;
    const std::size_t row_end = at(result.indptr[r + 1]);
    for (; read < row_end; ++read) {
      if (written > row_begin && result.indices[written - 1] == result.indices[read]) {
        result.values[written - 1] = merged(result.values[written - 1], result.values[read], duplicates);
      } else {
        result.indices[written] = result.indices[read];
        result.values[written] = result.values[read];
        ++written;
      }
    }
    result.indptr[r] = static_cast<std::int64_t>(row_begin);
  }
  result.indptr[at(rows)] = static_cast<std::int64_t>(written);
  result.indices.resize(written);
  result.values.resize(written);
  return result;
}

CsrMatrix transpose(const CsrView& matrix, const Execution& execution) {
  MemoryBudget budget("transpose");
  budget.take(2 * matrix.cols, sizeof(std::int64_t), "use fewer columns");
  budget.take(matrix.nnz(), sizeof(std::int32_t) + sizeof(float), "use fewer entries at a time");
  CsrMatrix result{matrix.cols, matrix.rows, std::vector<std::int64_t>(at(matrix.cols) + 1, 0), {}, {}};
  const std::span used = matrix.indices.first(at(matrix.nnz()));
  for (const std::int32_t c : used) ++result.indptr[at(c) + 1];
  accumulate(result.indptr);
  result.indices.resize(used.size());
  result.values.resize(used.size());
  std::vector<std::int64_t> next(result.indptr.begin(), result.indptr.end() - 1);
  const auto place = [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t r = begin; r < end; ++r) {
      const auto columns = matrix.row(r);
      const auto values = matrix.row_values(r);
      for (std::size_t e = 0; e < columns.size(); ++e) {
        const std::size_t to = at(next[at(columns[e])]++);
        result.indices[to] = static_cast<std::int32_t>(r);
        result.values[to] = values[e];
      }
    }
  };
  parallel_for({1, execution.monitor}, matrix.rows, kRowsBetweenPolls, place);
  return result;
}

}  // namespace recocore
