#include "ops/topk/allowed_part.hpp"

#include <algorithm>

#include "ops/topk/exclusions.hpp"
#include "recocore/selection.hpp"

namespace recocore {
namespace {

constexpr std::int32_t kNotHere = -1;

std::size_t at(std::int64_t i) {
  return static_cast<std::size_t>(i);
}

/// The shared allow-list without repetitions and blocked items, rising.
std::vector<std::int32_t> names_of(const CandidateFilter& filter, std::int64_t n_items) {
  ItemSet left_out(n_items);
  for (const std::int32_t item : filter.block) left_out.insert(item);
  std::vector<std::int32_t> names;
  names.reserve(filter.allow_shared->size());
  for (const std::int32_t item : *filter.allow_shared)
    if (left_out.insert(item)) names.push_back(item);
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

AllowedPart::AllowedPart(const TopkProblem& problem, const CandidateFilter& filter)
    : names_(names_of(filter, problem.items.rows)), problem_(problem) {
  gather_items(problem);
  gather_lists(filter, problem.items.rows);
}

void AllowedPart::gather_items(const TopkProblem& whole) {
  const std::int64_t f = whole.items.cols;
  items_.reserve(names_.size() * at(f));
  for (const std::int32_t item : names_) {
    const auto row = whole.items.row(item);
    items_.insert(items_.end(), row.begin(), row.end());
  }
  problem_.items = {items_.data(), std::ssize(names_), f};
  problem_.codes = nullptr;
  if (whole.biases.empty()) return;
  biases_.reserve(names_.size());
  for (const std::int32_t item : names_) biases_.push_back(whole.biases[at(item)]);
  problem_.biases = biases_;
}

void AllowedPart::gather_lists(const CandidateFilter& whole, std::int64_t n_items) {
  if (whole.exclude.empty()) return;
  std::vector<std::int32_t> places(at(n_items), kNotHere);
  for (std::size_t place = 0; place < names_.size(); ++place)
    places[at(names_[place])] = static_cast<std::int32_t>(place);
  const std::int64_t n = problem_.queries.rows;
  for (const RowsOf& lists : whole.exclude) {
    CsrMatrix& part = lists_.emplace_back();
    part.rows = n;
    part.cols = std::ssize(names_);
    part.indptr.reserve(at(n + 1));
    for (std::int64_t q = 0; q < n; ++q) {
      for (const std::int32_t item : lists.of(q))
        if (places[at(item)] != kNotHere) part.indices.push_back(places[at(item)]);
      part.indptr.push_back(std::ssize(part.indices));
    }
    filter_.exclude.push_back({{part.rows, part.cols, part.indptr, part.indices}, {}});
  }
}

void AllowedPart::name(MatrixView<std::int32_t> ids) const noexcept {
  for (std::int64_t q = 0; q < ids.rows; ++q)
    for (std::int32_t& id : ids.row(q))
      if (id != kPadId) id = names_[at(id)];
}

}  // namespace recocore
