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

// The pipe into which the handler of signals writes their numbers, a byte each. Only EventLoop's Signals.swift uses it.
static volatile int clinux_signal_fd = -1;
static void clinux_on_signal(int number) {
  int saved = errno;
  unsigned char value = (unsigned char)number;
  if (write(clinux_signal_fd, &value, 1) < 0) { /* a full pipe already says it */ }
  errno = saved;
}
static inline void clinux_write_signals_to(int fd) { clinux_signal_fd = fd; }

// Catches a signal; with `only_default`, one that the program has no handler for and does not ignore.
static inline int clinux_catch(int number, int only_default) {
  struct sigaction action = {0}, before = {0};
  if (only_default && (sigaction(number, NULL, &before) != 0 || before.sa_handler != SIG_DFL)) return 0;
  action.sa_handler = clinux_on_signal;
  action.sa_flags = SA_RESTART;
  return sigaction(number, &action, NULL);
}

// Ends the process by a signal, as if nothing had ever caught or blocked it. Returns where even that fails.
static inline void clinux_end_by(int number) {
  sigset_t set;
  signal(number, SIG_DFL);
  sigemptyset(&set);
  sigaddset(&set, number);
  pthread_sigmask(SIG_UNBLOCK, &set, NULL);
  kill(getpid(), number);
  pthread_kill(pthread_self(), number);
}

static inline int clinux_pipe(int *ends) {
  if (pipe(ends) != 0) return -1;
  fcntl(ends[0], F_SETFD, FD_CLOEXEC);
  fcntl(ends[1], F_SETFD, FD_CLOEXEC);
  return fcntl(ends[1], F_SETFL, O_NONBLOCK);
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
