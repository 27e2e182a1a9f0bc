#include <pybind11/stl.h>

#include <optional>
#include <string>
#include <variant>

#include "arrays.hpp"
#include "execution.hpp"
#include "module.hpp"
#include "profile_arguments.hpp"
#include "recocore/name_codes.hpp"
#include "recocore/profile_log.hpp"
#include "recocore/profiles.hpp"
#include "recocore/sorted_bytes.hpp"

namespace recocore::bindings {
namespace {

/// An array of a dict of columns, empty where it is absent; keeps it alive.
template <typename T>
class Column {
 public:
  Column(const py::dict& columns, const char* name) {
    if (columns.contains(name)) array_ = checked<T>(columns[name], name, 1);
  }
  [[nodiscard]] std::span<const T> span() const { return array_ ? span_of(*array_) : std::span<const T>(); }

 private:
  std::optional<py::array_t<T>> array_;
};

/// Names in the layout of Arrow's LargeString: a tuple (offsets int64, data uint8), or None for no names.
class Names {
 public:
  Names(const py::object& names, const char* argument) {
    if (names.is_none()) return;
    const auto both = names.cast<py::tuple>();
    require(both.size() == 2, [&] { return std::string(argument) + ": expected (offsets, data)"; });
    offsets_ = checked<std::int64_t>(both[0], argument, 1);
    data_ = checked<std::uint8_t>(both[1], argument, 1);
    const BytesView view{span_of(*offsets_),
                         {reinterpret_cast<const char*>(data_->data()), static_cast<std::size_t>(data_->size())}};
    for (std::size_t i = 0; i < view.size(); ++i) vocabulary_.add(view[i]);
  }
  [[nodiscard]] const Vocabulary& vocabulary() const noexcept { return vocabulary_; }

 private:
  std::optional<py::array_t<std::int64_t>> offsets_;
  std::optional<py::array_t<std::uint8_t>> data_;
  Vocabulary vocabulary_;
};

/// Vocabularies: a dict of "dimensions" (a list), "query" and "path".
class Vocabularies {
 public:
  explicit Vocabularies(const py::dict& all) : query_(all["query"], "query"), path_(all["path"], "path") {
    const auto dimensions = all["dimensions"].cast<py::list>();
    require(dimensions.size() <= kMaxDimensions, [] { return std::string("dimensions: expected at most 4"); });
    dimensions_.reserve(dimensions.size());
    for (const auto& names : dimensions)
      dimensions_.emplace_back(py::reinterpret_borrow<py::object>(names), "dimensions");
  }

  [[nodiscard]] ProfileVocabularies view() const {
    ProfileVocabularies all;
    all.dimensions.fill(&none_);
    for (std::size_t d = 0; d < dimensions_.size(); ++d) all.dimensions[d] = &dimensions_[d].vocabulary();
    all.query = &query_.vocabulary();
    all.path = &path_.vocabulary();
    return all;
  }

 private:
  std::vector<Names> dimensions_;
  Names query_, path_;
  Vocabulary none_;
};

/// The columns of a batch by name; keeps them alive.
class BatchArgument {
 public:
  explicit BatchArgument(const py::dict& columns)
      : users_(columns, "users"),
        times_(columns, "times"),
        known_(columns, "known"),
        types_(columns, "types"),
        ids_(columns, "ids"),
        items_(columns, "items"),
        sessions_(columns, "sessions"),
        orders_(columns, "orders"),
        money_(columns, "money"),
        prices_(columns, "prices"),
        dwell_(columns, "dwell"),
        quantities_(columns, "quantities"),
        queries_(columns, "queries"),
        paths_(columns, "paths"),
        coupons_(columns, "coupons"),
        dimensions_{Column<std::int32_t>(columns, "dimension_0"), Column<std::int32_t>(columns, "dimension_1"),
                    Column<std::int32_t>(columns, "dimension_2"), Column<std::int32_t>(columns, "dimension_3")} {}

  [[nodiscard]] ProfileBatch batch(std::int64_t n_users) const {
    ProfileBatch batch;
    batch.users = users_.span();
    batch.times = times_.span();
    batch.known = known_.span();
    batch.types = types_.span();
    batch.ids = ids_.span();
    batch.items = items_.span();
    batch.sessions = sessions_.span();
    batch.orders = orders_.span();
    batch.money = money_.span();
    batch.prices = prices_.span();
    batch.dwell = dwell_.span();
    batch.quantities = quantities_.span();
    batch.queries = queries_.span();
    batch.paths = paths_.span();
    batch.coupons = coupons_.span();
    for (std::size_t d = 0; d < kMaxDimensions; ++d) batch.dimensions[d] = dimensions_[d].span();
    batch.n_users = n_users;
    return batch;
  }

