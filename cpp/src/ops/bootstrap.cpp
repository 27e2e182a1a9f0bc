#include "recocore/bootstrap.hpp"

#include <string>

#include "recocore/error.hpp"

namespace recocore {
namespace {

class SplitMix64 {
 public:
  explicit SplitMix64(std::uint64_t state) : state_(state) {}

  std::uint64_t next() {
    state_ += 0x9E3779B97F4A7C15U;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27U)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31U);
  }

 private:
  std::uint64_t state_;
};

}  // namespace

std::vector<double> resampled_means(std::span<const double> values, std::int64_t samples, std::uint64_t seed,
                                    const Execution& execution) {
  require(!values.empty(), [] { return std::string("values: expected at least one, got none"); });
  require(samples >= 0, [&] { return "samples: expected at least 0, got " + std::to_string(samples); });
  const double count = static_cast<double>(values.size());
  // 53 random bits times count / 2^53 stay below count, also after rounding.
  const double step = count / 9007199254740992.0;

  std::vector<double> means(static_cast<std::size_t>(samples));
  parallel_for(execution, samples, 1, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t s = begin; s < end; ++s) {
      const std::uint64_t start = SplitMix64(seed).next() + static_cast<std::uint64_t>(s);
      SplitMix64 random(SplitMix64(start).next());
      double sum = 0.0;
      for (std::size_t draw = 0; draw < values.size(); ++draw)
        sum += values[static_cast<std::size_t>(static_cast<double>(random.next() >> 11U) * step)];
      means[static_cast<std::size_t>(s)] = sum / count;
    }
  });
  return means;
}

}  // namespace recocore
