// The official Socket.IO client for JavaScript with the events of an application: what no built-in event does.

import Foundation
import Gateway
import TestSupport
import Testing

@Suite("Conformance: the application's events, with the official Socket.IO client", .serialized)
struct SocketIOHandlerClientTests {
  private struct Task: Encodable {
    struct Config: Encodable {
      var url: String
      var socketIO: String
      var transports: [String]
    }

    var scenarios = ["socketIOHandlers"]
    var config: Config
  }

  private static let room = "birds"

  /// What `socketIOHandlers` in Tests/ClientTests/Scripts/socketio.js talks to.
  private static var extensions: Extensions {
    var extensions = Extensions()
    extensions.events["order"] = { call in
      call.acknowledge(Array(#"{"event":"order","data":"#.utf8) + call.context + Array("}".utf8))
    }
    extensions.events["purchase"] = { call in
      let item = Array(#"{"item":"#.utf8) + call.context + Array("}".utf8)
      let answers = try await call.request(event: "confirm", item)
      // The arguments of the acknowledgement, of which there is one.
      call.acknowledge(Array(answers.dropFirst().dropLast()))
    }
    extensions.events["count"] = { call in
      call.acknowledge(Array("[\(call.attachments.map { "\($0.count)" }.joined(separator: ","))]".utf8))
    }
    extensions.events["join"] = { call in
      call.join(room: room)
      call.acknowledge(Array("true".utf8))
    }
    extensions.events["tell"] = { call in
      call.outlet.emit(event: "news", data: Array(#"{"text":"for birds"}"#.utf8), room: room)
    }
    extensions.events["draw"] = { call in
      try call.emitToOthers(event: "drawn", data: call.context, attachments: call.attachments, room: room)
      call.acknowledge(Array("true".utf8))
    }
    extensions.events["fail"] = { _ in throw HandlerError.rejected("no") }
    return extensions
  }

  @Test(
    "acknowledgements go both ways, bytes reach handlers, rooms reach namespaces",
    arguments: [["websocket"], ["polling"], ["polling", "websocket"]])
  func handlers(transports: [String]) throws {
    let path = ClientRuntime.packageDirectory.appendingPathComponent("Tests/ClientTests/Scripts/run-node.js").path
    let script = try ClientScript(ClientRuntime.node(), path: path)
    try withGateway(reactors: 2, extensions: Self.extensions) { gateway throws in
      let config = Task.Config(
        url: "ws://127.0.0.1:\(gateway.port)", socketIO: try ClientRuntime.socketIOBundle(), transports: transports)
      let task = try JSONEncoder().encode(Task(config: config))
      let result = try script.ask(String(decoding: task, as: UTF8.self))
      #expect(JSON(result)?["error"] == nil && (JSON(result)?["checks"]?.number ?? 0) > 5, "\(result)")
      #expect(try script.answer() == #"{"done":true}"#)
    }
  }
}
