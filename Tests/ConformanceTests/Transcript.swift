// Conversations written down frame by frame, and what carries them out. One line is one thing that a client does or sees;
// its first word is the name of who does it. Used by one thread.
//
//   a open 8080 /ws?token=$jwt | Name: value    a WebSocket to the listener of that port of the profile, with headers
//   a refused 401 8080 /ws                      the same, but answered with this status
//   a protocol $jwt                             the sub-protocol that the gateway chose
//   a > TEXT                                    sends a text message
//   a < PATTERN                                 the next message
//   a ~ PATTERN                                 one of the next messages, others are passed over
//   a silent                                    nothing is on its way
//   a leaves                                    closes, and is answered
//   h GET 3500 /health | Name: value            sends a request on a connection of its own
//   h POST 3500 /path | Name: value << BODY     … with a body
//   h answers 200 PATTERN                       its answer
//
// `$name` stands for a value that is known, `⏎` for a line feed, `␞` for U+001E. A pattern is JSON, behind a prefix of digits,
// letters and punctuation where there is one; members in any order. In it "?text", "?number" and "?time" stand for any value of
// the kind, "?=name" for a text that is from then on the value of `$name`, and the member "?" for any further ones.

import Foundation
import TestSupport
import Testing

/// Carries out one transcript against one gateway.
final class Transcript {
  private let gateway: ConformanceGateway
  private var values: [String: String]
  private var clients: [String: WebSocketClient] = [:]
  private var requests: [String: Socket] = [:]

  init(_ gateway: ConformanceGateway, values: [String: String]) {
    self.gateway = gateway
    self.values = values
  }

  /// Carries out every line.
  func run(_ text: String) throws {
    for line in text.split(separator: "\n") {
      do {
        try carryOut(substituted(String(line)))
      } catch {
        throw GatewayFailure(description: "at \(line)\n\(error)")
      }
    }
  }

  private func substituted(_ line: String) throws -> String {
    var result = line.replacing("⏎", with: "\n").replacing("␞", with: "\u{1E}")
    for match in line.matches(of: /\$([A-Za-z]+)/) {
      guard let value = values[String(match.output.1)] else { throw failure("\(match.output.0) is not known") }
      result = result.replacing(match.output.0, with: value)
    }
    return result
  }

  private func carryOut(_ line: String) throws {
    let words = line.split(separator: " ", maxSplits: 2).map(String.init)
    guard words.count >= 2 else { throw failure("no such line") }
    let (name, rest) = (words[0], words.count > 2 ? words[2] : "")
    switch words[1] {
    case "open": clients[name] = try WebSocketClient(on: socket(rest), target: target(rest), headers: headers(rest))
    case "refused": try refused(rest)
    case "GET", "POST": requests[name] = try request(words[1], rest)
    case "answers": try answers(name, rest)
    default: try converse(client(name), words[1], rest)
    }
  }

  private func converse(_ client: WebSocketClient, _ verb: String, _ rest: String) throws {
    switch verb {
    case ">": try client.send(rest)
    case "<":
      let text = try client.nextText()
      guard matches(text, rest) else { throw failure("not this but \(text)") }
    case "~": while !matches(try client.nextText(), rest) {}
    case "protocol":
      guard client.subprotocol == rest else { throw failure("not this but \(client.subprotocol ?? "none")") }
    case "silent": try silent(client)
    case "leaves":
      try client.send(ClientFrame(ClientFrame.close, [0x03, 0xE8]))
      let answer = client.next()
      guard answer == .close(1_000, "") else { throw failure("not a close but \(answer)") }
    default: throw failure("no such verb")
    }
  }

  /// A pong of WebSocket's own comes behind everything that the client's reactor had for it.
  private func silent(_ client: WebSocketClient) throws {
    try client.send(ClientFrame(ClientFrame.ping, [0x3F]))
    let next = client.next()
    guard next == .pong([0x3F]) else { throw failure("not silent: \(next)") }
  }

  // MARK: Requests

  private func refused(_ rest: String) throws {
    let words = rest.split(separator: " ", maxSplits: 1).map(String.init)
    guard words.count == 2 else { throw failure("no status and place") }
    let request = WebSocketClient.request(try target(words[1]), headers: headers(words[1]))
    let answer = try HTTPExchange.perform(request, on: socket(words[1]))
    guard String(answer.status) == words[0] else { throw failure("not this but \(answer.status)") }
  }

