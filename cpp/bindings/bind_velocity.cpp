#include "recocore/velocity.hpp"

#include <pybind11/stl.h>

#include <mutex>
#include <string>

#include "arrays.hpp"
#include "execution.hpp"
#include "module.hpp"

namespace recocore::bindings {
namespace {

VelocityStatistic statistic_from(const std::string& name) {
  if (name == "count") return VelocityStatistic::count;
  if (name == "sum") return VelocityStatistic::sum;
  if (name == "mean") return VelocityStatistic::mean;
  if (name == "min") return VelocityStatistic::min;
  if (name == "max") return VelocityStatistic::max;
  if (name == "distinct") return VelocityStatistic::distinct;
  if (name == "ratio") return VelocityStatistic::ratio;
  throw Error(ErrorCode::invalid_argument,
              "statistic: expected count, sum, mean, min, max, distinct or ratio, got " + name);
}

HashKey key_from(const py::bytes& bytes) {
  const std::string_view view(bytes);
  require(view.size() == sizeof(HashKey),
          [&] { return "hash_key: expected 16 bytes, got " + std::to_string(view.size()); });
  HashKey key;
  std::memcpy(&key, view.data(), sizeof key);
  return key;
}

std::uint64_t hash_number(std::int64_t number, const HashKey& key) {
  // The text form, so that an id is the same whether a log or a caller gives it as text or as an integer.
  const std::string text = std::to_string(number);
  return keyed_hash(text, key);
}

/// None is 0, a missing id.
std::uint64_t hash_object(const py::handle& id, const HashKey& key) {
  if (id.is_none()) return 0;
  if (PyUnicode_Check(id.ptr())) {
    Py_ssize_t size = 0;
    const char* text = PyUnicode_AsUTF8AndSize(id.ptr(), &size);
    if (text == nullptr) {
      PyErr_Clear();
      throw Error(ErrorCode::invalid_argument,
                  "ids: expected texts that UTF-8 can hold, got one with a lone surrogate");
    }
    return keyed_hash({text, static_cast<std::size_t>(size)}, key);
  }
  if (PyLong_Check(id.ptr())) {
    int beyond = 0;  // what 64 bits hold
    const std::int64_t number = PyLong_AsLongLongAndOverflow(id.ptr(), &beyond);
    return beyond == 0 ? hash_number(number, key) : keyed_hash(std::string(py::str(id)), key);
  }
  throw Error(ErrorCode::invalid_argument,
              "ids: expected texts, integers or None, got " + std::string(py::str(py::type::of(id).attr("__name__"))));
}

/// One at a time goes in; who waits does so without the GIL.
class HeldVelocity {
 public:
  HeldVelocity(const VelocityParams& params, const py::bytes& hash_key) : velocity_(params, key_from(hash_key)) {}

  py::array_t<double> update(const py::object& ids, const py::object& times, const py::object& numbers,
                             const py::object& types) {
    const auto id_array = checked<std::uint64_t>(ids, "ids", 2);
    const auto time_array = checked<std::int64_t>(times, "times", 1);
    const auto number_array = checked<double>(numbers, "numbers", 2);
    const auto type_array = checked<std::uint64_t>(types, "types", 1);
    py::array_t<double> features({time_array.size(), static_cast<py::ssize_t>(velocity_.counters())});
    const VelocityEvents events{matrix_of(id_array), span_of(time_array), matrix_of(number_array), span_of(type_array)};
    const MatrixView<double> out = mutable_matrix_of(features);
    run_released(1, py::none(), [&](const Execution&) {
      const std::scoped_lock lock(mutex_);
      velocity_.update(events, out);
      return true;
    });
    return features;
  }

  py::list update_one(const py::tuple& ids, std::int64_t time, const std::vector<double>& numbers,
                      const py::object& type) {
    std::vector<std::uint64_t> hashed;
    hashed.reserve(ids.size());
    for (const py::handle& id : ids) hashed.push_back(hash_object(id, velocity_.key()));
    const std::uint64_t hashed_type = hash_object(type, velocity_.key());
    std::vector<double> features(velocity_.counters());
    const VelocityEvents events{{hashed.data(), 1, static_cast<std::int64_t>(hashed.size())},
                                {&time, 1},
                                {numbers.data(), 1, static_cast<std::int64_t>(numbers.size())},
                                {&hashed_type, 1}};
    {
      const py::gil_scoped_release released;
      const std::scoped_lock lock(mutex_);
      velocity_.update(events, {features.data(), 1, static_cast<std::int64_t>(features.size())});
    }
    py::list result(features.size());
    for (std::size_t i = 0; i < features.size(); ++i) result[i] = features[i];
    return result;
  }

