// One attempt at an exchange: a libcurl easy handle, and what it calls back. The courier's thread only.
import CCurl

/// An attempt to send a request and receive its answer.
@safe
final class Transfer {
  let exchange: Exchange
  /// How many attempts came before this one.
  let attempt: Int
  /// When something was last heard, in milliseconds of the monotonic clock; nil while the reader is behind, so that
  /// nothing can be heard.
  private(set) var heardAt: UInt64?

  // SAFETY: made by `init`, freed by `deinit`, which runs after the transfer was removed from the multi handle, so that
  // no callback can come any more. The handle's context is this object, unretained: it outlives the handle.
  private(set) var easy: UnsafeMutableRawPointer?
  private var headers: UnsafeMutablePointer<curl_slist>?
  private let message: UnsafeMutablePointer<CChar>

  private let bodyBytesMax: Int
  private var sent = 0
  private var received = 0
  private var headBytes = 0
  private var hasHead = false
  /// Why a callback broke the transfer off.
  private var verdict: CourierError?

  /// Nil when libcurl has no handle or does not like the URL.
  init?(_ exchange: Exchange, attempt: Int, options: CourierOptions) {
    self.exchange = exchange
    self.attempt = attempt
    heardAt = Core.now()
    bodyBytesMax = max(1, options.responseBytesMax)
    // SAFETY: zeros, so that it is a terminated string before libcurl has written to it.
    unsafe message = .allocate(capacity: Int(ccurl_error_bytes))
    unsafe message.initialize(repeating: 0, count: Int(ccurl_error_bytes))
    unsafe easy = nil
    unsafe headers = nil
    guard makeHandle(connectMilliseconds: max(1, options.connectTimeoutMilliseconds)) else { return nil }
  }

  deinit {
    // SAFETY: see `easy`. The list is freed after the handle that uses it.
    if let easy = unsafe easy { unsafe ccurl_easy_free(easy) }
    unsafe curl_slist_free_all(headers)
    unsafe message.deallocate()
  }

  private func makeHandle(connectMilliseconds: Int) -> Bool {
    let request = exchange.request
    // SAFETY: the strings live during the calls and libcurl copies them; the context and the error buffer outlive the
    // handle.
    let context = unsafe Unmanaged.passUnretained(self).toOpaque()
    let made = unsafe ccurl_easy_new(
      request.url, connectMilliseconds, CourierLimits.idleSeconds, message, context, receiveHead, receiveBody)
    guard let made = unsafe made else { return false }
    unsafe easy = unsafe made
    if request.method == "GET" {
      guard unsafe ccurl_easy_get(easy) == 0 else { return false }
    } else {
      let count = Int64(request.body.count)
      guard unsafe ccurl_easy_body(easy, request.method, count, context, giveBody) == 0 else { return false }
    }
    // Fields that libcurl would add by itself: the first asks the back end for permission to send a long body.
    append("Expect:")
    if !request.headers.contains(where: { $0.0.lowercased() == "content-type" }) { append("Content-Type:") }
    for (name, value) in request.headers { append(value.isEmpty ? name + ";" : name + ": " + value) }
    return unsafe ccurl_easy_headers(easy, headers) == 0
  }

  private func append(_ line: String) {
    // SAFETY: the list copies the line; out of memory leaves the list as it is.
    if let longer = unsafe curl_slist_append(headers, line) { unsafe headers = unsafe longer }
  }

  /// Goes on after a pause. Calls back at once with what was held back.
  func resume() {
    heardAt = Core.now()
    // SAFETY: the handle is alive.
    unsafe _ = ccurl_easy_continue(easy)
  }

  /// What libcurl's result means. Nil: the answer is complete.
  func outcome(_ result: Int32) -> CourierError? {
    if let verdict { return verdict }
    switch Int(result) {
    case ccurl_ok: return hasHead ? nil : .badResponse("no head")
    case ccurl_too_large: return .tooLarge
    case ccurl_weird: return .badResponse(text(result))
    // An answer without a status line, as before HTTP/1.0.
    case ccurl_unsupported where !isUnsent: return .badResponse(text(result))
    default: return isUnsent ? .cannotConnect(text(result)) : .interrupted(text(result))
    }
  }

