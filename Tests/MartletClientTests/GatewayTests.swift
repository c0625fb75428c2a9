// The channels client against the gateway itself.

import EventLoop
import Foundation
import MartletClient
import TestSupport
import Testing

extension Live {
  @Suite("against the gateway")
  struct Gateway {
    @Test("what one client publishes reaches the other's handler and stream, in order")
    func delivers() async throws {
      try await withGateway(reactors: 2) { gateway in
        let alice = try ChannelsClient(url: gateway.channelsURL, token: Tokens.channels(user: "alice"))
        let bob = try ChannelsClient(url: gateway.channelsURL, token: Tokens.channels(user: "bob"))
        try await alice.connect()
        try await bob.connect()
        #expect(alice.state == .open)
        let handled = Collected<ChannelsMessage>()
        try await alice.subscribe("news") { handled.add($0) }
        let stream = try await bob.messages("news")
        for number in 0..<500 { try await bob.publish("news", json: "{\"n\": \(number)}") }
        var streamed: [String] = []
        for await message in stream {
          streamed.append(message.text)
          if streamed.count == 500 { break }
        }
        let expected = (0..<500).map { "{\"n\": \($0)}" }
        #expect(streamed == expected)
        #expect(await becomes { handled.count == 500 })
        #expect(handled.all.map(\.text) == expected)
        let first = try #require(handled.all.first)
        #expect(first.from == "bob" && first.channel == "news" && !first.isBroadcast && first.timestamp.count == 24)
        #expect(try first.decode([String: Int].self) == ["n": 0])
        await alice.close()
        await bob.close()
        #expect(alice.state == .closed(.requested))
        #expect(try await becomes { try Metrics(of: gateway).sum("websockets") == 0 })
      }
    }