 private:
  Column<std::int32_t> users_;
  Column<std::int64_t> times_, known_;
  Column<std::uint8_t> types_;
  Column<std::uint64_t> ids_, items_, sessions_, orders_;
  Column<std::int64_t> money_, prices_, dwell_, quantities_;
  Column<std::int32_t> queries_, paths_, coupons_;
  std::array<Column<std::int32_t>, kMaxDimensions> dimensions_;
};

/// Names as (offsets int64, data uint8): of these codes, or of all.
py::tuple names_to_python(const Vocabulary& names, const std::optional<py::array_t<std::int32_t>>& codes) {
  std::vector<std::int64_t> offsets{0};
  std::vector<std::uint8_t> data;
  const auto add = [&](std::int32_t code) {
    require(code >= 0 && code < names.size(), [&] { return "codes: unknown code " + std::to_string(code); });
    const std::string_view name = names.name(code);
    data.insert(data.end(), name.begin(), name.end());
    offsets.push_back(std::ssize(data));
  };
  if (codes) {
    for (const std::int32_t code : span_of(*codes)) add(code);
  } else {
    for (std::int32_t code = 0; code < names.size(); ++code) add(code);
  }
  return py::make_tuple(to_numpy(std::move(offsets)), to_numpy(std::move(data)));
}

py::tuple to_python(ProfileColumns&& columns, PriceOffers&& offers, const Vocabulary& tags) {
  py::dict out;
  for (std::size_t i = 0; i < columns.integers.size(); ++i)
    out[kProfileIntegers[i]] = to_numpy(std::move(columns.integers[i]));
  for (std::size_t i = 0; i < columns.reals.size(); ++i) out[kProfileReals[i]] = to_numpy(std::move(columns.reals[i]));
  py::list counts;
  for (auto& column : columns.type_counts) counts.append(to_numpy(std::move(column)));
  out["type_counts"] = counts;
  py::list interests;
  for (auto& interest : columns.interests)
    interests.append(py::make_tuple(to_numpy(std::move(interest.codes)), to_numpy(std::move(interest.weights)),
                                    to_numpy(std::move(interest.total)), to_numpy(std::move(interest.truncated))));
  out["interests"] = interests;
  out["paths"] = py::make_tuple(to_numpy(std::move(columns.path_from)), to_numpy(std::move(columns.path_to)),
                                to_numpy(std::move(columns.path_counts)));
  out["terms"] = py::make_tuple(to_numpy(std::move(columns.term_codes)), to_numpy(std::move(columns.term_counts)));
  out["hours"] = py::make_tuple(to_numpy(std::move(columns.hour_begins)), to_numpy(std::move(columns.hours)),
                                to_numpy(std::move(columns.hour_counts)));
  out["tag_names"] = names_to_python(tags, std::nullopt);
  return py::make_tuple(out, py::make_tuple(to_numpy(std::move(offers.begins)), to_numpy(std::move(offers.prices)),
                                            to_numpy(std::move(offers.items))));
}

std::optional<py::array_t<std::int32_t>> codes_or_none(const py::object& codes, const char* argument) {
  if (codes.is_none()) return std::nullopt;
  return checked<std::int32_t>(codes, argument, 1);
}

std::span<const std::int32_t> span_or_empty(const std::optional<py::array_t<std::int32_t>>& codes) {
  return codes ? span_of(*codes) : std::span<const std::int32_t>();
}

py::tuple profile_batch_(const py::dict& columns, std::int64_t n_users, const py::dict& plan,
                         const py::dict& vocabularies, const py::object& user_zones, const py::object& offers,
                         int num_threads, const py::object& progress) {
  const BatchArgument batch(columns);
  const Vocabularies names(vocabularies);
  const ProfilePlan given = plan_of(plan);
  const auto zones = codes_or_none(user_zones, "user_zones");
  PriceOffers prices = offers_of(offers);
  const bool fit = offers.is_none();
  ProfileVocabularies all = names.view();
  NameSets tags;
  if (given.tags >= 0 && given.tags < kMaxDimensions)
    tags.follow(*all.dimensions[static_cast<std::size_t>(given.tags)]);
  all.tags = &tags;
  auto out = run_released(num_threads, progress, [&](const Execution& execution) {
    return profile_batch(batch.batch(n_users), given, all, span_or_empty(zones), prices, fit, execution);
  });
  return to_python(std::move(out), std::move(prices), tags.names());
}

py::tuple send_windows_(const py::object& begins, const py::object& hours, const py::object& counts,
                        const py::dict& rule, int num_threads) {
  const auto begin_array = checked<std::int64_t>(begins, "begins", 1);
  const auto hour_array = checked<std::int32_t>(hours, "hours", 1);
  const auto count_array = checked<std::int64_t>(counts, "counts", 1);
  require(begin_array.size() > 0, [] { return std::string("begins: expected at least one"); });
  const SendRule given = rule_of(rule);
  py::array_t<std::int64_t> starts(begin_array.size() - 1);
  py::array_t<double> shares(begin_array.size() - 1);
  run_released(num_threads, py::none(),
               [&, out = mutable_span_of(starts), out_shares = mutable_span_of(shares)](const Execution& execution) {
                 send_windows(span_of(begin_array), span_of(hour_array), span_of(count_array), given, out, out_shares,
                              execution);
                 return 0;
               });
  return py::make_tuple(starts, shares);
}

/// Validity bits as Arrow keeps them, None where every row has a value; a view of `valid`.
ValidBits valid_bits(const py::object& valid, std::int64_t first, std::int64_t rows) {
  return valid.is_none() ? ValidBits() : ValidBits(span_of(checked<std::uint8_t>(valid, "valid", 1)), first, rows);
}

py::array_t<std::int64_t> minor_units_(const py::object& values, const py::object& valid, std::int64_t first,
                                       int digits, const std::string& argument) {
  const auto array = checked<double>(values, argument.c_str(), 1);
  py::array_t<std::int64_t> units(array.size());
  run_released(1, py::none(),
               [&, bits = valid_bits(valid, first, array.size()), out = mutable_span_of(units)](const Execution&) {
                 minor_units(span_of(array), bits, digits, argument, out);
                 return 0;
               });
  return units;
}

/// A column as a list of chunks (offsets, text, validity bits or None, the first row's bit), Arrow's String arrays.
py::tuple encode_names_(const py::list& chunks) {
  std::vector<py::object> kept;
  std::vector<NameChunk> column;
  py::ssize_t rows = 0;
  for (const auto& chunk : chunks) {
    const auto [offsets, text, valid, first] =
        chunk.cast<std::tuple<py::object, py::object, py::object, std::int64_t>>();
    const auto offset_array = checked<std::int32_t>(offsets, "offsets", 1);
    const auto bytes = checked<std::uint8_t>(text, "text", 1);
    const std::string_view view(reinterpret_cast<const char*>(bytes.data()), span_of(bytes).size());
    const NameChunk names{span_of(offset_array), view, valid_bits(valid, first, offset_array.size() - 1)};
    kept.insert(kept.end(), {offset_array, bytes, valid});
    rows += names.rows();
    column.push_back(names);
  }
  py::array_t<std::int32_t> codes(rows);
  auto firsts = run_released(1, py::none(),
                             [&, out = mutable_span_of(codes)](const Execution&) { return encode_names(column, out); });
  return py::make_tuple(codes, to_numpy(std::move(firsts)));
}

py::array_t<std::uint8_t> codes_in_use_(const py::object& codes, std::int32_t names) {
  const auto given = checked<std::int32_t>(codes, "codes", 1);
  require(names >= 0, [&] { return "names: expected at least 0, got " + std::to_string(names); });
  return to_numpy(run_released(1, py::none(), [&](const Execution&) { return codes_in_use(span_of(given), names); }));
}

void renumber_(py::array_t<std::int32_t>& codes, const py::object& numbers) {
  const auto given = checked<std::int32_t>(numbers, "numbers", 1);
  run_released(1, py::none(), [&, out = mutable_span_of(codes)](const Execution&) {
    renumber(out, span_of(given));
    return 0;
  });
}

py::array_t<std::uint64_t> hash_names_(const py::object& offsets, const py::object& data) {
  const auto offset_array = checked<std::int32_t>(offsets, "offsets", 1);
  const auto bytes = checked<std::uint8_t>(data, "data", 1);
  require(offset_array.size() > 0, [] { return std::string("offsets: expected at least one"); });
  py::array_t<std::uint64_t> hashes(offset_array.size() - 1);
  run_released(1, py::none(), [&, out = mutable_span_of(hashes)](const Execution&) {
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), static_cast<std::size_t>(bytes.size()));
    hash_names({span_of(offset_array), text, {}}, out);
    return 0;
  });
  return hashes;
}

