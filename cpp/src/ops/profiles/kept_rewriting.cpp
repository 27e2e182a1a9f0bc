// Writes the events of a record behind newer ones, without making them.
#include <algorithm>
#include <bit>
#include <limits>

#include "ops/profiles/kept_format.hpp"

namespace recocore::kept {
namespace {

// NOLINTBEGIN(bugprone-signed-bitwise)  (masks of small numbers)

/// Reads events and writes them as they stand, but for places: a name or a hash moves to where it is first told.
class Rewriter {
 public:
  Rewriter(Reader& older, Packer& packer)
      : reader_(&older), packer_(&packer), newer_hashes_(packer.hashes().begin(), packer.hashes().end()) {
    names_.reserve(older.left().size() / kBytesOfHash + 4);
    hashes_.reserve(older.left().size() / kBytesOfHash + 4);
  }

  /// The next event, at some distance before a time; returns its own.
  std::int64_t rewrite(std::int64_t before) {
    writes_ = packer_->fits();
    const auto bits = static_cast<std::uint32_t>(reader_->number());
    const auto has = [bits](std::uint32_t bit) { return (bits & bit) != 0; };
    const std::size_t type = read_name();
    const std::uint64_t distance = reader_->number();
    const auto time = static_cast<std::int64_t>(static_cast<std::uint64_t>(before) -
                                                distance * static_cast<std::uint64_t>(unit_of(bits)));
    if (time < 0) return time;
    if (packer_->before() == before) {
      write_start(bits, type, distance);
    } else {
      const std::int64_t since = packer_->before() - time;
      const std::uint32_t unit = unit_bits_of(since);
      write_start((bits & ~(kSeconds | kMilliseconds)) | unit, type, static_cast<std::uint64_t>(since / unit_of(unit)));
    }
    for (const std::uint32_t bit : {kItem, kSession, kOrder})
      if (has(bit)) hash();
    for (const std::uint32_t bit : {kCategory, kBrand, kChannel, kQuery, kCurrency})
      if (has(bit)) write_name(read_name());
    const double value = has(kValue) ? money() : std::numeric_limits<double>::quiet_NaN();
    if (has(kPrice)) money();
    for (const std::uint32_t bit : {kQuantity, kDwell})
      if (has(bit)) write(reader_->number());
    if (has(kTags)) {
      const std::uint64_t tags = reader_->number();
      write(tags);
      for (std::uint64_t left = tags; left > 0; --left) write_name(read_name());
    }
    packer_->end_event(time, is_purchase(names_[type].text, value), has(kTags));
    return time;
  }

 private:
  // Places among what is written, -1 for what is not yet.
  struct Name {
    std::string_view text;
    std::int32_t place;
  };
  struct Hash {
    std::uint64_t value;
    std::int32_t place;
  };

  void write(std::uint64_t number) {
    if (writes_) packer_->bytes().number(number);
  }

  void write_start(std::uint32_t bits, std::size_t type, std::uint64_t distance) {
    write(bits);
    write_name(type);
    write(distance);
  }

  std::size_t read_name() {
    const std::uint64_t place = reader_->number();
    if (place > names_.size()) refuse("expected places of names, got another number");
    if (place == names_.size()) {
      const auto bytes = reader_->take(reader_->number());
      const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
      names_.push_back({text, packer_->place_of(text)});
    }
    return place;
  }

  void write_name(std::size_t name) {
    if (writes_) packer_->name(names_[name].place, names_[name].text);
  }

  void hash() {
    const std::uint64_t place = reader_->number();
    if (place > hashes_.size()) refuse("expected places of hashes, got another number");
    if (place == hashes_.size()) {
      const std::uint64_t value = reader_->whole();
      const auto found = std::ranges::find(newer_hashes_, value);
      const auto newer = static_cast<std::int32_t>(found - newer_hashes_.begin());
      hashes_.push_back({value, found == newer_hashes_.end() ? -1 : newer});
    }
    if (writes_) packer_->hash(hashes_[place].place, hashes_[place].value);
  }

  double money() {
    const std::uint64_t coded = reader_->number();
    write(coded);
    if (!is_raw(coded)) return money_of(coded);
    const std::uint64_t bits = reader_->whole();
    if (writes_) packer_->bytes().whole(bits);
    return std::bit_cast<double>(bits);
  }

  Reader* reader_;
  Packer* packer_;
  std::vector<std::uint64_t> newer_hashes_;  // by their places
  bool writes_ = true;
  std::vector<Name> names_;
  std::vector<Hash> hashes_;
};

// NOLINTEND(bugprone-signed-bitwise)

}  // namespace

void rewrite_events(Reader& older, std::int64_t newest, Packer& packer) {
  Rewriter rewriter(older, packer);
  for (std::int64_t time = newest; time >= 0 && !older.done();) time = rewriter.rewrite(time);
}

}  // namespace recocore::kept
