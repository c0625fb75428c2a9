// Why connections end: one table of close codes, reasons and metric labels. Constants.
import Wire

/// Why a connection ended. The label counts it in `martlet_closes_total`; those with a code are told to the client.
enum CloseReason: UInt8, CaseIterable {
  /// The client closed with a close frame.
  case client
  /// The client's end of the TCP connection went away without one.
  case disconnected
  /// The TCP connection failed.
  case networkError
  /// A plain HTTP exchange is over.
  case httpDone
  /// The request or the TLS-less bytes were refused with an HTTP status.
  case httpRefused
  /// No complete request in time.
  case handshakeTimeout
  /// The peer did not close TCP in time after the close frame.
  case closeTimeout
  /// No pong by the next heartbeat.
  case noPong
  /// RFC 6455 was broken.
  case protocolError
  /// Text that is not UTF-8.
  case invalidText
  /// Message over the limit.
  case messageTooBig
  /// Too many fragments.
  case policy
  /// The subscriber read too slowly.
  case slow
  /// The gateway is stopping.
  case goingAway
  /// The gateway could not register the connection.
  case internalError

  /// The label of the metric and of the log line.
  var label: StaticString {
    switch self {
    case .client: "client"
    case .disconnected: "disconnected"
    case .networkError: "network_error"
    case .httpDone: "http_done"
    case .httpRefused: "http_refused"
    case .handshakeTimeout: "handshake_timeout"
    case .closeTimeout: "close_timeout"
    case .noPong: "no_pong"
    case .protocolError: "protocol_error"
    case .invalidText: "invalid_text"
    case .messageTooBig: "message_too_big"
    case .policy: "policy"
    case .slow: "slow"
    case .goingAway: "going_away"
    case .internalError: "internal_error"
    }
  }

  /// The close code sent to a WebSocket client; nil where the connection just ends.
  var closeCode: UInt16? {
    switch self {
    case .protocolError: 1002
    case .invalidText: 1007
    case .policy: 1008
    case .messageTooBig: 1009
    case .goingAway: 1001
    case .internalError: 1011
    case .slow: 3008
    default: nil
    }
  }

  /// The reason of a refused frame or message.
  init(_ violation: FrameViolation) {
    switch violation.closeCode {
    case 1007: self = .invalidText
    case 1008: self = .policy
    case 1009: self = .messageTooBig
    default: self = .protocolError
    }
  }
}