py::array_t<std::uint64_t> hash_numbers_(const py::object& numbers) {
  const auto array = checked<std::int64_t>(numbers, "numbers", 1);
  py::array_t<std::uint64_t> hashes(array.size());
  run_released(1, py::none(), [&, out = mutable_span_of(hashes)](const Execution&) {
    const auto given = span_of(array);
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = hash_number(given[i]);
    return 0;
  });
  return hashes;
}

const Vocabulary& names_of(const ProfileLog& log, const std::string& which) {
  if (which == "users") return log.users().names();
  if (which == "query") return log.query().names();
  if (which == "path") return log.path().names();
  if (which == "tags") return log.tags().names();
  for (int d = 0; d < log.dimensions(); ++d)
    if (which == "dimension_" + std::to_string(d)) return log.dimension(d).names();
  throw Error(ErrorCode::invalid_argument, "which: expected users, query, path, tags or dimension_N, got " + which);
}

void log_append(ProfileLog& log, const py::dict& columns, const py::dict& vocabularies, const py::object& users) {
  const BatchArgument batch(columns);
  const Vocabularies names(vocabularies);
  const Names user_names(users, "users");
  run_released(1, py::none(), [&](const Execution&) {
    log.append(batch.batch(user_names.vocabulary().size()), names.view(), user_names.vocabulary());
    return 0;
  });
}

