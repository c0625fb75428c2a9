// The Linux interfaces that Swift's Glibc module leaves out, and wrappers for the few whose C type
// (a transparent union, a variadic function, a macro) the importer cannot show.
#pragma once

// _GNU_SOURCE stays undefined: with it, glibc's structures differ from those of Swift's own Glibc module and the two cannot be
// imported into one file. What it would declare is declared here by hand.

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <sys/syscall.h>
#include <unistd.h>

extern int accept4(int listener, struct sockaddr *address, socklen_t *length, int flags);
extern long syscall(long number, ...);

static inline int clinux_errno(void) { return errno; }

static inline int clinux_accept(int listener, struct sockaddr_storage *address, socklen_t *length) {
  return accept4(listener, (struct sockaddr *)address, length, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

static inline int clinux_bind(int fd, const struct sockaddr_storage *address, socklen_t length) {
  return bind(fd, (const struct sockaddr *)address, length);
}

static inline int clinux_connect(int fd, const struct sockaddr_storage *address, socklen_t length) {
  return connect(fd, (const struct sockaddr *)address, length);
}

static inline int clinux_getsockname(int fd, struct sockaddr_storage *address, socklen_t *length) {
  return getsockname(fd, (struct sockaddr *)address, length);
}

static inline int clinux_getrlimit_nofile(struct rlimit *limit) { return getrlimit(RLIMIT_NOFILE, limit); }
static inline int clinux_setrlimit_nofile(const struct rlimit *limit) { return setrlimit(RLIMIT_NOFILE, limit); }

// The calling thread onto one core; the mask covers 1 024 of them, as glibc's cpu_set_t does.
static inline int clinux_pin_thread(unsigned core) {
  unsigned long mask[16] = {0};
  if (core >= 1024) return -1;
  mask[core / 64] = 1ul << (core % 64);
  return (int)syscall(SYS_sched_setaffinity, 0, sizeof mask, mask);
}

static inline void clinux_name_thread(const char *name) { prctl(PR_SET_NAME, name, 0, 0, 0); }

static inline void clinux_trim_heap(void) { malloc_trim(0); }

// Left alone, glibc raises both thresholds with every large block that is freed, up to 64 MiB that it then keeps.
static inline void clinux_map_blocks_from(int bytes) {
  mallopt(M_MMAP_THRESHOLD, bytes);
  mallopt(M_TRIM_THRESHOLD, 2 * bytes);
}

static inline void clinux_ignore_sigpipe(void) { signal(SIGPIPE, SIG_IGN); }

// Where the handler of termination signals writes the signal's number, as an eventfd takes it. Only EventLoop's one file uses it.
static volatile int clinux_signal_fd = -1;
static void clinux_on_signal(int number) {
  int saved = errno;
  uint64_t value = (uint64_t)number;
  if (write(clinux_signal_fd, &value, sizeof value) < 0) { /* a full eventfd already says it */ }
  errno = saved;
}
static inline int clinux_catch_termination(int fd) {
  struct sigaction action = {0};
  action.sa_handler = clinux_on_signal;
  action.sa_flags = SA_RESTART;
  clinux_signal_fd = fd;
  return sigaction(SIGTERM, &action, NULL) | sigaction(SIGINT, &action, NULL) | sigaction(SIGHUP, &action, NULL);
}

// Epoll tokens are opaque 64-bit values here; the union of epoll_data is only ever used as u64.
static inline int clinux_epoll_add(int epoll, int fd, uint32_t events, uint64_t token) {
  struct epoll_event event;
  event.events = events;
  event.data.u64 = token;
  return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

static inline int clinux_epoll_modify(int epoll, int fd, uint32_t events, uint64_t token) {
  struct epoll_event event;
  event.events = events;
  event.data.u64 = token;
  return epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event);
}

static inline int clinux_epoll_remove(int epoll, int fd) {
  struct epoll_event event = {0};
  return epoll_ctl(epoll, EPOLL_CTL_DEL, fd, &event);
}

enum {
  clinux_epollin = EPOLLIN,
  clinux_epollout = EPOLLOUT,
  clinux_epollrdhup = EPOLLRDHUP,
  clinux_epollhup = EPOLLHUP,
  clinux_epollerr = EPOLLERR
};
static inline uint32_t clinux_epollet(void) { return EPOLLET; }
static inline uint32_t clinux_epollexclusive(void) { return EPOLLEXCLUSIVE; }
