// The physical limit of a WebSocket fan-out: one thread, one epoll, one send(2) per subscriber and wake-up, and nothing else.
//
// A yardstick, not a server: it trusts its peers, ignores tokens and origins, and passes payloads on as they are. A connection that asks
// for a path starting with /sub receives; one on /echo gets its own frames back; whatever any other connection sends goes to all receivers.
// All frames that arrive in one recv(2) leave as unmasked frames in one contiguous buffer.

#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
  FILES_MAX = 1 << 20,        // descriptors at most, for the size of the table; the real limit is RLIMIT_NOFILE
  RECEIVE_MAX = 256 * 1024,   // bytes in one recv: a burst of 64 messages of 1 KiB and room to spare
  MESSAGE_MAX = 1024 * 1024,  // a longer frame closes the connection
  EVENTS_MAX = 1024,          // events per wake-up
};

enum role { HANDSHAKE, PUBLISHER, SUBSCRIBER, ECHO };

struct connection {
  enum role role;
  bool open;
  int position;       // in `subscribers`
  uint8_t *tail;      // an incomplete frame or request head, kept until the rest comes
  size_t tail_length;
  uint8_t *unsent;    // what the socket did not take
  size_t unsent_length;
};

static struct connection *table;
static int *subscribers;
static int subscriber_count;
static int poll_fd;
static uint8_t received[MESSAGE_MAX + RECEIVE_MAX];
static uint8_t outgoing[MESSAGE_MAX + RECEIVE_MAX];

static void fail(const char *call) {
  perror(call);
  exit(1);
}

static void watch(int fd, int operation, uint32_t events) {
  struct epoll_event event = {.events = events, .data.fd = fd};
  if (epoll_ctl(poll_fd, operation, fd, &event) != 0) fail("epoll_ctl");
}

static void drop(int fd) {
  struct connection *connection = &table[fd];
  if (!connection->open) return;
  if (connection->role == SUBSCRIBER) {
    int last = subscribers[--subscriber_count];
    subscribers[connection->position] = last;
    table[last].position = connection->position;
  }
  free(connection->tail);
  free(connection->unsent);
  memset(connection, 0, sizeof *connection);
  close(fd);
}

static void keep(uint8_t **place, size_t *length, const uint8_t *bytes, size_t count) {
  *place = realloc(*place, *length + count);
  if (*place == NULL) fail("realloc");
  memcpy(*place + *length, bytes, count);
  *length += count;
}