using Text = std::optional<std::string_view>;

/// One event, without arrays: what a server is told at a time.
void log_append_one(ProfileLog& log, std::string_view user, std::int64_t time, std::int64_t known, std::uint8_t type,
                    const Text& id, const std::variant<std::monostate, std::int64_t, std::string_view>& item,
                    const Text& session, const Text& order, std::int64_t money, std::int64_t price, std::int64_t dwell,
                    std::int64_t quantity, const Text& query, const Text& path, bool coupon,
                    const std::vector<Text>& dimensions) {
  const auto hash = [](const Text& name) { return name ? hash_name(*name) : std::uint64_t{0}; };
  const std::uint64_t item_hash = std::holds_alternative<std::int64_t>(item) ? hash_number(std::get<std::int64_t>(item))
                                  : std::holds_alternative<std::string_view>(item)
                                      ? hash_name(std::get<std::string_view>(item))
                                      : 0;
  const std::array<std::uint64_t, 4> hashes{hash(id), item_hash, hash(session), hash(order)};
  const std::array<std::int64_t, 6> numbers{time, known, money, price, dwell, quantity};
  const std::int32_t first = 0;
  const std::int32_t coupon_code = coupon ? 0 : -1;
  const auto one = [](const auto& value) { return std::span(&value, 1); };
  Vocabulary users;
  Vocabulary queries;
  Vocabulary paths;
  std::array<Vocabulary, kMaxDimensions> names;
  users.add(user);
  ProfileVocabularies all;
  ProfileBatch batch;
  batch.n_users = 1;
  batch.users = one(first);
  batch.types = one(type);
  batch.ids = one(hashes[0]);
  batch.items = one(hashes[1]);
  batch.sessions = one(hashes[2]);
  batch.orders = one(hashes[3]);
  batch.times = one(numbers[0]);
  batch.known = one(numbers[1]);
  batch.money = one(numbers[2]);
  batch.prices = one(numbers[3]);
  batch.dwell = one(numbers[4]);
  batch.quantities = one(numbers[5]);
  batch.coupons = one(coupon_code);
  const auto named = [&](const Text& name, Vocabulary& vocabulary, std::span<const std::int32_t>& column) {
    if (!name) return;
    vocabulary.add(*name);
    column = one(first);
  };
  named(query, queries, batch.queries);
  named(path, paths, batch.paths);
  all.query = &queries;
  all.path = &paths;
  require(dimensions.size() <= kMaxDimensions, [] { return std::string("dimensions: expected at most 4"); });
  for (std::size_t d = 0; d < kMaxDimensions; ++d) {
    all.dimensions[d] = &names[d];
    if (d < dimensions.size()) named(dimensions[d], names[d], batch.dimensions[d]);
  }
  log.append(batch, all, users);
}

