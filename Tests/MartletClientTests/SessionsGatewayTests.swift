// The sessions client against the gateway itself, in development mode: anonymous access, any password.

import EventLoop
import Foundation
import MartletClient
import TestSupport
import Testing

extension Live {
  @Suite("sessions, against the gateway")
  struct SessionsGateway {
    func client(
      _ gateway: GatewayProcess, _ name: String, session: String?, password: String? = nil,
      options: ClientOptions = quickOptions()
    ) throws -> SessionsClient {
      let address = "127.0.0.1:\(gateway.port)"
      let credentials: SessionsCredentials =
        if let password {
          .password(
            authURL: "http://\(address)/auth/token", username: name, password: password, session: session)
        } else {
          .anonymous(name: name, session: session)
        }
      return try SessionsClient(url: "ws://\(address)/sessions", credentials: credentials, options: options)
    }

    @Test("a topic reaches its session's subscribers, anonymous or with an account, and nobody of another session")
    func sessions() async throws {
      try await withGateway(["--dev"]) { gateway in
        let alice = try client(gateway, "alice", session: "s1", password: "secret")
        let bob = try client(gateway, "bob", session: "s1")
        let eve = try client(gateway, "eve", session: "s2")
        for client in [alice, bob, eve] { try await client.connect() }
        #expect(await alice.token?.hasPrefix("eyJ") == true)
        let (mine, theirs, foreign) = (
          Collected<SessionsMessage>(), Collected<SessionsMessage>(), Collected<SessionsMessage>()
        )
        try await alice.subscribe("t") { mine.add($0) }
        try await bob.subscribe("t") { theirs.add($0) }
        try await eve.subscribe("t") { foreign.add($0) }
        for number in 0..<50 { try await bob.publish("t", "é \"\(number)\"") }
        try await alice.publish("t", "across", session: "s2")
        #expect(await becomes { mine.count == 50 && theirs.count == 50 && foreign.count == 1 })
        #expect(mine.all.map(\.payload) == (0..<50).map { "é \"\($0)\"" })
        #expect(mine.all.allSatisfy { $0.publisher == "bob" && $0.session == "s1" && $0.topic == "t" })
        #expect(foreign.all.map(\.payload) == ["across"])
        bob.unsubscribe("t")
        try await bob.roundTrip()
        try await alice.publish("t", "last")
        try await alice.roundTrip()
        try await bob.roundTrip()
        #expect(await becomes { mine.count == 51 })
        #expect(theirs.count == 50)
        for client in [alice, bob, eve] { await client.close() }
      }
    }

    @Test("a killed gateway is connected to again with the kept token, and the queue arrives in order")
    func restart() async throws {
      let gateway = try GatewayProcess(["--dev"])
      let client = try client(gateway, "alice", session: nil, password: "secret")
      let seen = Collected<String>()
      try await client.connect()
      try await client.subscribe("t") { seen.add($0.payload) }
      let token = await client.token
      ThisProcess.signal(gateway.id, 9)
      #expect(await becomes { client.state != .open })
      for number in 0..<100 { try await client.publish("t", "\(number)") }
      _ = gateway.waitForEnd()
      let next = try GatewayProcess(
        ["--dev", "--host", "127.0.0.1", "--port", "\(gateway.port)"], standardAddress: false)
      #expect(await becomes { seen.count == 100 })
      #expect(seen.all == (0..<100).map { "\($0)" })
      #expect(await client.token == token)
      await client.close()
      #expect(next.stop().status == 0)
    }

    @Test("without a user file every password is wrong in production, and anonymous clients are refused")
    func production() async throws {
      try await withGateway { gateway in
        let alice = try client(gateway, "alice", session: nil, password: "secret")
        await #expect(throws: ClientError.self) { try await alice.connect() }
        guard case .closed(.credentialsRefused) = alice.state else {
          Issue.record("\(alice.state)")
          return
        }
        let bob = try client(gateway, "bob", session: nil)
        await #expect(throws: ClientError.closed(.handshakeRefused(status: 401))) { try await bob.connect() }
      }
    }
  }
}
