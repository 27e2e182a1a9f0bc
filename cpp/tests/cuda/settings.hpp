// What the execution layer runs with, for the length of a scope.
#pragma once

#include "cuda_exec/exec.hpp"

namespace recocore::cuda {

class ScopedSettings {
 public:
  ScopedSettings() : before_(exec::settings()) {}
  ~ScopedSettings() { exec::settings() = before_; }
  ScopedSettings(const ScopedSettings&) = delete;
  ScopedSettings& operator=(const ScopedSettings&) = delete;

 private:
  exec::Settings before_;
};

}  // namespace recocore::cuda
