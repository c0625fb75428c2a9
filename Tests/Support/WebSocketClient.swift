// A blocking WebSocket client that sends exactly the bytes it is told to. Used by one thread at a time.

import Foundation

/// What a client sees next.
public enum Incoming: Equatable {
  /// A whole text message.
  case text(String)
  case binary([UInt8])
  case ping([UInt8])
  case pong([UInt8])
  /// A close frame; 1005 when it had no code.
  case close(UInt16, String)
  /// The end of the connection without a close frame.
  case end
  /// The same by a reset.
  case reset
  case timedOut
}

/// A client after its handshake.
public final class WebSocketClient {
  /// The key of RFC 6455 section 1.3, with the accept value that belongs to it.
  public static let key = "dGhlIHNhbXBsZSBub25jZQ=="
  public static let accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

  public let socket: Socket
  /// The sub-protocol that the gateway chose; nil for none.
  public let subprotocol: String?
  /// Whether pings are answered; they are reported either way.
  public var answersPings = true
  private var bytes: [UInt8] = []
  private var offset = 0

  /// A client of the channels dialect, past its welcome.
  public convenience init(
    _ gateway: GatewayProcess, user: String = "alice", receiveBufferBytes: Int32? = nil
  ) throws {
    let socket = try Socket(port: gateway.port, receiveBufferBytes: receiveBufferBytes)
    try self.init(on: socket, target: "/channels?token=" + Tokens.channels(user: user))
    guard case .text(let welcome) = next(), welcome.contains(#""type":"connected""#) else {
      throw GatewayFailure(description: "no welcome")
    }
  }

  /// Upgrades a connection.
  public init(on socket: Socket, target: String, headers: [String] = []) throws {
    self.socket = socket
    let answer = try HTTPExchange.perform(Self.request(target, headers: headers), on: socket)
    guard answer.status == 101 else { throw GatewayFailure(description: "upgrade answered \(answer.status)") }
    guard answer.headers["sec-websocket-accept"] == Self.accept else {
      throw GatewayFailure(description: "wrong Sec-WebSocket-Accept")
    }
    subprotocol = answer.headers["sec-websocket-protocol"]
    bytes = answer.rest
  }

  /// An upgrade request. A header of `headers` comes in addition to those that are always there.
  public static func request(_ target: String, host: String = "127.0.0.1", headers: [String] = []) -> String {
    let lines =
      [
        "GET \(target) HTTP/1.1", "Host: \(host)", "Upgrade: websocket", "Connection: Upgrade",
        "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: \(key)",
      ] + headers
    return lines.joined(separator: "\r\n") + "\r\n\r\n"
  }

  // MARK: Sending

  public func send(_ text: String) throws { try socket.send(ClientFrame(ClientFrame.text, [UInt8](text.utf8)).bytes) }

  public func send(_ frame: ClientFrame) throws { try socket.send(frame.bytes) }

  /// Subscribes and waits for the acknowledgement.
  public func subscribe(_ channel: String, filters: String? = nil) throws {
    let more = filters.map { #","filters":\#($0)"# } ?? ""
    try send(#"{"action":"subscribe","channel":"\#(channel)"\#(more)}"#)
    let answer = next()
    guard case .text(let text) = answer, text.contains(#""type":"subscribed""#) else {
      throw GatewayFailure(description: "subscribe answered \(answer)")
    }
  }

  public func publish(_ channel: String, _ payload: String) throws {
    try send(#"{"action":"publish","channel":"\#(channel)","payload":\#(payload)}"#)
  }

  /// Sends a ping message of the dialect and returns everything up to its pong: what had been on the way before.
  public func drain() throws -> [Incoming] {
    try send(#"{"action":"ping"}"#)
    var before: [Incoming] = []
    while true {
      let incoming = next()
      if case .text(let text) = incoming, text.hasPrefix(#"{"type":"pong""#) { return before }
      before.append(incoming)
      switch incoming {
      case .close, .end, .reset, .timedOut: return before
      default: continue
      }
    }
  }

  // MARK: Receiving

  /// The next frame or ending.
  public func next(patienceMilliseconds: Int = Socket.patienceMilliseconds) -> Incoming {
    let deadline = Deadline(milliseconds: patienceMilliseconds)
    while true {
      if let frame = ServerFrame.take(from: bytes, at: &offset) { return interpret(frame) }
      if offset > 0 {
        bytes.removeFirst(offset)
        offset = 0
      }
      switch socket.receive(patienceMilliseconds: deadline.remainingMilliseconds) {
      case .bytes(let more): bytes += more
      case .end: return .end
      case .reset: return .reset
      case .timedOut: return .timedOut
      }
    }
  }

  /// The next text message; pings are passed over.
  public func nextText() throws -> String {
    while true {
      switch next() {
      case .text(let text): return text
      case .ping: continue
      case let other: throw GatewayFailure(description: "expected a text message, got \(other)")
      }
    }
  }

  /// What is still to come, up to the end of the connection.
  public func readToEnd() -> [Incoming] {
    var all: [Incoming] = []
    while true {
      let incoming = next()
      all.append(incoming)
      switch incoming {
      case .end, .reset, .timedOut: return all
      default: continue
      }
    }
  }

  private func interpret(_ frame: ServerFrame) -> Incoming {
    guard frame.isFinal, frame.reserved == 0, !frame.isMasked else {
      return .close(0, "the gateway sent a frame that is fragmented, masked or has reserved bits")
    }
    switch frame.opcode {
    case ClientFrame.text: return .text(String(decoding: frame.payload, as: UTF8.self))
    case ClientFrame.binary: return .binary(frame.payload)
    case ClientFrame.pong: return .pong(frame.payload)
    case ClientFrame.ping:
      if answersPings { try? send(ClientFrame(ClientFrame.pong, frame.payload)) }
      return .ping(frame.payload)
    default:
      let code = frame.payload.count < 2 ? 1005 : UInt16(frame.payload[0]) << 8 | UInt16(frame.payload[1])
      return .close(code, String(decoding: frame.payload.dropFirst(2), as: UTF8.self))
    }
  }
}
