#include "recocore/bootstrap.hpp"

#include <string>

#include "base/random.hpp"
#include "recocore/error.hpp"

namespace recocore {

std::vector<double> resampled_means(std::span<const double> values, std::int64_t samples, std::uint64_t seed,
                                    const Execution& execution) {
  require(!values.empty(), [] { return std::string("values: expected at least one, got none"); });
  require(samples >= 0, [&] { return "samples: expected at least 0, got " + std::to_string(samples); });
  const double count = static_cast<double>(values.size());

  std::vector<double> means(static_cast<std::size_t>(samples));
  parallel_for(execution, samples, 1, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t s = begin; s < end; ++s) {
      SplitMix64 random(seed, static_cast<std::uint64_t>(s));
      double sum = 0.0;
      for (std::size_t draw = 0; draw < values.size(); ++draw)
        sum += values[static_cast<std::size_t>(random.below(static_cast<std::int64_t>(values.size())))];
      means[static_cast<std::size_t>(s)] = sum / count;
    }
  });
  return means;
}

}  // namespace recocore
