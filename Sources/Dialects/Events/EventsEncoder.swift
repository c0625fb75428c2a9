// The events dialect, sending side: the bodies of the server's events as JSON text, and the frame around them in either
// sub-protocol. Any thread.
import Buffers
import Wire

/// What stands around an event's body.
public enum EventsEnvelope: Sendable {
  /// `{"event":NAME,"data":BODY}`: a whole message of a native connection.
  case native
  /// `[NAME,BODY]`: what follows the type and the namespace in a Socket.IO packet.
  case socketIO
}

/// How the answers of one event travel, where its body tells.
public enum EventsTransport: Sendable {
  case native, webSocket, polling
}

/// Writes the server events of the events dialect (PROTOCOLS 3.3, 3.4, 3.6). Every `append…` function but `append`
/// writes a body, one JSON object, between `open` and `close`. What comes from a client is the raw JSON that it sent;
/// ids and tokens are plain text and are quoted here.
public enum EventsEncoder {
  /// Bytes of an unknown event's name that are repeated in the error; more are cut off at a character.
  public static var nameBytesMax: Int { 256 }

  // MARK: The envelope

  /// Begins an event; its body comes next.
  public static func open(_ event: StaticString, _ envelope: EventsEnvelope, to out: inout ByteBuffer) {
    out.append(envelope == .native ? "{\"event\":\"" : "[\"")
    out.append(event)
    out.append(envelope == .native ? "\",\"data\":" : "\",")
  }

  /// Ends an event behind its body.
  public static func close(_ envelope: EventsEnvelope, to out: inout ByteBuffer) {
    out.append(envelope == .native ? UInt8(ascii: "}") : UInt8(ascii: "]"))
  }

  /// A whole event with a name and a body of the application's: `event` is plain text, `body` raw JSON.
  public static func append(
    _ event: Span<UInt8>, body: Span<UInt8>, _ envelope: EventsEnvelope, to out: inout ByteBuffer
  ) {
    out.append(envelope == .native ? "{\"event\":" : "[")
    JSONString.appendQuoted(event, to: &out)
    out.append(envelope == .native ? ",\"data\":" : ",")
    out.append(body)
    close(envelope, to: &out)
  }

  // MARK: Bodies

  /// The body of `connected`, the first event.
  public static func appendWelcome(
    _ product: EventsProduct, socketId: Span<UInt8>, isLoggedIn: Bool, _ transport: EventsTransport,
    to out: inout ByteBuffer
  ) {
    out.append("{\"message\":")
    JSONString.appendQuoted(product.welcome, to: &out)
    if transport == .native {
      // The closing quote goes behind what is added.
      out.truncate(to: out.count - 1)
      out.append(" via native-websocket\"")
    }
    out.append(",\"socketId\":")
    JSONString.appendQuoted(socketId, to: &out)
    out.append(",\"isLoggedIn\":")
    append(isLoggedIn, to: &out)
    if transport == .native { out.append(nativeProtocol) }
    out.append("}")
  }

  /// The body of `pong`.
  public static func appendPong(timestamp: Span<UInt8>, to out: inout ByteBuffer) {
    out.append("{")
    append(timestamp: timestamp, to: &out)
    out.append("}")
  }

  /// The body of `status_response`. `userId` is empty for nobody. Over Socket.IO the `rooms` of the connection, plain
  /// text, stand where a native one names its protocol (PROTOCOLS 3.5).
  public static func appendStatus(
    _ product: EventsProduct, socketId: Span<UInt8>, token: Span<UInt8>, userId: Span<UInt8>, isLoggedIn: Bool,
    _ transport: EventsTransport, rooms: [[UInt8]] = [], timestamp: Span<UInt8>, to out: inout ByteBuffer
  ) {
    out.append("{\"server\":{\"name\":")
    JSONString.appendQuoted(product.serverName, to: &out)
    out.append(",\"version\":")
    JSONString.appendQuoted(product.version, to: &out)
    out.append(",\"status\":\"running\",")
    append(timestamp: timestamp, to: &out)
    out.append("},\"connection\":{\"socketId\":")
    JSONString.appendQuoted(socketId, to: &out)
    out.append(",\"sessionToken\":")
    JSONString.appendQuoted(token, to: &out)
    out.append(",\"userId\":")
    if userId.isEmpty { out.append("null") } else { JSONString.appendQuoted(userId, to: &out) }
    out.append(",\"isLoggedIn\":")
    append(isLoggedIn, to: &out)
    if transport == .native {
      out.append(nativeProtocol)
    } else {
      out.append(",\"rooms\":[")
      for (number, room) in rooms.enumerated() {
        if number > 0 { out.append(",") }
        JSONString.appendQuoted(room.span, to: &out)
      }
      out.append("]")
    }
    out.append("}}")
  }

  /// The body of `echo_response`: the data exactly as sent, raw JSON; without data (empty) there is no `received`.
  public static func appendEcho(
    _ data: Span<UInt8>, socketId: Span<UInt8>, timestamp: Span<UInt8>, to out: inout ByteBuffer
  ) {
    out.append("{")
    if !data.isEmpty {
      out.append("\"received\":")
      out.append(data)
      out.append(",")
    }
    append(timestamp: timestamp, to: &out)
    out.append(",\"socketId\":")
    JSONString.appendQuoted(socketId, to: &out)
    out.append("}")
  }

