// The way back from a handler to the Socket.IO client that asked: events, acknowledgements, requests. Any thread.
import Buffers
import Dialects
import EventLoop
import Wire

/// Names one socket of a Socket.IO client for as long as it is in its namespace. Who leaves and joins again is another.
struct SocketIOReference: Sendable {
  let connection: ConnectionID
  let namespace: SocketIONamespace
  /// Which of the sockets that the connection had in its time.
  let serial: UInt32
}

/// Answers one event of a Socket.IO client.
struct SocketIOChannel: Sendable {
  let socket: SocketIOReference
  /// The id with which the client wants an acknowledgement; -1 where it wants none.
  let acknowledgement: Int
  let queue: CommandQueue

  /// Sends an event to the client.
  func emit(_ event: String, _ json: [UInt8]) { send(Self.event(event, json, socket.namespace)) }

  /// Sends an event with attachments, which `json` names by placeholders.
  func emit(_ event: String, _ json: [UInt8], _ attachments: [[UInt8]]) throws(AttachmentError) {
    try Self.check(json, attachments)
    send(Self.event(event, json, socket.namespace, attachments: attachments.count), attachments)
  }

  /// Acknowledges the client's event with one argument.
  func acknowledge(_ json: [UInt8]) {
    if acknowledgement >= 0 { send(acknowledgementText(json, attachments: 0)) }
  }

  /// The same with attachments, which `json` names by placeholders.
  func acknowledge(_ json: [UInt8], _ attachments: [[UInt8]]) throws(AttachmentError) {
    if acknowledgement < 0 { return }
    try Self.check(json, attachments)
    send(acknowledgementText(json, attachments: attachments.count), attachments)
  }

  private func acknowledgementText(_ json: [UInt8], attachments: Int) -> [UInt8] {
    var text = ByteBuffer(capacity: json.count + 32)
    Self.begin(
      attachments == 0 ? .acknowledgement : .binaryAcknowledgement, socket.namespace, attachments: attachments,
      id: acknowledgement, to: &text)
    text.append("[")
    text.append(json.span)
    text.append("]")
    return text.bytes.array
  }

  /// Sends a native event in the client's form. What is no event goes the way on which it is refused and counted.
  func sendNative(_ text: [UInt8]) {
    if let packet = Self.packet(native: text, socket.namespace) {
      send(packet)
    } else {
      queue.push(.text(socket.connection, text))
    }
  }

  /// Sends an event and waits for its acknowledgement.
  func request(
    _ event: String, _ json: [UInt8], _ attachments: [[UInt8]], timeout: Duration
  ) async throws -> Acknowledgement {
    try Self.check(json, attachments)
    return try await withThrowingTaskGroup(of: Void.self) { group in
      let waiting = AcknowledgementPromise()
      defer { group.cancelAll() }
      group.addTask {
        try await Task.sleep(for: timeout)
        waiting.fail(.timedOut)
      }
      return try await waiting.wait { waiter in
        if !queue.push(.request(socket, event: Array(event.utf8), json, attachments, waiter)) { waiter.fail() }
      }
    }
  }

  /// Tells the client that its event failed.
  func fail(_ error: any Error, _ call: Call) {
    if let failure = EventsReply.failure(error, of: call) { emit(failure.event, failure.body) }
  }

  private func send(_ text: [UInt8], _ attachments: [[UInt8]] = []) {
    queue.push(.packet(socket, text, attachments))
  }

  // MARK: Packets

  /// Begins a packet, the `4` of the message around it included.
  static func begin(
    _ kind: SocketIOPacket.Kind, _ namespace: SocketIONamespace, attachments: Int = 0, id: Int = -1,
    to out: inout ByteBuffer
  ) {
    EngineIOPacket.begin(.message, to: &out)
    out.append(UInt8(ascii: "0") + kind.rawValue)
    if attachments > 0 {
      out.append(decimal: attachments)
      out.append("-")
    }
    namespace.appendPrefix(to: &out)
    if id >= 0 { out.append(decimal: id) }
  }

  /// An event as the text of a WebSocket frame, in the form of a namespace.
  static func event(
    _ event: String, _ json: [UInt8], _ namespace: SocketIONamespace, attachments: Int = 0
  ) -> [UInt8] {
    var text = ByteBuffer(capacity: json.count + event.utf8.count + 32)
    begin(attachments == 0 ? .event : .binaryEvent, namespace, attachments: attachments, to: &text)
    EventsEncoder.append(event.utf8.span, body: json.span, .socketIO, to: &text)
    return text.bytes.array
  }

  /// The native message `{"event":E,"data":D}` as a packet `42["E",D]`, its JSON spliced as it is; nil for a text that
  /// is no such message.
  static func packet(native text: [UInt8], _ namespace: SocketIONamespace) -> [UInt8]? {
    let bytes = text.span
    guard UTF8Validator.isValid(bytes), case .event(let name, let data) = EventsSession.receive(bytes) else {
      return nil
    }
    var packet = ByteBuffer(capacity: text.count + 16)
    begin(.event, namespace, to: &packet)
    packet.append("[")
    packet.append(bytes.extracting(name.range))
    if let data {
      packet.append(",")
      packet.append(bytes.extracting(data.range))
    }
    packet.append("]")
    return packet.bytes.array
  }

  /// Whether attachments can go with a value: a client would end the session over what does not fit together.
  static func check(_ json: [UInt8], _ attachments: [[UInt8]]) throws(AttachmentError) {
    if attachments.isEmpty { return }
    if attachments.count > SocketIOPacket.attachmentsMax { throw .tooMany }
    let bytes = json.span
    guard UTF8Validator.isValid(bytes), (try? JSONScanner.validate(bytes)) != nil,
      (try? SocketIOPlaceholders.scan(bytes, attachments: attachments.count)) != nil
    else { throw .placeholder }
  }
}

/// The token in the payload of a CONNECT packet.
enum SocketIOToken {
  case text([UInt8])
  /// Present, but no string: it counts, and fits no session.
  case other

  private static let keys = JSONKeySet("token")

  /// Nil where there is none, or one that JavaScript takes for false.
  static func read(_ text: Span<UInt8>, _ payload: JSONValue) -> SocketIOToken? {
    let object = text.extracting(payload.range)
    guard let members = try? JSONScanner.scan(object, keys: keys), let value = members[0] else { return nil }
    switch value.kind {
    case .string:
      var token = ByteBuffer()
      JSONString.decode(object, value, into: &token)
      return token.isEmpty ? nil : .text(token.bytes.array)
    case .null, .false: return nil
    default: return .other
    }
  }
}
