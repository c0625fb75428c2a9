// Connections on a reactor of one's choice, and frames that cost an attacker little. The stage's thread.

import Foundation
import TestSupport

/// Two Engine.IO sessions, one on each reactor of a gateway, whose requests bring connections there. Owned by one row.
final class Places {
  private static let polling = "/socket.io/?EIO=4&transport=polling"
  private let victim: Victim
  private var sids: [Int: String] = [:]

  /// Opens sessions until each reactor has one. Which reactor the system gives a connection to cannot be chosen, but the
  /// first byte of a session's id names its reactor, and a request for a session brings its connection there, for good.
  init(_ victim: Victim) throws {
    self.victim = victim
    for _ in 0..<60 where sids.count < victim.setup.reactors {
      let request = "GET \(Self.polling) HTTP/1.1\r\nHost: x\r\n\r\n"
      let answer = try HTTPExchange.perform(request, on: victim.connect())
      let sid = JSON(String(answer.text.dropFirst()))?["sid"]?.text ?? ""
      guard let place = Data(base64Encoded: String(sid.prefix(4)))?.first.map({ Int($0) }) else {
        throw GatewayFailure(description: "the handshake answered \(answer.status): \(answer.text)")
      }
      if sids[place] == nil { sids[place] = sid } else { try post("1", to: sid, on: victim.connect()) }
    }
    guard sids.count == victim.setup.reactors else {
      throw GatewayFailure(description: "60 sessions, all on one reactor")
    }
  }

  private func post(_ packet: String, to sid: String, on socket: Socket) throws {
    let head = "POST \(Self.polling)&sid=\(sid) HTTP/1.1\r\nHost: x\r\nContent-Length: \(packet.utf8.count)\r\n\r\n"
    let status = try HTTPExchange.perform(head + packet, on: socket).status
    guard status == 200 else { throw GatewayFailure(description: "a packet was answered \(status)") }
  }

  /// A client of the channels dialect on this reactor, past its welcome.
  func client(
    on reactor: Int, receiveBufferBytes: Int32? = nil, headers: [String] = []
  ) throws -> WebSocketClient {
    let socket = try victim.connect(receiveBufferBytes: receiveBufferBytes)
    try post("3", to: sids[reactor] ?? "", on: socket)
    let client = try WebSocketClient(on: socket, target: Rows.welcome, headers: headers)
    _ = try client.nextText()
    return client
  }

  /// Ends both sessions.
  func close() throws {
    for sid in sids.values { try post("1", to: sid, on: victim.connect()) }
    sids = [:]
  }
}

extension ClientFrame {
  /// The frame's bytes under a mask of zeros, which costs nothing to work in: an attacker with much to send does this.
  var bytesInClear: [UInt8] {
    var frame = self
    frame.mask = nil
    var out = frame.bytes
    out[1] |= 0x80
    out.insert(contentsOf: [0, 0, 0, 0], at: payload.count < 126 ? 2 : payload.count < 65_536 ? 4 : 10)
    return out
  }

  /// A text message in clear.
  static func message(_ text: String, isFinal: Bool = true) -> [UInt8] {
    ClientFrame(ClientFrame.text, [UInt8](text.utf8), isFinal: isFinal).bytesInClear
  }

  /// A message of the channels dialect in clear that publishes `payload`, which is JSON.
  static func publication(_ channel: String, _ payload: String) -> [UInt8] {
    message(#"{"action":"publish","channel":"\#(channel)","payload":\#(payload)}"#)
  }
}
