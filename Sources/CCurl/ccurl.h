// libcurl as the courier uses it: one multi handle, plain HTTP/1.1 transfers. Wrappers, because curl_easy_setopt and its kin are variadic,
// which the importer cannot show; handles are `void *` here, whatever curl.h of the day calls them.
#pragma once

#include <curl/curl.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>

typedef size_t (*ccurl_transfer_function)(char *bytes, size_t size, size_t count, void *context);

static inline int ccurl_global_init(void) { return curl_global_init(CURL_GLOBAL_DEFAULT); }

// A write of OpenSSL's to a connection that the peer has closed raises SIGPIPE in the thread that writes. There it is blocked.
static inline void ccurl_block_sigpipe(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &set, NULL);
}

// MARK: the multi handle

static inline void *ccurl_multi_new(long connections) {
  CURLM *multi = curl_multi_init();
  if (!multi) return NULL;
  curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, connections);
  curl_multi_setopt(multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
  return multi;
}
static inline void ccurl_multi_free(void *multi) { curl_multi_cleanup(multi); }
static inline int ccurl_multi_add(void *multi, void *easy) { return curl_multi_add_handle(multi, easy); }
static inline int ccurl_multi_remove(void *multi, void *easy) { return curl_multi_remove_handle(multi, easy); }
static inline int ccurl_multi_perform(void *multi) {
  int running = 0;
  return curl_multi_perform(multi, &running);
}
static inline int ccurl_multi_poll(void *multi, int milliseconds) { return curl_multi_poll(multi, NULL, 0, milliseconds, NULL); }
static inline int ccurl_multi_wakeup(void *multi) { return curl_multi_wakeup(multi); }

// The next transfer that has ended: its context, and its CURLcode in `result`. Null when there is none.
static inline void *ccurl_multi_ended(void *multi, int *result) {
  int left = 0;
  CURLMsg *message;
  while ((message = curl_multi_info_read(multi, &left))) {
    if (message->msg != CURLMSG_DONE) continue;
    void *context = NULL;
    *result = message->data.result;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &context);
    return context;
  }
  return NULL;
}

// MARK: an easy handle

// A handle for one HTTP/1.1 exchange: TLS verified, no redirects, no proxy, no signals, nothing but http and https.
// `error` has room for CURL_ERROR_SIZE bytes; it and `context` outlive the handle.
static inline void *ccurl_easy_new(
    const char *url, long connect_milliseconds, long idle_seconds, char *error, void *context, ccurl_transfer_function head,
    ccurl_transfer_function body) {
  CURL *easy = curl_easy_init();
  if (!easy) return NULL;
  int bad = curl_easy_setopt(easy, CURLOPT_URL, url) != CURLE_OK;
#if LIBCURL_VERSION_NUM >= 0x075500
  bad |= curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") != CURLE_OK;
#else
  bad |= curl_easy_setopt(easy, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS)) != CURLE_OK;
#endif
  bad |= curl_easy_setopt(easy, CURLOPT_PROXY, "") != CURLE_OK;
  bad |= curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L) != CURLE_OK;
  bad |= curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L) != CURLE_OK;
  bad |= curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L) != CURLE_OK;
  bad |= curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) != CURLE_OK;
  bad |= curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) != CURLE_OK;
  bad |= curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, connect_milliseconds) != CURLE_OK;
  bad |= curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, idle_seconds) != CURLE_OK;
  bad |= curl_easy_setopt(easy, CURLOPT_USERAGENT, "martlet") != CURLE_OK;
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, error);
  curl_easy_setopt(easy, CURLOPT_PRIVATE, context);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, head);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, context);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, context);
  if (bad) {
    curl_easy_cleanup(easy);
    return NULL;
  }
  return easy;
}

// Libcurl sends a request again by itself when a kept connection breaks before an answer came. It has to rewind the body for that, and this
// refuses: whether the peer has acted on the first copy is unknown.
static inline int ccurl_never_rewind(void *context, curl_off_t offset, int origin) {
  (void)context, (void)offset, (void)origin;
  return CURL_SEEKFUNC_FAIL;
}

// Makes it a request with a body of `count` bytes, which `body` gives.
static inline int ccurl_easy_body(void *easy, const char *method, int64_t count, void *context, ccurl_transfer_function body) {
  int bad = curl_easy_setopt(easy, CURLOPT_POST, 1L) != CURLE_OK;
  bad |= curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method) != CURLE_OK;
  bad |= curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)count) != CURLE_OK;
  curl_easy_setopt(easy, CURLOPT_READFUNCTION, body);
  curl_easy_setopt(easy, CURLOPT_READDATA, context);
  curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, ccurl_never_rewind);
  return bad;
}

static inline int ccurl_easy_get(void *easy) { return curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L); }
static inline int ccurl_easy_headers(void *easy, struct curl_slist *list) { return curl_easy_setopt(easy, CURLOPT_HTTPHEADER, list); }
static inline int ccurl_easy_continue(void *easy) { return curl_easy_pause(easy, CURLPAUSE_CONT); }
static inline void ccurl_easy_free(void *easy) { curl_easy_cleanup(easy); }

static inline long ccurl_easy_status(void *easy) {
  long status = 0;
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
  return status;
}

// Bytes of requests that have left; zero means that the peer has seen none of it.
static inline long ccurl_easy_request_bytes(void *easy) {
  long count = 0;
  curl_easy_getinfo(easy, CURLINFO_REQUEST_SIZE, &count);
  return count;
}

// Null when the answer had none. Valid while the handle is.
static inline const char *ccurl_easy_content_type(void *easy) {
  char *type = NULL;
  curl_easy_getinfo(easy, CURLINFO_CONTENT_TYPE, &type);
  return type;
}

static inline const char *ccurl_text(int result) { return curl_easy_strerror((CURLcode)result); }

enum {
  ccurl_error_bytes = CURL_ERROR_SIZE,
  ccurl_ok = CURLE_OK,
  ccurl_cannot_resolve = CURLE_COULDNT_RESOLVE_HOST,
  ccurl_cannot_connect = CURLE_COULDNT_CONNECT,
  ccurl_timed_out = CURLE_OPERATION_TIMEDOUT,
  ccurl_too_large = CURLE_FILESIZE_EXCEEDED,
  ccurl_weird = CURLE_WEIRD_SERVER_REPLY,
  ccurl_unsupported = CURLE_UNSUPPORTED_PROTOCOL
};
static inline size_t ccurl_pause(void) { return CURL_WRITEFUNC_PAUSE; }
