#include "cuda_exec/fiber.hpp"

#include <sys/mman.h>

#include <cstdint>
#include <new>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#if defined(RECOCORE_EXEC_TSAN)
#include <sanitizer/tsan_interface.h>
#endif
#if !defined(__x86_64__)
#include <ucontext.h>
#endif

namespace recocore::cuda::exec {
namespace {

// Frames under the address sanitizer are several times as large.
constexpr std::size_t kStackBytes = 384 * 1024;
// Stacks begin at different places of their pages: else the threads of a block would all live in the same few sets of
// the caches.
constexpr std::size_t kColorBytes = 448;
constexpr std::size_t kColors = 256;

Fiber* entering = nullptr;  // the one whose body begins
void* scheduler_pointer = nullptr;
bool from_scheduler = false;  // who was left for the fiber that arrives
#if defined(__SANITIZE_ADDRESS__)
const void* scheduler_stack = nullptr;
std::size_t scheduler_stack_bytes = 0;
#endif
#if defined(RECOCORE_EXEC_TSAN)
void* scheduler_fiber = nullptr;
#endif

}  // namespace

#if defined(__x86_64__)
// Saves what a function has to keep, and goes on where the other stack left off. swapcontext would call the system
// twice.
extern "C" void recocore_exec_switch(void** save, void* load);
asm(R"(
  .text
  .globl recocore_exec_switch
  .type recocore_exec_switch, @function
recocore_exec_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
  .size recocore_exec_switch, . - recocore_exec_switch
)");
#else
// Elsewhere the library's own switch, whose contexts lie where the pointers point.
extern "C" void recocore_exec_switch(void** save, void* load) {
  ucontext_t here;
  *save = &here;
  swapcontext(&here, static_cast<ucontext_t*>(load));
}
#endif

Fiber::Fiber(void (*body)()) : body_(body) {
  void* memory = mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  mprotect(memory, 4096, PROT_NONE);  // a kernel that needs more faults here
  stack_ = static_cast<char*>(memory);
  static std::size_t made = 0;
  top_ = stack_ + kStackBytes - made++ % kColors * kColorBytes;
  reset();
}

Fiber::~Fiber() {
#if defined(RECOCORE_EXEC_TSAN)
  __tsan_destroy_fiber(sanitizer_fiber_);
#endif
  munmap(stack_, kStackBytes);
}

void Fiber::reset() {
#if defined(RECOCORE_EXEC_TSAN)
  // What it did before it was left comes before what follows: a switch to and fro that orders. The next life starts at
  // no call's depth, so it is another fiber.
  if (sanitizer_fiber_ != nullptr) {
    void* const self = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(sanitizer_fiber_, 0);
    __tsan_switch_to_fiber(self, 0);
    __tsan_destroy_fiber(sanitizer_fiber_);
  }
  sanitizer_fiber_ = __tsan_create_fiber(0);
#endif
#if defined(__SANITIZE_ADDRESS__)
  __asan_unpoison_memory_region(stack_ + 4096, kStackBytes - 4096);  // frames that were left without returning
#endif
#if defined(__x86_64__)
  auto* top = reinterpret_cast<std::uintptr_t*>(top_);
  *--top = 0;  // where enter() would return to; it begins, as after a call, eight bytes from a multiple of sixteen
  *--top = reinterpret_cast<std::uintptr_t>(&Fiber::enter);
  for (int saved = 0; saved < 6; ++saved) *--top = 0;
  stack_pointer_ = top;
#else
  auto* context = new (top_ - sizeof(ucontext_t)) ucontext_t;
  getcontext(context);
  context->uc_stack.ss_sp = stack_ + 4096;
  context->uc_stack.ss_size = static_cast<std::size_t>(top_ - stack_) - 4096 - sizeof(ucontext_t);
  context->uc_link = nullptr;
  makecontext(context, &Fiber::enter, 0);
  stack_pointer_ = context;
#endif
}

void Fiber::enter() {
  Fiber* const self = entering;
  self->arrived(nullptr);
  for (;;) {
    self->body_();
    self->leave();
  }
}

void Fiber::arrived([[maybe_unused]] void* fake_stack) {
#if defined(__SANITIZE_ADDRESS__)
  const void* left = nullptr;
  std::size_t left_bytes = 0;
  __sanitizer_finish_switch_fiber(fake_stack, &left, &left_bytes);
  if (!from_scheduler) return;
  scheduler_stack = left;
  scheduler_stack_bytes = left_bytes;
#endif
}

void Fiber::resume() {
  entering = this;
  from_scheduler = true;
#if defined(RECOCORE_EXEC_TSAN)
  scheduler_fiber = __tsan_get_current_fiber();
  __tsan_switch_to_fiber(sanitizer_fiber_, __tsan_switch_to_fiber_no_sync);
#endif
#if defined(__SANITIZE_ADDRESS__)
  void* fake_stack = nullptr;
  __sanitizer_start_switch_fiber(&fake_stack, stack_, kStackBytes);
#endif
  recocore_exec_switch(&scheduler_pointer, stack_pointer_);
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(fake_stack, nullptr, nullptr);
#endif
}

void Fiber::leave() {
#if defined(RECOCORE_EXEC_TSAN)
  __tsan_switch_to_fiber(scheduler_fiber, __tsan_switch_to_fiber_no_sync);
#endif
#if defined(__SANITIZE_ADDRESS__)
  void* fake_stack = nullptr;
  __sanitizer_start_switch_fiber(&fake_stack, scheduler_stack, scheduler_stack_bytes);
#endif
  recocore_exec_switch(&stack_pointer_, scheduler_pointer);
#if defined(__SANITIZE_ADDRESS__)
  arrived(fake_stack);
#endif
}

void Fiber::hop(Fiber& next) {
  entering = &next;
  from_scheduler = false;
#if defined(RECOCORE_EXEC_TSAN)
  __tsan_switch_to_fiber(next.sanitizer_fiber_, __tsan_switch_to_fiber_no_sync);
#endif
#if defined(__SANITIZE_ADDRESS__)
  void* fake_stack = nullptr;
  __sanitizer_start_switch_fiber(&fake_stack, next.stack_, kStackBytes);
#endif
  recocore_exec_switch(&stack_pointer_, next.stack_pointer_);
#if defined(__SANITIZE_ADDRESS__)
  arrived(fake_stack);
#endif
}

}  // namespace recocore::cuda::exec
