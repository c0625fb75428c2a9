// Counts the calls of malloc, calloc, realloc and their aligned kin, thread by thread, for tests.
#pragma once
#include <stdbool.h>
#include <stdint.h>

// Whether this build counts at all: the sanitizers bring an allocator of their own.
bool malloc_counter_works(void);
// Calls made so far by the calling thread.
uint64_t malloc_counter_here(void);
// Calls made so far by all threads whose name begins with `prefix`.
uint64_t malloc_counter_of(const char *prefix);
