#include <optional>

#include "arrays.hpp"
#include "execution.hpp"
#include "module.hpp"
#include "recocore/rings/components.hpp"
#include "recocore/rings/dense_blocks.hpp"

namespace recocore::bindings {
namespace {

/// Edges as arrays, kept alive.
class EdgesArgument {
 public:
  EdgesArgument(const py::object& accounts, const py::object& entities, const py::object& weights,
                std::pair<std::int64_t, std::int64_t> shape)
      : accounts_(checked<std::int32_t>(accounts, "accounts", 1)),
        entities_(checked<std::int32_t>(entities, "entities", 1)),
        shape_(shape) {
    if (!weights.is_none()) weights_ = checked<double>(weights, "weights", 1);
  }

  [[nodiscard]] BipartiteEdges edges() const {
    return {shape_.first, shape_.second, span_of(accounts_), span_of(entities_),
            weights_ ? span_of(*weights_) : std::span<const double>()};
  }

 private:
  py::array_t<std::int32_t> accounts_;
  py::array_t<std::int32_t> entities_;
  std::optional<py::array_t<double>> weights_;
  std::pair<std::int64_t, std::int64_t> shape_;
};

py::list dense_blocks_(const py::object& accounts, const py::object& entities, const py::object& weights,
                       std::pair<std::int64_t, std::int64_t> shape, const py::object& priors, std::int64_t max_blocks,
                       double min_density, std::int64_t hub_cap) {
  const EdgesArgument argument(accounts, entities, weights, shape);
  std::optional<py::array_t<double>> prior;
  if (!priors.is_none()) prior = checked<double>(priors, "priors", 1);
  DenseBlockParams params{max_blocks, min_density, hub_cap, {}};
  if (prior) params.prior = span_of(*prior);
  auto blocks = run_released(
      1, py::none(), [&](const Execution& execution) { return dense_blocks(argument.edges(), params, execution); });
  py::list result;
  for (DenseBlock& block : blocks)
    result.append(
        py::make_tuple(to_numpy(std::move(block.accounts)), to_numpy(std::move(block.entities)), block.density));
  return result;
}

py::array_t<std::int32_t> connected_components_(const py::object& accounts, const py::object& entities,
                                                std::pair<std::int64_t, std::int64_t> shape, std::int64_t hub_cap) {
  const EdgesArgument argument(accounts, entities, py::none(), shape);
  return to_numpy(
      run_released(1, py::none(), [&](const Execution&) { return connected_components(argument.edges(), hub_cap); }));
}

}  // namespace

void register_rings(py::module_& module) {
  module.def("dense_blocks", &dense_blocks_, py::arg("accounts"), py::arg("entities"), py::arg("weights"),
             py::arg("shape"), py::kw_only(), py::arg("priors") = py::none(), py::arg("max_blocks") = 1,
             py::arg("min_density") = 0.0, py::arg("hub_cap") = 0,
             "[(accounts int32, entities int32, density)], the densest first found.");
  module.def("connected_components", &connected_components_, py::arg("accounts"), py::arg("entities"), py::arg("shape"),
             py::arg("hub_cap") = 0, "int32 [accounts + entities]: a component's smallest index.");
}

}  // namespace recocore::bindings
