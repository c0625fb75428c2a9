// What the tests of the events dialect share: messages in and answers out as text.
import Buffers
import Foundation
import Wire

@testable import Dialects

enum Events {
  static let timestamp = "2026-11-21T04:15:05.602Z"
  static let socketId = "ws-1763698505602-k3j9x0a7q"
  static let token = "q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4k"

  /// The action that a message asks for, with its slices as text.
  static func action(_ message: String) -> String {
    let bytes = Array(message.utf8)
    func text(_ value: JSONValue?) -> String {
      value.map { String(decoding: bytes[$0.range], as: UTF8.self) } ?? "-"
    }
    switch EventsSession.receive(bytes.span) {
    case .event(let name, let data):
      let builtIn = EventsSession.builtIn(bytes.span, name).map { "\($0)" } ?? "other"
      return "\(builtIn) \(text(name)) \(text(data))"
    case .refuse(.unknownEvent(let name)): return "unknown \(text(name))"
    case .refuse(let refusal): return "\(refusal)"
    }
  }

  /// The error that the server answers to a message that is no event, or one that nobody handles.
  static func refusal(_ message: String) -> String? {
    let bytes = Array(message.utf8)
    let refusal: EventsRefusal
    switch EventsSession.receive(bytes.span) {
    case .event(let name, _):
      if EventsSession.builtIn(bytes.span, name) != nil { return nil }
      refusal = .unknownEvent(name)
    case .refuse(let reason): refusal = reason
    }
    let answer = Channels.written { out in
      EventsEncoder.open("error", .native, to: &out)
      EventsEncoder.appendError(refusal, in: bytes.span, to: &out)
      EventsEncoder.close(.native, to: &out)
    }
    guard let members = Channels.parsed(answer), members.count == 2, members["event"] as? String == "error",
      let data = members["data"] as? [String: Any], data.count == 1
    else { return nil }
    return data["error"] as? String
  }

  static func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }
}
