// Prices within their categories.
#pragma once

#include <cmath>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "recocore/profiles.hpp"

namespace recocore::cpu {

/// Each (category, item, price) once.
class OfferSet {
 public:
  struct Offer {
    std::int64_t price;
    std::uint64_t item;
    std::int32_t category;
  };

  void add(const Offer& offer);
  [[nodiscard]] std::span<const Offer> offers() const noexcept { return offers_; }

 private:
  void grow();

  std::vector<Offer> offers_;
  std::vector<std::int32_t> table_;  // into offers_, -1 where free
};

/// The offers of several sets by category and price.
[[nodiscard]] PriceOffers sorted_offers(std::span<const OfferSet* const> sets, std::int32_t categories);

/// Looks prices up among offers: (n_< + n_= / 2) / n.
class PricePlaces {
 public:
  explicit PricePlaces(const PriceOffers& offers);

  /// From now on a category is codes[category] among the offers, -1 where it has none; no codes are those of the
  /// offers.
  void translate(std::vector<std::int32_t> codes) { codes_ = std::move(codes); }

  /// NaN where the category offers nothing.
  [[nodiscard]] double percentile(std::int32_t category, std::int64_t price) const;

 private:
  const PriceOffers* offers_;
  std::vector<std::int32_t> codes_;
  std::vector<std::int64_t> below_;  // [prices + 1], items before it, over all categories
};

}  // namespace recocore::cpu
