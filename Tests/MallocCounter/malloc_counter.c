#include "malloc_counter.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

extern long syscall(long number, ...);

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define COUNTING 0
#endif
#endif
#ifndef COUNTING
#define COUNTING 1
#endif

bool malloc_counter_works(void) { return COUNTING; }

#if COUNTING

// The tests of a whole process start thousands of threads, one after the other.
enum { THREADS_MAX = 65536 };
// One slot for each thread that ever allocated. A thread writes only its own slot; readers take a relaxed look.
static struct {
  _Atomic(long) thread;
  _Atomic(uint64_t) calls;
} slots[THREADS_MAX];
static _Atomic(int) used;
static _Thread_local int own = -1;

static void count(void) {
  if (own < 0) {
    own = atomic_fetch_add(&used, 1);
    if (own < THREADS_MAX) atomic_store(&slots[own].thread, syscall(SYS_gettid));
  }
  if (own < THREADS_MAX) atomic_fetch_add_explicit(&slots[own].calls, 1, memory_order_relaxed);
}

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

void *malloc(size_t size) { count(); return __libc_malloc(size); }
void *calloc(size_t number, size_t size) { count(); return __libc_calloc(number, size); }
void *realloc(void *block, size_t size) { count(); return __libc_realloc(block, size); }
void *memalign(size_t alignment, size_t size) { count(); return __libc_memalign(alignment, size); }
void *aligned_alloc(size_t alignment, size_t size) { count(); return __libc_memalign(alignment, size); }
int posix_memalign(void **block, size_t alignment, size_t size) {
  count();
  *block = __libc_memalign(alignment, size);
  return *block ? 0 : ENOMEM;
}

uint64_t malloc_counter_here(void) {
  if (own < 0) count();
  return own < THREADS_MAX ? atomic_load(&slots[own].calls) : 0;
}

uint64_t malloc_counter_of(const char *prefix) {
  uint64_t sum = 0;
  int threads = atomic_load(&used);
  for (int i = 0; i < threads && i < THREADS_MAX; i++) {
    char path[64], name[32] = "";
    snprintf(path, sizeof path, "/proc/self/task/%ld/comm", atomic_load(&slots[i].thread));
    FILE *file = fopen(path, "r");
    if (!file) continue;
    if (fgets(name, sizeof name, file) && strncmp(name, prefix, strlen(prefix)) == 0) sum += atomic_load(&slots[i].calls);
    fclose(file);
  }
  return sum;
}

#else

uint64_t malloc_counter_here(void) { return 0; }
uint64_t malloc_counter_of(const char *prefix) { (void)prefix; return 0; }

#endif
