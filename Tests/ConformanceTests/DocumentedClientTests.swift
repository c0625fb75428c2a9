// What the clients do that the documents of the five protocols show, frame by frame, at the addresses and with the messages
// of their listings, against the profile seed-ports. The tables are in DocumentedClients+….swift.

import TestSupport
import Testing

/// One listing's client as a conversation.
struct DocumentedClient: Sendable, CustomTestStringConvertible {
  /// The dialect, and what the listing shows.
  let name: String
  var settings: [(String, String)] = []
  let transcript: String

  var testDescription: String { name }

  init(_ name: String, settings: [(String, String)] = [], _ transcript: String) {
    self.name = name
    self.settings = settings
    self.transcript = transcript
  }

  static let all = handlers + channels + events + sessions + walkers

  /// What every transcript knows. Other values come out of its own answers.
  static var values: [String: String] {
    [
      "jwt": Tokens.channels(user: "usr_123"),
      "expired": Tokens.make(payload: #"{"userId":"usr_123","exp":\#(Tokens.now - 60)}"#),
      "forged": Tokens.make(payload: #"{"userId":"usr_123"}"#, secret: "9" + Tokens.secret.dropFirst()),
    ]
  }
}

@Suite("Documented clients")
struct DocumentedClientTests {
  @Test(
    "each listing's client gets on its own port what its document says", arguments: DocumentedClient.all, reactorCounts)
  func listing(client: DocumentedClient, reactors: Int) throws {
    let quiet = [("profile", "seed-ports"), ("channels.telemetryIntervalMilliseconds", "0")]
    let settings = quiet.filter { setting in !client.settings.contains { $0.0 == setting.0 } } + client.settings
    try withGateway(reactors: reactors, settings: settings) { gateway throws in
      #expect(Set(gateway.knownPorts.keys) == [8080, 3000, 3500, 8081, 8000])
      try Transcript(gateway, values: DocumentedClient.values).run(client.transcript)
    }
  }

  @Test("no two listings have one name")
  func names() {
    #expect(Set(DocumentedClient.all.map(\.name)).count == DocumentedClient.all.count)
  }

  @Test(
    "a transcript fails where the gateway does something else",
    arguments: [
      "a open 8080 /?token=$jwt\na < {\"type\":\"connected\"}", "a refused 403 8080 /", "a open 8080 /?token=$forged",
      "a open 8080 /?token=$jwt\na silent", "h GET 3000 /health\nh answers 200 {\"status\":\"?number\",\"?\":0}",
      "h GET 3000 /health\nh answers 404 {\"?\":0}", "a > x", "h GET 9 /", "h GET 3000 /$unknown",
      "a open 8080 /?token=$jwt\na < {\"type\":\"connected\",\"message\":\"?=jwt\",\"userId\":\"usr_123\"}",
    ])
  func bites(transcript: String) throws {
    try withGateway(reactors: 1, settings: [("profile", "seed-ports")]) { gateway throws in
      #expect(throws: GatewayFailure.self) {
        try Transcript(gateway, values: DocumentedClient.values).run(transcript)
      }
    }
  }
}