  /// The body of `info_response`. `userId` is empty for nobody; `connections` is told over Socket.IO only.
  public static func appendInfo(
    _ product: EventsProduct, token: Span<UInt8>, userId: Span<UInt8>, isLoggedIn: Bool,
    _ transport: EventsTransport, connections: Int, timestamp: Span<UInt8>, to out: inout ByteBuffer
  ) {
    out.append("{\"server\":{\"name\":")
    JSONString.appendQuoted(product.apiName, to: &out)
    out.append(",\"version\":")
    JSONString.appendQuoted(product.version, to: &out)
    out.append(",\"description\":")
    JSONString.appendQuoted(
      transport == .native ? product.nativeDescription : product.socketIODescription, to: &out)
    out.append(",\"features\":{\"rest\":true,\"websocket\":true,\"authentication\":true,\"realtime\":true")
    if transport == .native { out.append(nativeProtocol) }
    out.append("}},\"websocket\":{\"connected\":true")
    switch transport {
    case .native: out.append(nativeProtocol)
    case .webSocket: out.append(",\"transport\":\"websocket\",\"protocol\":4,\"activeConnections\":")
    case .polling: out.append(",\"transport\":\"polling\",\"protocol\":4,\"activeConnections\":")
    }
    if transport != .native { out.append(decimal: connections) }
    out.append("},\"session\":{\"authenticated\":")
    append(isLoggedIn, to: &out)
    out.append(",\"userId\":")
    if userId.isEmpty { out.append("\"anonymous\"") } else { JSONString.appendQuoted(userId, to: &out) }
    out.append(",\"sessionToken\":")
    append(hidden: token, to: &out)
    out.append("},")
    append(timestamp: timestamp, to: &out)
    out.append("}")
  }

  /// The body of `message_received`: the data exactly as sent, raw JSON; without data (empty) there is no `data`.
  public static func appendReceived(_ data: Span<UInt8>, timestamp: Span<UInt8>, to out: inout ByteBuffer) {
    out.append("{\"success\":true,\"message\":\"Message received successfully\",")
    if !data.isEmpty {
      out.append("\"data\":")
      out.append(data)
      out.append(",")
    }
    append(timestamp: timestamp, to: &out)
    out.append("}")
  }

  /// The body of `error`. `message` is what was received, from which an unknown event is quoted.
  public static func appendError(_ refusal: EventsRefusal, in message: Span<UInt8>, to out: inout ByteBuffer) {
    out.append("{\"error\":")
    switch refusal {
    case .notProcessed: out.append("\"Failed to process message\"")
    case .tooManyRequests: out.append("\"Too many requests\"")
    case .unknownEvent(let name):
      var text = ByteBuffer(capacity: 64)
      text.append("Unknown event type: ")
      if let name {
        JSONJavaScriptText.append(message, name, bytesMax: nameBytesMax, to: &text)
      } else {
        text.append("undefined")
      }
      JSONString.appendQuoted(text.bytes, to: &out)
    }
    out.append("}")
  }

  // MARK: Bodies of a chat (PROTOCOLS 3.6)

  /// The body of `ai:response:start`.
  public static func appendChatStart(messageId: Span<UInt8>, to out: inout ByteBuffer) {
    out.append("{\"messageId\":")
    JSONString.appendQuoted(messageId, to: &out)
    out.append("}")
  }

  /// The body of `ai:response:chunk`; `chunk` is plain text.
  public static func appendChatChunk(messageId: Span<UInt8>, _ chunk: Span<UInt8>, to out: inout ByteBuffer) {
    out.append("{\"messageId\":")
    JSONString.appendQuoted(messageId, to: &out)
    out.append(",\"chunk\":")
    JSONString.appendQuoted(chunk, to: &out)
    out.append("}")
  }

  /// The body of `ai:response:complete`; `text` is all chunks together, plain text.
  public static func appendChatComplete(messageId: Span<UInt8>, _ text: Span<UInt8>, to out: inout ByteBuffer) {
    out.append("{\"messageId\":")
    JSONString.appendQuoted(messageId, to: &out)
    out.append(",\"fullResponse\":")
    JSONString.appendQuoted(text, to: &out)
    out.append("}")
  }

  /// The body of `ai:response:error` for an answer that has a name: `messageId` is a JSON string, `text` plain text.
  public static func appendChatError(messageId: Span<UInt8>, _ text: Span<UInt8>, to out: inout ByteBuffer) {
    out.append("{\"error\":")
    JSONString.appendQuoted(text, to: &out)
    out.append(",\"messageId\":")
    out.append(messageId)
    out.append("}")
  }

  /// The body of `ai:response:error` before there is an answer, and of `error` where an application says why; `text` is
  /// plain text.
  public static func appendError(_ text: Span<UInt8>, to out: inout ByteBuffer) {
    out.append("{\"error\":")
    JSONString.appendQuoted(text, to: &out)
    out.append("}")
  }

  // MARK: Pieces

  private static let nativeProtocol: StaticString = ",\"protocol\":\"native-websocket\""

  private static func append(_ flag: Bool, to out: inout ByteBuffer) {
    if flag { out.append("true") } else { out.append("false") }
  }

  private static func append(timestamp: Span<UInt8>, to out: inout ByteBuffer) {
    out.append("\"timestamp\":\"")
    out.append(timestamp)
    out.append("\"")
  }

  /// Stars and the last four characters of a token, which are ASCII.
  private static func append(hidden token: Span<UInt8>, to out: inout ByteBuffer) {
    var text = ByteBuffer(capacity: 8)
    text.append("***")
    var start = max(0, token.count - 4)
    while start < token.count && token[start] & 0xC0 == 0x80 { start += 1 }
    text.append(token.extracting(start..<token.count))
    JSONString.appendQuoted(text.bytes, to: &out)
  }
}
