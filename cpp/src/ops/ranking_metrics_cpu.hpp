// The computing half of ranking_metrics.hpp; its arguments have been checked, save for what the lists hold.
#pragma once

#include "recocore/ranking_metrics.hpp"

namespace recocore::cpu {

std::vector<double> ranking_metrics(const RankedLists& lists, const CsrView& relevant,
                                    const RankingMetricsParams& params, const Execution& execution);
std::vector<double> ranking_auc(const RankedLists& lists, const CsrView& relevant, const CsrPattern* excluded,
                                const Execution& execution);

}  // namespace recocore::cpu
