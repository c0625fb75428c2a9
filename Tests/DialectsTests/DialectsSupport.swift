// What the tests of the dialects share: messages in and answers out as text.
import Buffers
import Foundation
import Wire

@testable import Dialects

enum Channels {
  /// The action that a message asks for, with its slices as text.
  static func action(_ message: String) -> String { action(Array(message.utf8)) }

  static func action(_ bytes: [UInt8]) -> String {
    func text(_ value: JSONValue?) -> String {
      value.map { String(decoding: bytes[$0.range], as: UTF8.self) } ?? "-"
    }
    switch ChannelsSession.receive(bytes.span) {
    case .subscribe(let channel, let filters): return "subscribe \(text(channel)) \(text(filters))"
    case .unsubscribe(let channel): return "unsubscribe \(text(channel))"
    case .publish(let channel, let payload): return "publish \(text(channel)) \(text(payload))"
    case .ping: return "ping"
    case .refuse(.unknownAction(let action)): return "unknown \(text(action))"
    case .refuse(let refusal): return "\(refusal)"
    }
  }

  static let timestamp = "2026-11-21T04:15:05.602Z"

  /// What the server says to a message: the acknowledgement, the published message, or the error.
  static func answer(_ message: String) -> String {
    let bytes = Array(message.utf8)
    return written { out in
      switch ChannelsSession.receive(bytes.span) {
      case .subscribe(let channel, let filters):
        ChannelsEncoder.appendSubscribed(in: bytes.span, channel: channel, filters: filters, to: &out)
      case .unsubscribe(let channel): ChannelsEncoder.appendUnsubscribed(in: bytes.span, channel: channel, to: &out)
      case .publish(let channel, let payload):
        _ = ChannelsEncoder.appendMessage(
          in: bytes.span, channel: channel, payload: payload, from: Array("\"usr_1\"".utf8).span,
          timestamp: Array(timestamp.utf8).span, to: &out)
      case .ping: ChannelsEncoder.appendPong(milliseconds: 1_700_000_000_123, to: &out)
      case .refuse(let refusal): ChannelsEncoder.appendError(refusal, in: bytes.span, to: &out)
      }
    }
  }

  /// What `write` appends to an empty buffer.
  static func written(_ write: (inout ByteBuffer) -> Void) -> String {
    var buffer = ByteBuffer()
    write(&buffer)
    return buffer.bytes.string
  }

  /// The members of a JSON object, by Foundation.
  static func parsed(_ text: String) -> [String: Any]? {
    (try? JSONSerialization.jsonObject(with: Data(text.utf8))) as? [String: Any]
  }

  /// The `message` of an error; nil when the text is no error message.
  static func errorText(_ text: String) -> String? {
    guard let members = parsed(text), members.count == 2, members["type"] as? String == "error" else { return nil }
    return members["message"] as? String
  }
}
