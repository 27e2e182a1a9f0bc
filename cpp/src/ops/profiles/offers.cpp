// Packed bits, shifts and masks of small non-negative numbers: their operands are signed throughout.
// NOLINTBEGIN(bugprone-signed-bitwise)

#include "ops/profiles/offers.hpp"

#include <algorithm>
#include <limits>
#include <tuple>

namespace recocore::cpu {
namespace {

std::size_t slot_of(const OfferSet::Offer& offer, std::size_t mask) {
  const std::uint64_t key = (static_cast<std::uint64_t>(offer.price) * 0x9E3779B97F4A7C15) ^ offer.item ^
                            (static_cast<std::uint64_t>(offer.category) << 40);
  return ((key * 0xBF58476D1CE4E5B9) >> 32) & mask;
}

bool same(const OfferSet::Offer& a, const OfferSet::Offer& b) {
  return a.item == b.item && a.price == b.price && a.category == b.category;
}

}  // namespace

void OfferSet::add(const Offer& offer) {
  if (2 * (offers_.size() + 1) > table_.size()) grow();
  const std::size_t mask = table_.size() - 1;
  for (std::size_t at = slot_of(offer, mask);; at = (at + 1) & mask) {
    if (table_[at] < 0) {
      table_[at] = static_cast<std::int32_t>(offers_.size());
      offers_.push_back(offer);
      return;
    }
    if (same(offers_[static_cast<std::size_t>(table_[at])], offer)) return;
  }
}

void OfferSet::grow() {
  table_.assign(std::max<std::size_t>(1024, 2 * table_.size()), -1);
  const std::size_t mask = table_.size() - 1;
  for (std::size_t i = 0; i < offers_.size(); ++i) {
    std::size_t at = slot_of(offers_[i], mask);
    while (table_[at] >= 0) at = (at + 1) & mask;
    table_[at] = static_cast<std::int32_t>(i);
  }
}

PriceOffers sorted_offers(std::span<const OfferSet* const> sets, std::int32_t categories) {
  std::vector<OfferSet::Offer> all;
  for (const OfferSet* set : sets) all.insert(all.end(), set->offers().begin(), set->offers().end());
  const auto key = [](const OfferSet::Offer& o) { return std::tie(o.category, o.price, o.item); };
  std::sort(all.begin(), all.end(), [&](const auto& a, const auto& b) { return key(a) < key(b); });
  all.erase(std::unique(all.begin(), all.end(), same), all.end());
  PriceOffers offers;
  offers.begins.assign(static_cast<std::size_t>(categories) + 1, 0);
  std::size_t i = 0;
  for (std::int32_t category = 0; category < categories; ++category) {
    for (; i < all.size() && all[i].category == category; ++i) {
      const bool again =
          static_cast<std::int64_t>(offers.prices.size()) > offers.begins[static_cast<std::size_t>(category)] &&
          offers.prices.back() == all[i].price;
      if (again) {
        ++offers.items.back();
      } else {
        offers.prices.push_back(all[i].price);
        offers.items.push_back(1);
      }
    }
    offers.begins[static_cast<std::size_t>(category) + 1] = static_cast<std::int64_t>(offers.prices.size());
  }
  return offers;
}

PricePlaces::PricePlaces(const PriceOffers& offers) : offers_(&offers), below_(offers.prices.size() + 1, 0) {
  for (std::size_t i = 0; i < offers.prices.size(); ++i) below_[i + 1] = below_[i] + offers.items[i];
}

double PricePlaces::percentile(std::int32_t category, std::int64_t price) const {
  if (!codes_.empty()) category = codes_[static_cast<std::size_t>(category)];
  if (category < 0) return std::numeric_limits<double>::quiet_NaN();
  const auto c = static_cast<std::size_t>(category);
  if (c + 1 >= offers_->begins.size()) return std::numeric_limits<double>::quiet_NaN();
  const auto begin = offers_->prices.begin() + offers_->begins[c];
  const auto end = offers_->prices.begin() + offers_->begins[c + 1];
  if (begin == end) return std::numeric_limits<double>::quiet_NaN();
  // A binary search without branches: which way it goes cannot be foreseen.
  auto found = begin;
  for (auto left = end - begin; left > 0;) {
    const auto half = left / 2;
    const bool beyond = found[half] < price;
    found += beyond ? half + 1 : 0;
    left = beyond ? left - half - 1 : half;
  }
  const auto at = static_cast<std::size_t>(found - offers_->prices.begin());
  const std::int64_t first = below_[static_cast<std::size_t>(offers_->begins[c])];
  const std::int64_t all = below_[static_cast<std::size_t>(offers_->begins[c + 1])] - first;
  const std::int64_t equal = found != end && *found == price ? offers_->items[at] : 0;
  return static_cast<double>(2 * (below_[at] - first) + equal) / static_cast<double>(2 * all);
}

}  // namespace recocore::cpu
// NOLINTEND(bugprone-signed-bitwise)
