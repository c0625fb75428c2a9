// What one hostile input is: the attack, the answer that it must get and the trace that it must leave. Values.

import Foundation

/// What an attack must leave behind: one metric counts it and one line of the log names it.
enum Trace: Sendable {
  /// `martlet_refusals_total{reason}` and the event `refused`.
  case refused(String, times: Int = 1)
  /// `martlet_closes_total{reason}` and the event `connection-closed`.
  case closed(String, times: Int = 1)
  /// Another metric and another event.
  case counted(String, event: String)
  /// Nothing, for the reason given: the input harms nobody and is served.
  case survived(String)

  /// What rows with the same trace have in common.
  var label: String {
    switch self {
    case .refused(let reason, _), .closed(let reason, _), .counted(let reason, _): reason
    case .survived: ""
    }
  }
}

/// The answer to a request.
struct ExpectedAnswer: Sendable {
  var status: Int
  /// Headers that must be there; an empty value stands for any.
  var headers: [String: String] = [:]
  /// Headers that must not be there.
  var without: [String] = []
  /// Whether the gateway ends the connection after this one answer, whatever else was sent.
  var closes = true
  /// Whether the answer is to HEAD, and its body therefore left out.
  var isToHead = false
}

/// What is done to the gateway.
enum Attack: Sendable {
  /// These bytes on a fresh connection.
  case request(@Sendable () -> [UInt8], ExpectedAnswer)
  /// These bytes on a WebSocket, which must be closed with the code.
  case frames(@Sendable () -> [UInt8], code: UInt16, isCompressed: Bool)
  /// This message of the channels dialect, which must be answered with the error; the connection goes on.
  case message(@Sendable () -> String, error: String)
  /// Anything else. It checks its answers itself.
  case scenario(@Sendable (Victim) throws -> Void)

  /// Whether there is one connection and one input, which must be counted once.
  var isSingle: Bool {
    if case .scenario = self { return false }
    return true
  }
}

/// One row of the table.
struct HostileRow: Sendable {
  /// The line of HOSTILE.
  let line: Int
  let name: String
  var setup = Setup.standard
  let attack: Attack
  let trace: Trace
}

// MARK: Short forms for the table

extension HostileRow {
  /// A request that is refused with a status; the trace follows from it.
  static func http(
    _ line: Int, _ name: String, _ bytes: @escaping @Sendable @autoclosure () -> [UInt8], _ status: Int,
    headers: [String: String] = [:], isToHead: Bool = false, trace: Trace? = nil
  ) -> HostileRow {
    let answer = ExpectedAnswer(status: status, headers: headers, isToHead: isToHead)
    return HostileRow(
      line: line, name: name, attack: .request(bytes, answer), trace: trace ?? .refused("http_\(status)"))
  }

  /// Frames for which a WebSocket is closed with a code.
  static func frames(
    _ line: Int, _ name: String, _ bytes: @escaping @Sendable @autoclosure () -> [UInt8], _ code: UInt16,
    _ reason: String = "protocol_error", isCompressed: Bool = false
  ) -> HostileRow {
    HostileRow(
      line: line, name: name, attack: .frames(bytes, code: code, isCompressed: isCompressed), trace: .closed(reason))
  }

  /// A message that is answered with an error.
  static func message(
    _ line: Int, _ name: String, _ text: @escaping @Sendable @autoclosure () -> String, _ error: String
  ) -> HostileRow {
    HostileRow(
      line: line, name: name, attack: .message(text, error: error), trace: .refused(refusals[error] ?? unknownAction))
  }

  static func scenario(
    _ line: Int, _ name: String, _ setup: Setup = .standard, _ trace: Trace,
    _ body: @escaping @Sendable (Victim) throws -> Void
  ) -> HostileRow {
    HostileRow(line: line, name: name, setup: setup, attack: .scenario(body), trace: trace)
  }

  private static let unknownAction = "message_unknown_action"
  /// The reasons of the channels dialect's errors by their text (PROTOCOLS 2.2).
  private static let refusals = [
    "Invalid JSON format": "message_invalid_json", "Missing channel": "message_missing_channel",
    "Invalid channel": "message_invalid_channel", "Invalid filters": "message_invalid_filters",
    "Too many subscriptions": "message_too_many_subscriptions",
  ]

  /// The rows of the line or of the setup that MARTLET_HOSTILE names, or all.
  static let chosen: [HostileRow] = {
    guard let name = ProcessInfo.processInfo.environment["MARTLET_HOSTILE"] else { return all }
    return all.filter { "\($0.line)" == name || $0.setup.rawValue == name }
  }()

  /// The whole table, by the settings that its rows need.
  static let all: [HostileRow] = {
    let rows =
      Rows.heads + Rows.handshakes + Rows.origins + Rows.frames + Rows.text + Rows.compression + Rows.json
      + Rows.channels + Rows.tokens + Rows.secrecy + Rows.addresses + Rows.limits + Rows.time + Rows.backlog
      + Rows.dropping + Rows.admin + Rows.storm + Rows.socketIO + Rows.bodies + Rows.keptConnections + Rows.leaving
      + Rows.honestUploads + Rows.late + Rows.reactors + Rows.unfinished + Rows.honestClients + Rows.pings
    return Setup.allCases.flatMap { setup in spread(rows.filter { $0.setup == setup }) }
  }()

  /// Puts rows with the same trace far from each other: the log has ten lines of a reason in a second, and a row that comes
  /// too late waits for the line that counts those held back.
  private static func spread(_ rows: [HostileRow]) -> [HostileRow] {
    let groups = Dictionary(grouping: rows) { $0.trace.label }
    let placed = groups.sorted { $0.key < $1.key }.flatMap { _, group in
      group.enumerated().map { (place: (Double($0.offset) + 0.5) / Double(group.count), row: $0.element) }
    }
    return placed.sorted { $0.place < $1.place }.map(\.row)
  }
}

/// The rows, in one extension for each kind of input.
enum Rows {}
