// Arguments of profiles that several bindings take.
#pragma once

#include <pybind11/pybind11.h>

#include "recocore/profiles.hpp"

namespace recocore::bindings {

/// A plan, and a rule for send windows, from their keywords.
ProfilePlan plan_of(const pybind11::dict& given);
SendRule rule_of(const pybind11::dict& given);

/// Offers as a tuple of arrays (begins, prices, items); None is none.
PriceOffers offers_of(const pybind11::object& given);

}  // namespace recocore::bindings