  private func request(_ method: String, _ rest: String) throws -> Socket {
    let (place, body) = parts(rest, " << ")
    let lines =
      ["\(method) \(try target(place)) HTTP/1.1", "Host: localhost", "Connection: close"] + headers(place)
      + (method == "POST" ? ["Content-Length: \(body.utf8.count)"] : [])
    let socket = try socket(place)
    try socket.send([UInt8]((lines.joined(separator: "\r\n") + "\r\n\r\n" + body).utf8))
    return socket
  }

  private func answers(_ name: String, _ rest: String) throws {
    guard let socket = requests.removeValue(forKey: name) else { throw failure("\(name) has asked nothing") }
    let (status, pattern) = parts(rest, " ")
    let answer = try HTTPExchange.readAnswer(on: socket)
    guard String(answer.status) == status, matches(answer.text, pattern) else {
      throw failure("not this but \(answer.status) \(answer.text)")
    }
  }

  /// A connection to the port at the beginning of `place`.
  private func socket(_ place: String) throws -> Socket {
    guard let known = UInt16(parts(place, " ").0), let port = gateway.knownPorts[known] else {
      throw failure("no port of the profile")
    }
    return try Socket(port: port)
  }

  private func target(_ place: String) throws -> String {
    let target = parts(parts(place, " | ").0, " ").1
    guard target.hasPrefix("/") else { throw failure("no target") }
    return target
  }

  private func headers(_ place: String) -> [String] {
    Array(place.components(separatedBy: " | ")[1...])
  }

  private func parts(_ text: String, _ separator: String) -> (String, String) {
    guard let range = text.range(of: separator) else { return (text, "") }
    return (String(text[..<range.lowerBound]), String(text[range.upperBound...]))
  }

  private func client(_ name: String) throws -> WebSocketClient {
    guard let client = clients[name] else { throw failure("\(name) is not connected") }
    return client
  }

  private func failure(_ text: String) -> GatewayFailure { GatewayFailure(description: text) }

  // MARK: Patterns

  /// Whether what came is what the pattern says. Packets of a polling answer are compared one by one.
  private func matches(_ text: String, _ pattern: String) -> Bool {
    let (packets, patterns) = (text.split(separator: "\u{1E}"), pattern.split(separator: "\u{1E}"))
    return packets.count == patterns.count && zip(packets, patterns).allSatisfy { matchesPacket($0, $1) }
  }

  private func matchesPacket(_ text: Substring, _ pattern: Substring) -> Bool {
    let start = pattern.firstIndex { $0 == "{" || $0 == "[" } ?? pattern.endIndex
    let prefix = pattern[..<start]
    guard start < pattern.endIndex, let expected = JSON(String(pattern[start...])) else { return text == pattern }
    guard text.hasPrefix(prefix), let value = JSON(String(text.dropFirst(prefix.count))) else { return false }
    return matches(value, expected)
  }

  private func matches(_ value: JSON, _ pattern: JSON) -> Bool {
    switch (pattern, value) {
    case (.string(let text), _) where text.hasPrefix("?"): return stands(text.dropFirst(), for: value)
    case (.array(let patterns), .array(let elements)):
      return patterns.count == elements.count && zip(elements, patterns).allSatisfy { matches($0, $1) }
    case (.object(var patterns), .object(let members)):
      let isOpen = patterns.removeValue(forKey: "?") != nil
      // In the order of names, so that a value is known where it is used a second time.
      let areMet = patterns.sorted { $0.key < $1.key }.allSatisfy { name, pattern in
        members[name].map { matches($0, pattern) } ?? false
      }
      return areMet && (isOpen || members.count == patterns.count)
    default: return pattern == value
    }
  }

  private func stands(_ kind: Substring, for value: JSON) -> Bool {
    switch kind {
    case "number": return value.number != nil
    case "time": return isTimestamp(value)
    case "text": return value.text?.isEmpty == false
    default:
      guard kind.hasPrefix("="), let text = value.text, !text.isEmpty else { return false }
      let name = String(kind.dropFirst())
      if let known = values[name] { return known == text }
      values[name] = text
      return true
    }
  }
}