    @Test("two subscriptions of one client to a channel each get what their own filters want")
    func filters() async throws {
      try await withGateway { gateway in
        let client = try ChannelsClient(url: gateway.channelsURL, token: Tokens.channels(user: "alice"))
        try await client.connect()
        let (ones, twos) = (Collected<String>(), Collected<String>())
        try await client.subscribe("c", filters: #"{"k":1}"#) { ones.add($0.text) }
        let second = try await client.subscribe("c", filters: #"{"k":[2,3]}"#) { twos.add($0.text) }
        for key in 1...4 { try await client.publish("c", ["k": key]) }
        #expect(await becomes { ones.count == 1 && twos.count == 2 })
        second.cancel()
        for key in 1...4 { try await client.publish("c", ["k": key]) }
        try await client.roundTrip()
        #expect(await becomes { ones.count == 2 })
        #expect(ones.all == [#"{"k":1}"#, #"{"k":1}"#])
        #expect(twos.all == [#"{"k":2}"#, #"{"k":3}"#])
        await client.close()
      }
    }

    @Test("after unsubscribing nothing comes, and the gateway has no subscription left")
    func unsubscribes() async throws {
      try await withGateway { gateway in
        let client = try ChannelsClient(url: gateway.channelsURL, token: Tokens.channels(user: "alice"))
        let other = try ChannelsClient(url: gateway.channelsURL, token: Tokens.channels(user: "bob"))
        try await client.connect()
        try await other.connect()
        let seen = Collected<String>()
        try await client.subscribe("a") { seen.add("a" + $0.text) }
        try await client.subscribe("b") { seen.add("b" + $0.text) }
        var stream: AsyncStream<ChannelsMessage>? = try await client.messages("c")
        #expect(stream != nil)
        #expect(try await becomes { try Metrics(of: gateway).sum("subscriptions") == 3 })
        client.unsubscribe("a")
        stream = nil
        try await client.roundTrip()
        #expect(try await becomes { try Metrics(of: gateway).sum("subscriptions") == 1 })
        try await other.publish("a", json: "1")
        try await other.publish("b", json: "2")
        #expect(await becomes { seen.count == 1 })
        #expect(seen.all == ["b2"])
      }
    }

    @Test("a refused token ends the client with 403, a missing one with 401, and neither is tried again")
    func refusals() async throws {
      try await withGateway { gateway in
        for (token, status) in [("nonsense", 403), ("", 401)] {
          let client = try ChannelsClient(url: gateway.channelsURL, token: token, options: quickOptions())
          let states = collectStates(client.states)
          let reason = ClosedReason.handshakeRefused(status: status)
          await #expect(throws: ClientError.closed(reason)) { try await client.connect() }
          #expect(await becomes { states.all.last == .closed(reason) })
          #expect(states.all == [.idle, .connecting, .closed(reason)])
          await #expect(throws: ClientError.closed(reason)) { try await client.publish("c", json: "1") }
          await #expect(throws: ClientError.closed(reason)) { try await client.subscribe("c") { _ in } }
        }
      }
    }

    @Test("a path that nobody owns ends the client with 404")
    func unknownPath() async throws {
      try await withGateway { gateway in
        let client = try ChannelsClient(url: "ws://127.0.0.1:\(gateway.port)/nothing", token: "t")
        await #expect(throws: ClientError.closed(.handshakeRefused(status: 404))) { try await client.connect() }
      }
    }

    @Test("a killed gateway is connected to again; subscriptions are made again and what was queued comes in order")
    func restart() async throws {
      var gateway: GatewayProcess? = try GatewayProcess()
      let port = try #require(gateway?.port)
      let asked = Collected<Int>()
      let client = try ChannelsClient(url: "ws://127.0.0.1:\(port)/channels", options: quickOptions()) {
        asked.add(asked.count)
        return Tokens.channels(user: "alice")
      }
      let states = collectStates(client.states)
      let seen = Collected<String>()
      try await client.connect()
      try await client.subscribe("news") { seen.add($0.text) }
      try await client.publish("news", json: "\"before\"")
      #expect(await becomes { seen.count == 1 })
      ThisProcess.signal(try #require(gateway?.id), 9)
      #expect(await becomes { client.state != .open })
      for number in 0..<200 { try await client.publish("news", json: "\(number)") }
      let late = Task { try await client.subscribe("late") { seen.add("late" + $0.text) } }
      #expect(await becomes { states.all.filter(\.isWaiting).count >= 2 })
      gateway = nil
      let next = try GatewayProcess(["--host", "127.0.0.1", "--port", "\(port)"], standardAddress: false)
      #expect(await becomes { seen.count >= 201 })
      #expect(seen.all == ["\"before\""] + (0..<200).map { "\($0)" })
      #expect(client.state == .open)
      #expect(asked.count >= 3, "the provider is asked before every attempt")
      _ = try await late.value
      try await client.publish("late", json: "1")
      #expect(await becomes { seen.all.last == "late1" })
      await client.close()
      #expect(next.stop().status == 0)
      #expect(await becomes { states.all.last == .closed(.requested) })
    }

    @Test("a gateway that stops says 1001; the client comes back to the next one, and close() then ends it")
    func gracefulStop() async throws {
      let gateway = try GatewayProcess()
      let port = gateway.port
      let client = try ChannelsClient(
        url: gateway.channelsURL, token: Tokens.channels(user: "alice"), options: quickOptions())
      try await client.connect()
      let stream = try await client.messages("c")
      #expect(gateway.stop().status == 0)
      #expect(await becomes { client.lastFailure?.contains("1001") ?? false || client.state != .open })
      let next = try GatewayProcess(["--host", "127.0.0.1", "--port", "\(port)"], standardAddress: false)
      #expect(await becomes { client.state == .open })
      try await client.publish("c", json: "7")
      for await message in stream {
        #expect(message.text == "7")
        break
      }
      await client.close()
      #expect(next.stop().status == 0)
    }

    @Test("a Unix-domain socket and a looked-up name work like an address")
    func places() async throws {
      let directory = try GatewayProcess.temporaryDirectory()
      defer { try? FileManager.default.removeItem(at: directory) }
      let path = directory.appendingPathComponent("s").path
      try await withGateway(["--unix", path]) { gateway in
        let urls = ["ws+unix://\(path):/channels", "ws://LOCALHOST:\(gateway.port)/channels"]
        for url in urls {
          let client = try ChannelsClient(url: url, token: Tokens.channels(user: "alice"), options: quickOptions())
          try await client.connect()
          try await client.roundTrip()
          await client.close()
          #expect(client.state == .closed(.requested))
        }
      }
    }

    @Test("a message of a megabyte comes through whole, both ways")
    func large() async throws {
      try await withGateway { gateway in
        let client = try ChannelsClient(url: gateway.channelsURL, token: Tokens.channels(user: "alice"))
        try await client.connect()
        let stream = try await client.messages("big")
        let payload = "\"" + String(repeating: "xyz", count: 340_000) + "\""
        try await client.publish("big", json: payload)
        for await message in stream {
          #expect(message.text == payload)
          break
        }
        await #expect(throws: ClientError.self) {
          try await client.publish("big", json: "\"" + String(repeating: "x", count: 1_048_576) + "\"")
        }
        await client.close()
      }
    }

    @Test("a released client closes its connection")
    func released() async throws {
      try await withGateway { gateway in
        var client: ChannelsClient? = try ChannelsClient(
          url: gateway.channelsURL, token: Tokens.channels(user: "alice"))
        try await client?.connect()
        let stream = try #require(try await client?.messages("c"))
        client = nil
        for await _ in stream {}
        #expect(try await becomes { try Metrics(of: gateway).sum("websockets") == 0 })
      }
    }

    @Test("publishing far more than fits waits for room, and everything arrives in order")
    func flood() async throws {
      try await withGateway { gateway in
        var options = ClientOptions()
        options.queuedMessagesMax = 16
        let client = try ChannelsClient(
          url: gateway.channelsURL, token: Tokens.channels(user: "alice"), options: options)
        let reader = try ChannelsClient(url: gateway.channelsURL, token: Tokens.channels(user: "bob"))
        try await client.connect()
        try await reader.connect()
        let stream = try await reader.messages("c")
        let sending = Task { for number in 0..<5_000 { try await client.publish("c", json: "\(number)") } }
        var next = 0
        for await message in stream {
          if message.text != "\(next)" { break }
          next += 1
          if next == 5_000 { break }
        }
        try await sending.value
        #expect(next == 5_000)
        await client.close()
        await reader.close()
      }
    }
  }
}
