// What the conformance tests of the events dialect share: sessions, clients past their welcome, events by name.

import EventLoop
import Foundation
import Gateway
import TestSupport
import Testing

extension ConformanceGateway {
  /// The token of a new anonymous session (PROTOCOLS 3.1).
  func acquireSession() throws -> String {
    let answer = try post("/api/auth/acquire-session")
    guard answer.status == 200, let token = JSON(answer.text)?["data"]?["token"]?.text else {
      throw GatewayFailure(description: "acquire-session answered \(answer.status): \(answer.text)")
    }
    return token
  }

  /// `POST path` without a body.
  func post(_ path: String, headers: [String] = []) throws -> TestSupport.HTTPAnswer {
    let lines =
      ["POST \(path) HTTP/1.1", "Host: 127.0.0.1:\(port)", "Content-Length: 0", "Connection: close"] + headers
    return try HTTPExchange.perform(lines.joined(separator: "\r\n") + "\r\n\r\n", on: Socket(port: port))
  }

  /// A client of the events dialect with a session of its own, past its welcome.
  func connectEvents() throws -> WebSocketClient {
    let client = try connect("/events?token=" + acquireSession())
    let welcome = try client.nextText()
    guard JSON(welcome)?["event"]?.text == "connected" else {
      throw GatewayFailure(description: "no welcome but \(welcome)")
    }
    return client
  }
}

/// An event as a test sees it.
struct ReceivedEvent {
  let text: String
  let name: String
  let data: JSON

  /// The next event of a client; fails on a message of another shape.
  init(_ client: WebSocketClient) throws {
    text = try client.nextText()
    guard case .object(let members)? = JSON(text), members.count == 2, let name = members["event"]?.text,
      let data = members["data"]
    else { throw GatewayFailure(description: "no event but \(text)") }
    self.name = name
    self.data = data
  }

  /// The names of the data's members.
  var members: Set<String> {
    if case .object(let members) = data { return Set(members.keys) }
    return []
  }
}

/// The next event has this name and data equal to `data`.
func expectEvent(
  _ client: WebSocketClient, _ name: String, _ data: String, sourceLocation: SourceLocation = #_sourceLocation
) throws {
  let event = try ReceivedEvent(client)
  #expect(event.name == name && event.data == JSON(data), "\(event.text)", sourceLocation: sourceLocation)
}

/// The next event is the error with this text.
func expectError(
  _ client: WebSocketClient, _ text: String, sourceLocation: SourceLocation = #_sourceLocation
) throws {
  let event = try ReceivedEvent(client)
  #expect(
    event.name == "error" && event.data == .object(["error": .string(text)]), "\(event.text)",
    sourceLocation: sourceLocation)
}

/// Nothing but the answer to a ping is on its way.
func expectOnlyPong(_ client: WebSocketClient, sourceLocation: SourceLocation = #_sourceLocation) throws {
  try client.send(#"{"event":"ping"}"#)
  let event = try ReceivedEvent(client)
  #expect(event.name == "pong", "\(event.text)", sourceLocation: sourceLocation)
}

/// A moment as the protocols write it.
func isTimestamp(_ value: JSON?) -> Bool {
  value?.text?.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/) != nil
}
