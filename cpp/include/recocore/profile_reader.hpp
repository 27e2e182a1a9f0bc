// One user's profile at a time, from the log of a stream.
#pragma once

#include <cstdint>
#include <memory>

#include "recocore/profile_log.hpp"
#include "recocore/profiles.hpp"

namespace recocore {

/// The profile of one user, and where to send something.
struct ProfileRow {
  ProfileColumns columns;          // of one user
  std::int64_t send_hour = kNone;  // as of send_windows()
  double send_share = 0.0;
};

/// Reads profiles of users of a log and keeps what all of them need. A category that came into the log after the offers
/// were made has none. One thread at a time, and none that changes the log meanwhile.
class ProfileReader {
 public:
  /// The log must outlive this. Of the plan's zones the first is everybody's.
  ///
  /// \throws Error{invalid_argument} for a plan, offers or a rule that do not fit.
  ProfileReader(const ProfileLog& log, const ProfilePlan& plan, PriceOffers offers, const SendRule& rule);
  ~ProfileReader();
  ProfileReader(const ProfileReader&) = delete;
  ProfileReader& operator=(const ProfileReader&) = delete;

  /// The same as ProfileLog::profiles() and send_windows() of the user with this code. O(events of the user).
  [[nodiscard]] ProfileRow read(std::int32_t user, std::int64_t as_of);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace recocore
