// The part of the DLPack protocol, version 0, that arrays of a CUDA device take (https://dmlc.github.io/dlpack).
#pragma once

#include <cstdint>

namespace recocore::bindings {

inline constexpr std::int32_t kDlCuda = 2;
inline constexpr std::uint8_t kDlInt = 0;
inline constexpr std::uint8_t kDlFloat = 2;

struct DlDevice {
  std::int32_t type;
  std::int32_t id;
};

struct DlDataType {
  std::uint8_t code;
  std::uint8_t bits;
  std::uint16_t lanes;
};

struct DlTensor {
  void* data;
  DlDevice device;
  std::int32_t dimensions;
  DlDataType type;
  std::int64_t* shape;
  std::int64_t* strides;  ///< in elements; null where rows follow each other
  std::uint64_t byte_offset;
};

/// What a capsule named "dltensor" points to; who takes it renames it "used_dltensor", and calls the deleter once.
struct DlManagedTensor {
  DlTensor tensor;
  void* context;
  void (*deleter)(DlManagedTensor*);
};

}  // namespace recocore::bindings
