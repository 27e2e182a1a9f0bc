#include "module.hpp"

PYBIND11_MODULE(_native, module) {
  using namespace recocore::bindings;
  module.doc() = "The native core of recocore; call it through recocore.ops and recocore.models.";
  module.attr("__version__") = RECOCORE_VERSION;
  register_errors(module);
  register_als(module);
  register_anomaly(module);
  register_csr(module);
  register_device(module);
  register_events(module);
  register_sealed(module);
  register_device_array(module);
  register_topk(module);
  register_ids(module);
  register_kept_events(module);
  register_profiles(module);
  register_profile_stream(module);
  register_profile_messages(module);
  register_bootstrap(module);
  register_ranking_metrics(module);
  register_matmul_topk(module);
  register_rings(module);
  register_finite_values(module);
  register_positive_definite(module);
  register_decision_message(module);
  register_scored_items(module);
  register_similarity(module);
  register_velocity(module);
  register_boosted_trees(module);
  register_spmm(module);
}
