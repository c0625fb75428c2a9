// Why connections end: one table of close codes, texts, metric labels, log levels and what a client should do.
// Constants.
import Wire

/// What a client should do after a connection ended.
enum ReconnectAdvice: String {
  /// Connect again at once.
  case atOnce = "reconnect at once"
  /// Connect again after a pause that grows from try to try.
  case backOff = "back off, then reconnect"
  /// Something is wrong with the client itself; the same again would end the same way.
  case stop = "stop"
  /// The client ended it.
  case none = "nothing"
}

/// Why a connection ended. The label counts it in `martlet_closes_total`; those with a code are told to the client.
enum CloseReason: UInt8, CaseIterable {
  case client, disconnected, networkError, httpDone, httpRefused, handshakeTimeout, noPong
  case protocolError, invalidText, messageTooBig, tooManyFragments, corruptDeflate, rateLimited, pingFlood, slow
  case goingAway, badProxyHeader, internalError, unauthorized
  case sessionEnded, badPacket, notJoined
  case idle
  case crowdedOut
  case overload

  /// One row of the table.
  struct Rule {
    /// The close code sent to a WebSocket client; nil where the connection just ends.
    var code: UInt16?
    /// The label of the metric and of the log line.
    var label: StaticString
    var level: LogLevel
    var advice: ReconnectAdvice
    /// What it means, for `docs/CLOSE_CODES.md`.
    var meaning: StaticString
  }

  /// The row of this reason.
  var rule: Rule {
    switch self {
    case .client:
      Rule(code: nil, label: "client", level: .debug, advice: .none, meaning: "The client closed; its code is echoed.")
    case .disconnected:
      Rule(
        code: nil, label: "disconnected", level: .debug, advice: .backOff, meaning: "TCP ended without a close frame.")
    case .networkError:
      Rule(code: nil, label: "network_error", level: .debug, advice: .backOff, meaning: "The TCP connection broke.")
    case .httpDone:
      Rule(code: nil, label: "http_done", level: .debug, advice: .none, meaning: "A plain HTTP exchange is over.")
    case .httpRefused:
      Rule(
        code: nil, label: "http_refused", level: .debug, advice: .stop,
        meaning: "The request was refused with a status.")
    case .handshakeTimeout:
      Rule(
        code: nil, label: "handshake_timeout", level: .info, advice: .backOff,
        meaning: "No whole request in time; 408 where one had begun.")
    case .noPong:
      Rule(
        code: nil, label: "no_pong", level: .info, advice: .backOff, meaning: "No pong by the next heartbeat; reset.")
    case .protocolError:
      Rule(code: 1002, label: "protocol_error", level: .info, advice: .stop, meaning: "RFC 6455 was broken.")
    case .invalidText:
      Rule(code: 1007, label: "invalid_text", level: .info, advice: .stop, meaning: "Text that is not UTF-8.")
    case .messageTooBig:
      Rule(
        code: 1009, label: "message_too_big", level: .info, advice: .stop,
        meaning: "A message over `messageBytesMax`, as sent or decompressed.")
    case .tooManyFragments:
      Rule(
        code: 1008, label: "too_many_fragments", level: .info, advice: .stop,
        meaning: "A message in more fragments than `fragmentsMax`.")
    case .corruptDeflate:
      Rule(
        code: 1007, label: "corrupt_deflate", level: .info, advice: .stop,
        meaning: "A compressed message that does not decompress.")
    case .rateLimited:
      Rule(
        code: 1008, label: "rate_limited", level: .info, advice: .backOff,
        meaning: "More messages or bytes than the connection may send.")
    case .pingFlood:
      Rule(
        code: 1008, label: "ping_flood", level: .info, advice: .stop,
        meaning: "More pings than `pingsBacklogMax` while a pong waited to be read.")
    case .slow:
      Rule(
        code: 3008, label: "slow", level: .info, advice: .backOff,
        meaning: "The subscriber read too slowly: `outboundBytesMax` or `outboundAgeMillisecondsMax`.")
    case .goingAway:
      Rule(code: 1001, label: "going_away", level: .debug, advice: .atOnce, meaning: "The gateway is stopping.")
    case .badProxyHeader:
      Rule(
        code: nil, label: "bad_proxy_header", level: .warning, advice: .stop,
        meaning: "No valid PROXY protocol header on a listener that asks for one; reset.")
    case .unauthorized:
      Rule(
        code: 1008, label: "unauthorized", level: .info, advice: .stop,
        meaning: "A `handlers` client without a valid token; it is told after the 101, as its clients expect.")
    case .sessionEnded:
      Rule(
        code: 1000, label: "session_ended", level: .debug, advice: .stop,
        meaning: "A WebSocket of an Engine.IO session that has ended, or that has another one.")
    case .badPacket:
      Rule(
        code: 1000, label: "bad_packet", level: .info, advice: .stop,
        meaning: "An Engine.IO or Socket.IO packet that breaks the protocol; its clients know only that it ended.")
    case .notJoined:
      Rule(
        code: 1000, label: "not_joined", level: .info, advice: .stop,
        meaning: "A Socket.IO client that joined no namespace in time.")
    case .idle:
      Rule(
        code: nil, label: "idle", level: .debug, advice: .none,
        meaning: "A plain HTTP connection that was kept open had no further request in time.")
    case .crowdedOut:
      Rule(
        code: 1000, label: "crowded_out", level: .info, advice: .stop,
        meaning: "A Socket.IO session in no namespace that made room for a new one: there were too many of them.")
    case .overload:
      Rule(
        code: 1013, label: "overload", level: .info, advice: .backOff,
        meaning: "Unfinished messages of all clients came to more than `receivedBytesMax`; its address had the most.")
    case .internalError:
      Rule(
        code: 1011, label: "internal_error", level: .error, advice: .backOff, meaning: "The gateway could not go on.")
    }
  }

  var label: StaticString { rule.label }
  var closeCode: UInt16? { rule.code }

  /// The reason of a refused frame or message.
  init(_ violation: FrameViolation) {
    switch violation {
    case .encoding: self = .invalidText
    case .tooManyFragments: self = .tooManyFragments
    case .messageTooBig: self = .messageTooBig
    default: self = .protocolError
    }
  }

  /// The table as a page of Markdown.
  static var page: String {
    var text = """
      # Close codes

      Generated from `Sources/Gateway/CloseReason.swift`; a test compares the two. The label is the `reason` of
      `martlet_closes_total` and of the log line.

      | reason | code | meaning | log level | a client should |
      |---|---|---|---|---|

      """
    for reason in allCases {
      let rule = reason.rule
      let code = rule.code.map(String.init) ?? "none"
      text += "| `\(rule.label)` | \(code) | \(rule.meaning) | \(rule.level.name) | \(rule.advice.rawValue) |\n"
    }
    return text
  }
}