py::tuple log_profiles(const ProfileLog& log, const py::dict& plan, const py::object& users,
                       const py::object& user_zones, const py::object& offers, int num_threads,
                       const py::object& progress) {
  const ProfilePlan given = plan_of(plan);
  const auto codes = codes_or_none(users, "users");
  const auto zones = codes_or_none(user_zones, "user_zones");
  PriceOffers prices = offers_of(offers);
  const bool fit = offers.is_none();
  auto out = run_released(num_threads, progress, [&](const Execution& execution) {
    return log.profiles(given, span_or_empty(codes), !codes, span_or_empty(zones), prices, fit, execution);
  });
  return to_python(std::move(out), std::move(prices), log.tags().names());
}

py::tuple log_packed(const ProfileLog& log) {
  std::vector<std::int64_t> begins{0};
  std::vector<std::uint8_t> data;
  for (std::int32_t user = 0; user < log.users().names().size(); ++user) {
    const auto packed = log.packed(user);
    data.insert(data.end(), packed.begin(), packed.end());
    begins.push_back(std::ssize(data));
  }
  return py::make_tuple(to_numpy(std::move(begins)), to_numpy(std::move(data)));
}

void log_restore(ProfileLog& log, const py::dict& vocabularies, const py::object& users, const py::object& begins,
                 const py::object& data) {
  const Vocabularies names(vocabularies);
  const Names user_names(users, "users");
  const auto places = checked<std::int64_t>(begins, "begins", 1);
  const auto bytes = checked<std::uint8_t>(data, "data", 1);
  run_released(1, py::none(), [&](const Execution&) {
    log.restore(names.view(), user_names.vocabulary(), span_of(places), span_of(bytes));
    return 0;
  });
}

}  // namespace

ProfilePlan plan_of(const py::dict& given) {
  ProfilePlan plan;
  plan.as_of = given["as_of"].cast<std::int64_t>();
  plan.window = given["window"].cast<std::int64_t>();
  plan.weights = given["weights"].cast<std::vector<double>>();
  plan.roles = given["roles"].cast<std::vector<std::uint8_t>>();
  plan.half_lives = given["half_lives"].cast<std::vector<double>>();
  plan.dimensions = given["dimensions"].cast<int>();
  plan.category = given["category"].cast<int>();
  plan.tags = given["tags"].cast<int>();
  plan.price_bands = given["price_bands"].cast<int>();
  plan.top = given["top"].cast<int>();
  plan.at_risk_gaps = given["at_risk_gaps"].cast<int>();
  plan.session_gap = given["session_gap"].cast<std::int64_t>();
  plan.active_within = given["active_within"].cast<std::int64_t>();
  plan.dormant_after = given["dormant_after"].cast<std::int64_t>();
  plan.lost_after = given["lost_after"].cast<std::int64_t>();
  for (const auto& zone : given["zones"].cast<py::list>()) {
    const auto both = zone.cast<py::tuple>();
    plan.zones.push_back({both[0].cast<std::vector<std::int64_t>>(), both[1].cast<std::vector<std::int64_t>>()});
  }
  return plan;
}

PriceOffers offers_of(const py::object& given) {
  PriceOffers offers;
  if (given.is_none()) return offers;
  const auto arrays = given.cast<py::tuple>();
  const auto taken = [&](std::size_t at, const char* name) {
    const auto numbers = checked<std::int64_t>(arrays[at], name, 1);
    return std::vector<std::int64_t>(span_of(numbers).begin(), span_of(numbers).end());
  };
  offers.begins = taken(0, "begins");
  offers.prices = taken(1, "prices");
  offers.items = taken(2, "items");
  return offers;
}

SendRule rule_of(const py::dict& given) {
  return {given["prior"].cast<std::vector<double>>(),
          given["prior_weight"].cast<double>(),
          given["kernel"].cast<std::vector<double>>(),
          given["window"].cast<int>(),
          given["quiet_from"].cast<int>(),
          given["quiet_to"].cast<int>()};
}

