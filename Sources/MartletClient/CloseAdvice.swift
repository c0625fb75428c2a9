// What a client does after a close code or a refused handshake: docs/CLOSE_CODES.md, as code. Pure.

/// Whether and how to connect again.
enum CloseAdvice: Sendable, Equatable {
  case stop
  case backOff
  case atOnce

  /// The advice for a received close frame; `code` is 1005 when it had none.
  init(code: UInt16, reason: String) {
    switch code {
    // Going away; the gateway stops, and whoever takes over is there already, or soon.
    case 1001: self = .atOnce
    // A code that the gateway gives for both: only the reason tells too many messages from a broken client.
    case 1008: self = reason.contains("rate") ? .backOff : .stop
    // A normal end, and everything that says that this client is wrong: repeating it would not make it right.
    case 1000, 1002, 1003, 1007, 1009, 1010: self = .stop
    // No code, a server's own trouble (1011 to 1014), too slow (3008), and codes unknown here.
    default: self = .backOff
    }
  }

  /// The advice for an HTTP status other than 101 in answer to the handshake (docs/protocols/channels.md).
  init(status: Int) {
    switch status {
    case 408, 425, 429, 500, 502, 503, 504: self = .backOff
    default: self = .stop
    }
  }
}