  /// Whether another attempt can help and does no harm: there was no connection, so nothing was sent.
  func isWorthRepeating(_ result: Int32) -> Bool {
    isUnsent && (Int(result) == ccurl_cannot_connect || Int(result) == ccurl_timed_out)
  }

  private var isUnsent: Bool {
    // SAFETY: the handle is alive.
    unsafe ccurl_easy_request_bytes(easy) == 0
  }

  private func text(_ result: Int32) -> String {
    // SAFETY: libcurl terminates what it writes into the buffer, which began as zeros.
    let detail = unsafe String(cString: message)
    if !detail.isEmpty { return detail }
    return unsafe ccurl_text(result).map { unsafe String(cString: $0) } ?? "error \(result)"
  }

  // MARK: called back

  /// One header line, or the empty line that ends a head. The bytes taken; another number breaks the transfer off.
  fileprivate func head(_ line: UnsafeBufferPointer<UInt8>) -> Int {
    heardAt = Core.now()
    headBytes += line.count
    if headBytes > CourierLimits.headBytesMax {
      verdict = .tooLarge
      return 0
    }
    // Trailers of a chunked body come here too.
    if hasHead { return line.count }
    // SAFETY: `line` is valid during the call, the handle and its strings are too.
    guard unsafe line.allSatisfy({ $0 == 0x0D || $0 == 0x0A }) else { return line.count }
    let status = unsafe ccurl_easy_status(easy)
    // An interim answer: the real one follows.
    if status < 200 { return line.count }
    hasHead = true
    let type = unsafe ccurl_easy_content_type(easy).map { unsafe String(cString: $0) }
    exchange.begin(AnswerHead(status: status, contentType: type))
    return line.count
  }

  /// Bytes of the body, offered again after a pause.
  fileprivate func body(_ bytes: UnsafeBufferPointer<UInt8>) -> Int {
    if received + bytes.count > bodyBytesMax {
      verdict = .tooLarge
      return 0
    }
    // SAFETY: `bytes` is valid during the call; the array is a copy.
    switch exchange.deliver(unsafe Array(bytes)) {
    case .taken:
      received += bytes.count
      heardAt = Core.now()
      return bytes.count
    case .full:
      heardAt = nil
      return ccurl_pause()
    case .unwanted:
      verdict = .cancelled
      return 0
    }
  }

  /// Fills `room` with the next bytes of the request.
  fileprivate func give(_ room: UnsafeMutableBufferPointer<UInt8>) -> Int {
    let count = min(room.count, exchange.request.body.count - sent)
    // SAFETY: libcurl gives the room for the call; `count` is no more than it.
    for index in 0..<count { unsafe room[index] = exchange.request.body[sent + index] }
    sent += count
    return count
  }
}

// SAFETY: libcurl passes the context that `Transfer` set, a transfer that is alive, and `size * count` bytes that are
// valid during the call.
private func receiveHead(
  bytes: UnsafeMutablePointer<CChar>?, size: Int, count: Int, context: UnsafeMutableRawPointer?
) -> Int {
  guard let context = unsafe context, let bytes = unsafe bytes else { return 0 }
  let transfer = unsafe Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue()
  let start = unsafe UnsafeRawPointer(bytes).assumingMemoryBound(to: UInt8.self)
  return unsafe transfer.head(UnsafeBufferPointer(start: start, count: size * count))
}

// SAFETY: as `receiveHead`.
private func receiveBody(
  bytes: UnsafeMutablePointer<CChar>?, size: Int, count: Int, context: UnsafeMutableRawPointer?
) -> Int {
  guard let context = unsafe context, let bytes = unsafe bytes else { return 0 }
  let transfer = unsafe Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue()
  let start = unsafe UnsafeRawPointer(bytes).assumingMemoryBound(to: UInt8.self)
  return unsafe transfer.body(UnsafeBufferPointer(start: start, count: size * count))
}

// SAFETY: as `receiveHead`; the bytes are room to write to.
private func giveBody(
  bytes: UnsafeMutablePointer<CChar>?, size: Int, count: Int, context: UnsafeMutableRawPointer?
) -> Int {
  guard let context = unsafe context, let bytes = unsafe bytes else { return 0 }
  let transfer = unsafe Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue()
  let start = unsafe UnsafeMutableRawPointer(bytes).assumingMemoryBound(to: UInt8.self)
  return unsafe transfer.give(UnsafeMutableBufferPointer(start: start, count: size * count))
}