void register_profiles(py::module_& module) {
  module.def("profile_batch", &profile_batch_, py::arg("columns"), py::arg("n_users"), py::arg("plan"),
             py::arg("vocabularies"), py::kw_only(), py::arg("user_zones") = py::none(), py::arg("offers") = py::none(),
             py::arg("num_threads") = 0, py::arg("progress") = py::none(),
             "(profiles by column, price offers (begins, prices, items)); offers None fits them.");
  module.def("send_windows", &send_windows_, py::arg("begins"), py::arg("hours"), py::arg("counts"), py::arg("rule"),
             py::arg("num_threads") = 0, "(first hours int64, shares float64) of each user's best window of the week.");
  module.def("minor_units", &minor_units_, py::arg("values"), py::arg("valid"), py::arg("first"), py::arg("digits"),
             py::arg("argument"),
             "float64 money as int64 minor units, the least int64 where a validity bit (from bit `first` on) is 0.");
  module.def("encode_names", &encode_names_, py::arg("chunks"),
             "(int32 codes by first appearance, -1 where there is no name; int64 rows where each code came first) of "
             "chunks (offsets, text, validity bits or None, first bit) in the layout of Arrow's String.");
  module.def("codes_in_use", &codes_in_use_, py::arg("codes"), py::arg("names"),
             "uint8 [names]: 1 where a row has that code; -1 is none.");
  module.def("renumber", &renumber_, py::arg("codes").noconvert(), py::arg("numbers"),
             "Writes numbers[code] over each code of an int32 array.");
  module.def("hash_names", &hash_names_, py::arg("offsets"), py::arg("data"),
             "uint64 hashes of strings in the layout of Arrow's String (int32 offsets, uint8 data).");
  module.def("hash_numbers", &hash_numbers_, py::arg("numbers"), "uint64 hashes of int64 numbers.");
  py::class_<ProfileLog>(module, "ProfileLog", "Each user's events, packed; one thread at a time.")
      .def(py::init<int, int, int>(), py::arg("dimensions"), py::arg("types"), py::arg("tags") = -1)
      .def("append", &log_append, py::arg("columns"), py::arg("vocabularies"), py::arg("users"), "Appends a batch.")
      .def("append_one", &log_append_one, py::arg("user"), py::arg("time"), py::arg("known"), py::arg("type"),
           py::arg("id"), py::arg("item"), py::arg("session"), py::arg("order"), py::arg("money"), py::arg("price"),
           py::arg("dwell"), py::arg("quantity"), py::arg("query"), py::arg("path"), py::arg("coupon"),
           py::arg("dimensions"), "Appends one event; the least int64 is a number that is absent.")
      .def("merge", &ProfileLog::merge, py::arg("other"), py::call_guard<py::gil_scoped_release>(),
           "Appends what another log holds.")
      .def("forget", &ProfileLog::forget, py::arg("user"), "Drops a user; whether there was one.")
      .def("drop_before", &ProfileLog::drop_before, py::arg("time"), "Drops events before a time; how many.")
      .def("profiles", &log_profiles, py::arg("plan"), py::kw_only(), py::arg("users") = py::none(),
           py::arg("user_zones") = py::none(), py::arg("offers") = py::none(), py::arg("num_threads") = 0,
           py::arg("progress") = py::none(), "As profile_batch, of these users or of all.")
      .def(
          "find_user", [](const ProfileLog& log, const py::bytes& user) { return log.users().find(std::string(user)); },
          py::arg("user"), "The user's code, -1 where it is not known.")
      .def(
          "names",
          [](const ProfileLog& log, const std::string& which, const py::object& codes) {
            return names_to_python(names_of(log, which), codes_or_none(codes, "codes"));
          },
          py::arg("which"), py::arg("codes") = py::none(),
          "(offsets, data) of users, query, path, tags or dimension_N: of these codes, or all by code.")
      .def(
          "count", [](const ProfileLog& log, const std::string& which) { return names_of(log, which).size(); },
          py::arg("which"), "How many names there are.")
      .def("packed", &log_packed, "(begins, data): each user's events, for files.")
      .def("restore", &log_restore, py::arg("vocabularies"), py::arg("users"), py::arg("begins"), py::arg("data"),
           "Makes an empty log what another was.")
      .def("events", &ProfileLog::events, "Events held, repeats that were not yet dropped included.")
      .def("memory", &ProfileLog::bytes, "Memory held.");
}

}  // namespace recocore::bindings