// One send; what the socket does not take waits for EPOLLOUT, so that nothing is lost.
static void deliver(int fd, const uint8_t *bytes, size_t count) {
  struct connection *connection = &table[fd];
  ssize_t sent = 0;
  if (connection->unsent_length == 0) {
    sent = send(fd, bytes, count, MSG_NOSIGNAL);
    if (sent == (ssize_t)count) return;
    if (sent < 0 && errno != EAGAIN) return;  // the reading side learns of the break and drops it
    if (sent < 0) sent = 0;
    watch(fd, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
  }
  keep(&connection->unsent, &connection->unsent_length, bytes + sent, count - (size_t)sent);
}

static void writable(int fd) {
  struct connection *connection = &table[fd];
  ssize_t sent = send(fd, connection->unsent, connection->unsent_length, MSG_NOSIGNAL);
  if (sent < 0) return;
  connection->unsent_length -= (size_t)sent;
  memmove(connection->unsent, connection->unsent + sent, connection->unsent_length);
  if (connection->unsent_length == 0) watch(fd, EPOLL_CTL_MOD, EPOLLIN);
}

// Answers the upgrade once its head is complete; returns the bytes consumed, 0 when more are needed, -1 to close.
static ssize_t handshake(int fd, const uint8_t *bytes, size_t count) {
  static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  const uint8_t *end = memmem(bytes, count, "\r\n\r\n", 4);
  if (end == NULL) return count > 16384 ? -1 : 0;
  char head[16384 + 8];
  size_t length = (size_t)(end - bytes) + 4;
  if (length > 16384) return -1;
  memcpy(head, bytes, length);
  head[length] = 0;
  char *key = strcasestr(head, "\r\nSec-WebSocket-Key:");
  if (strncmp(head, "GET ", 4) != 0 || key == NULL) return -1;
  key += strlen("\r\nSec-WebSocket-Key:");
  key += strspn(key, " ");

  char joined[128];
  int joined_length = snprintf(joined, sizeof joined, "%.*s%s", (int)strcspn(key, " \r"), key, guid);
  if (joined_length >= (int)sizeof joined) return -1;
  uint8_t digest[SHA_DIGEST_LENGTH];
  uint8_t accept[32];
  SHA1((const uint8_t *)joined, (size_t)joined_length, digest);
  EVP_EncodeBlock(accept, digest, sizeof digest);
  char answer[256];
  int answer_length = snprintf(answer, sizeof answer,
                               "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                               "Sec-WebSocket-Accept: %s\r\n\r\n", accept);

  struct connection *connection = &table[fd];
  const char *path = head + 4;
  if (strncmp(path, "/sub", 4) == 0) {
    connection->role = SUBSCRIBER;
    connection->position = subscriber_count;
    subscribers[subscriber_count++] = fd;
  } else {
    connection->role = strncmp(path, "/echo", 5) == 0 ? ECHO : PUBLISHER;
  }
  deliver(fd, (const uint8_t *)answer, (size_t)answer_length);
  return (ssize_t)length;
}

// Turns the frame at `bytes` into an unmasked one at `out`. Returns the bytes consumed, 0 when incomplete, -1 to close; adds to `written`.
static ssize_t translate(uint8_t *bytes, size_t count, uint8_t *out, size_t *written, uint8_t *opcode) {
  if (count < 6) return 0;
  if ((bytes[1] & 0x80) == 0) return -1;
  size_t length = bytes[1] & 0x7F, header = 2;
  if (length == 126) {
    if (count < 8) return 0;
    length = (size_t)bytes[2] << 8 | bytes[3];
    header = 4;
  } else if (length == 127) {
    if (count < 14) return 0;
    length = 0;
    for (int i = 2; i < 10; i++) length = length << 8 | bytes[i];
    header = 10;
  }
  if (length > MESSAGE_MAX - 32) return -1;
  if (count < header + 4 + length) return 0;

  uint32_t mask;
  memcpy(&mask, bytes + header, 4);
  uint64_t wide = (uint64_t)mask << 32 | mask;
  const uint8_t *source = bytes + header + 4;
  memcpy(out, bytes, header);
  out[1] &= 0x7F;
  uint8_t *target = out + header;
  size_t i = 0;
  for (; i + 8 <= length; i += 8) {
    uint64_t word;
    memcpy(&word, source + i, 8);
    word ^= wide;
    memcpy(target + i, &word, 8);
  }
  for (; i < length; i++) target[i] = source[i] ^ bytes[header + (i & 3)];
  *opcode = bytes[0] & 0x0F;
  *written = header + length;
  return (ssize_t)(header + 4 + length);
}

static void readable(int fd) {
  struct connection *connection = &table[fd];
  size_t have = connection->tail_length;
  ssize_t got = recv(fd, received + have, RECEIVE_MAX, 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) return drop(fd);
  if (have > 0) memcpy(received, connection->tail, have);
  size_t count = have + (size_t)got, offset = 0, ready = 0;

  if (connection->role == HANDSHAKE) {
    ssize_t used = handshake(fd, received, count);
    if (used < 0) return drop(fd);
    offset = (size_t)used;
  }
  while (connection->role != HANDSHAKE) {
    size_t written = 0;
    uint8_t opcode = 0;
    ssize_t used = translate(received + offset, count - offset, outgoing + ready, &written, &opcode);
    if (used < 0) return drop(fd);
    if (used == 0) break;
    offset += (size_t)used;
    if (opcode == 8 || opcode == 9) {
      outgoing[ready] = opcode == 8 ? 0x88 : 0x8A;
      deliver(fd, outgoing + ready, written);
      if (opcode == 8) return drop(fd);
    } else if (opcode < 8) {
      ready += written;
    }
  }
  connection->tail_length = 0;
  if (offset < count) {
    keep(&connection->tail, &connection->tail_length, received + offset, count - offset);
    if (connection->tail_length > MESSAGE_MAX) return drop(fd);
  }
  if (ready == 0) return;
  if (connection->role == ECHO) return deliver(fd, outgoing, ready);
  for (int i = 0; i < subscriber_count; i++)
    if (subscribers[i] != fd) deliver(subscribers[i], outgoing, ready);
}

static void accept_all(int listener) {
  while (true) {
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    if (fd >= FILES_MAX) {
      close(fd);
      continue;
    }
    table[fd].open = true;
    watch(fd, EPOLL_CTL_ADD, EPOLLIN);
  }
}

int main(int argc, char **argv) {
  int port = 0;
  if (argc == 3 && strcmp(argv[1], "--port") == 0) port = atoi(argv[2]);
  else if (argc != 1) return fprintf(stderr, "usage: bare_fanout [--port N]\n"), 2;

  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  table = calloc(FILES_MAX, sizeof *table);
  subscribers = calloc(FILES_MAX, sizeof *subscribers);
  if (table == NULL || subscribers == NULL) fail("calloc");

  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0) fail("bind");
  if (listen(listener, 4096) != 0) fail("listen");
  getsockname(listener, (struct sockaddr *)&address, &length);
  poll_fd = epoll_create1(EPOLL_CLOEXEC);
  watch(listener, EPOLL_CTL_ADD, EPOLLIN);
  printf("listening on 127.0.0.1:%d\n", ntohs(address.sin_port));
  fflush(stdout);

  static struct epoll_event events[EVENTS_MAX];
  while (true) {
    int count = epoll_wait(poll_fd, events, EVENTS_MAX, -1);
    for (int i = 0; i < count; i++) {
      int fd = events[i].data.fd;
      if (fd == listener) {
        accept_all(listener);
        continue;
      }
      if (events[i].events & EPOLLOUT) writable(fd);
      if (events[i].events & ~(uint32_t)EPOLLOUT) readable(fd);
    }
  }
}