  py::array_t<std::uint64_t> hash_texts(const py::object& offsets, const py::object& data) const {
    const auto offset_array = checked<std::int32_t>(offsets, "offsets", 1);
    const auto data_array = checked<std::uint8_t>(data, "data", 1);
    const auto at = span_of(offset_array);
    require(!at.empty() && at.front() >= 0 && std::ranges::is_sorted(at) && at.back() <= data_array.size(),
            [] { return std::string("offsets: expected rising offsets into data"); });
    const auto* text = reinterpret_cast<const char*>(data_array.data());
    py::array_t<std::uint64_t> hashes(static_cast<py::ssize_t>(at.size()) - 1);
    run_released(1, py::none(), [&, out = mutable_span_of(hashes)](const Execution&) {
      std::string_view before;
      for (std::size_t i = 0; i < out.size(); ++i) {
        const std::string_view name(text + at[i], static_cast<std::size_t>(at[i + 1] - at[i]));
        // Types often are the same in many rows.
        out[i] = i > 0 && name == before ? out[i - 1] : keyed_hash(name, velocity_.key());
        before = name;
      }
      return true;
    });
    return hashes;
  }

  py::array_t<std::uint64_t> hash_numbers(const py::object& values) const {
    const auto array = checked<std::int64_t>(values, "values", 1);
    return to_numpy(run_released(1, py::none(), [&](const Execution&) {
      std::vector<std::uint64_t> hashes;
      hashes.reserve(static_cast<std::size_t>(array.size()));
      for (const std::int64_t value : span_of(array)) hashes.push_back(hash_number(value, velocity_.key()));
      return hashes;
    }));
  }

  py::array_t<std::uint8_t> state() {
    return to_numpy(run_released(1, py::none(), [&](const Execution&) {
      const std::scoped_lock lock(mutex_);
      return velocity_.state();
    }));
  }

  void restore(const py::object& state) {
    const auto array = checked<std::uint8_t>(state, "state", 1);
    run_released(1, py::none(), [&](const Execution&) {
      const std::scoped_lock lock(mutex_);
      velocity_.restore(span_of(array));
      return true;
    });
  }

  [[nodiscard]] std::int64_t keys() const { return velocity_.keys(); }
  [[nodiscard]] std::int64_t evicted() const { return velocity_.evicted(); }
  [[nodiscard]] std::int64_t bytes() const { return velocity_.bytes(); }

 private:
  std::mutex mutex_;
  Velocity velocity_;
};

using CounterTuple = std::tuple<int, std::int64_t, std::string, int, std::vector<std::string>>;

std::unique_ptr<HeldVelocity> make_velocity(int id_columns, int number_columns,
                                            const std::vector<std::vector<int>>& tables,
                                            const std::vector<CounterTuple>& counters, std::int64_t exact_window,
                                            std::int64_t exact_events, std::int64_t tiles, std::int64_t max_distinct,
                                            std::int64_t memory_bytes, bool including, const py::bytes& hash_key) {
  VelocityParams params{id_columns,   number_columns, tables,       {},           exact_window,
                        exact_events, tiles,          max_distinct, memory_bytes, including};
  const HashKey key = key_from(hash_key);
  for (const auto& [table, window, statistic, column, types] : counters) {
    VelocityCounter counter{table, window, statistic_from(statistic), column, {}};
    for (const std::string& type : types) counter.types.push_back(keyed_hash(type, key));
    params.counters.push_back(counter);
  }
  return std::make_unique<HeldVelocity>(params, hash_key);
}

}  // namespace

void register_velocity(py::module_& module) {
  py::class_<HeldVelocity>(module, "Velocity", "Windowed counters by key, updated event by event.")
      .def(py::init(&make_velocity), py::kw_only(), py::arg("id_columns"), py::arg("number_columns"), py::arg("tables"),
           py::arg("counters"), py::arg("exact_window"), py::arg("exact_events"), py::arg("tiles"),
           py::arg("max_distinct"), py::arg("memory_bytes"), py::arg("including"), py::arg("hash_key"))
      .def("update", &HeldVelocity::update, py::arg("ids"), py::arg("times"), py::arg("numbers"), py::arg("types"),
           "float64 [n, counters]: the features of events, hashed ids uint64 [n, id_columns] and types [n].")
      .def("update_one", &HeldVelocity::update_one, py::arg("ids"), py::arg("time"), py::arg("numbers"),
           py::arg("type"), "The features of one event with plain ids and type, as a list.")
      .def("hash_texts", &HeldVelocity::hash_texts, py::arg("offsets"), py::arg("data"),
           "uint64 [n]: the hashes of UTF-8 texts.")
      .def("hash_numbers", &HeldVelocity::hash_numbers, py::arg("values"),
           "uint64 [n]: the hashes of int64 ids, those of their decimal texts.")
      .def("state", &HeldVelocity::state, "uint8: everything that later features depend on.")
      .def("restore", &HeldVelocity::restore, py::arg("state"), "Continues from a state() of the same parameters.")
      .def("keys", &HeldVelocity::keys, "Keys held.")
      .def("evicted", &HeldVelocity::evicted, "Keys forgotten for want of memory.")
      .def("bytes", &HeldVelocity::bytes, "Bytes in use.");
}

}  // namespace recocore::bindings
