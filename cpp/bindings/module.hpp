#pragma once

#include <pybind11/pybind11.h>

namespace recocore::bindings {

void register_errors(pybind11::module_& module);
void register_anomaly(pybind11::module_& module);
void register_als(pybind11::module_& module);
void register_csr(pybind11::module_& module);
void register_decision_message(pybind11::module_& module);
void register_device(pybind11::module_& module);
void register_events(pybind11::module_& module);
void register_device_array(pybind11::module_& module);
void register_topk(pybind11::module_& module);
void register_ids(pybind11::module_& module);
void register_kept_events(pybind11::module_& module);
void register_profiles(pybind11::module_& module);
void register_profile_stream(pybind11::module_& module);
void register_profile_messages(pybind11::module_& module);
void register_bootstrap(pybind11::module_& module);
void register_ranking_metrics(pybind11::module_& module);
void register_matmul_topk(pybind11::module_& module);
void register_rings(pybind11::module_& module);
void register_finite_values(pybind11::module_& module);
void register_positive_definite(pybind11::module_& module);
void register_sealed(pybind11::module_& module);
void register_scored_items(pybind11::module_& module);
void register_similarity(pybind11::module_& module);
void register_velocity(pybind11::module_& module);
void register_boosted_trees(pybind11::module_& module);
void register_spmm(pybind11::module_& module);

}  // namespace recocore::bindings
