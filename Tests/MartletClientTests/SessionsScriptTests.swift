// The sessions client against servers that follow a script, token endpoint included.

import EventLoop
import Foundation
import TestSupport
import Testing

@testable import MartletClient

extension Live {
  @Suite("sessions, against a scripted server")
  struct SessionsScripted {
    /// A small sessions server for one client: it records texts, answers pings, and delivers what is published.
    static func serve(_ connection: FakeConnection, _ texts: Collected<String>) throws {
      while true {
        let text = try connection.readFrame(1).text
        texts.add(text)
        if text == "ping" { try connection.sendText("pong") }
        if text.hasPrefix("publish-json:") { try connection.sendText(String(text.dropFirst(13))) }
      }
    }

    @Test("an anonymous client registers its name and session, subscribes within it, and publishes all five members")
    func anonymous() async throws {
      let texts = Collected<String>()
      let server = try FakeServer { connection, _ in
        #expect(try connection.upgrade().hasPrefix("GET /ws HTTP/1.1"))
        try Self.serve(connection, texts)
      }
      let client = try SessionsClient(
        url: "ws://127.0.0.1:\(server.port)/ws", credentials: .anonymous(name: "Client1"), options: quickOptions())
      try await client.connect()
      let stream = try await client.messages("Event")
      try await client.subscribe("Other", session: "s2") { _ in }
      try await client.publish("Event", "it's \"here\"\n")
      var message: SessionsMessage?
      for await next in stream {
        message = next
        break
      }
      let expected = [
        "register-name:Client1", "register-session:session-Client1", "subscribe:Event|session-Client1", "ping",
        "subscribe:Other|s2", "ping",
      ]
      #expect(Array(texts.all.prefix(6)) == expected)
      let json = JSON(String(texts.all[6].dropFirst(13)))
      #expect(json?["publisher_name"]?.text == "Client1")
      #expect(json?["session_id"]?.text == "session-Client1")
      #expect(json?["timestamp"]?.text?.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/) != nil)
      #expect(message?.topic == "Event" && message?.session == "session-Client1" && message?.publisher == "Client1")
      #expect(message?.payload == "it's \"here\"\n")
      client.unsubscribe("Other", session: "s2")
      try await client.roundTrip()
      #expect(texts.all.contains("unsubscribe:Other|s2"))
      #expect(!client.isAuthenticated)
      await client.close()
    }

    @Test("a password is exchanged for a token, which is kept, and replaced when the gateway refuses it")
    func password() async throws {
      let requests = Collected<String>()
      let heads = Collected<String>()
      let texts = Collected<String>()
      let tokens = Lock(0)
      let auth = try FakeServer { connection, _ in
        let request = try connection.readRequest()
        requests.add(request.head + request.body)
        let number = tokens.withLock { number in
          number += 1
          return number
        }
        let body = #"{"token":"T\#(number)","expires_in":3600}"#
        // A chunked body, as some proxies make it.
        let chunks = "5\r\n\(body.prefix(5))\r\n\(String(body.utf8.count - 5, radix: 16))\r\n\(body.dropFirst(5))\r\n"
        try connection.send(
          [UInt8]("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\(chunks)0\r\n\r\n".utf8), pieceBytes: 7)
      }
      let server = try FakeServer { connection, number in
        // 0: open, then break. 1: refuse the kept token. 2: open with the new one.
        if number == 1 {
          heads.add(try connection.readRequest().head)
          return try connection.answer("401 Unauthorized")
        }
        heads.add(try connection.upgrade())
        if number == 0 {
          _ = try connection.readFrame(1)
          return
        }
        try Self.serve(connection, texts)
      }
      let client = try SessionsClient(
        url: "ws://127.0.0.1:\(server.port)/ws",
        credentials: .password(
          authURL: "http://127.0.0.1:\(auth.port)/auth/token", username: "alice", password: "pä\"ss", session: "s1"),
        options: quickOptions())
      #expect(await client.token == nil)
      try await client.connect()
      try await client.publish("a", "lost or not")
      #expect(await becomes { heads.count == 3 && client.state == .open })
      let lines = heads.all.map { $0.split(separator: "\r\n").first.map(String.init) }
      #expect(
        lines == ["GET /ws?token=T1 HTTP/1.1", "GET /ws?token=T1 HTTP/1.1", "GET /ws?token=T2 HTTP/1.1"])
      #expect(requests.count == 2)
      let first = try #require(requests.all.first)
      #expect(first.hasPrefix("POST /auth/token HTTP/1.1\r\n"))
      #expect(FakeConnection.header("content-type", of: first) == "application/json")
      let body = JSON(String(first[(first.range(of: "\r\n\r\n")?.upperBound ?? first.endIndex)...]))
      #expect(body == JSON(#"{"username":"alice","password":"pä\"ss","session_id":"s1"}"#))
      #expect(await client.token == "T2")
      #expect(try await client.refreshTokenIfNeeded() == false)
      await client.close()
      #expect(!texts.all.contains { $0.hasPrefix("register-") })
    }

    @Test("a token that is about to expire is replaced before the next connection, and on demand")
    func refresh() async throws {
      let count = Lock(0)
      let auth = try FakeServer { connection, _ in
        _ = try connection.readRequest()
        let number = count.withLock { count in
          count += 1
          return count
        }
        try connection.answer("200 OK", body: #"{"token":"T\#(number)","expires_in":0}"#)
      }
      let heads = Collected<String>()
      let server = try FakeServer { connection, number in
        heads.add(try connection.upgrade())
        if number > 0 { connection.waitForEnd() }
      }
      let client = try SessionsClient(
        url: "ws://127.0.0.1:\(server.port)/ws",
        credentials: .password(authURL: "http://127.0.0.1:\(auth.port)/t", username: "u", password: "p"),
        options: quickOptions())
      try await client.connect()
      #expect(await becomes { heads.count == 2 })
      #expect(heads.all.map { $0.contains("token=T1") } == [true, false])
      #expect(heads.all.last?.contains("token=T2") == true)
      #expect(try await client.refreshTokenIfNeeded())
      #expect(await client.token == "T3")
      await client.close()
    }

    @Test(
      "a token endpoint that says no ends the client; one that is in trouble is asked again",
      arguments: [401, 422, 500])
    func refusedPassword(status: Int) async throws {
      let auth = try FakeServer { connection, number in
        _ = try connection.readRequest()
        try connection.answer(number < 2 ? "\(status) X" : "404 X", body: #"{"error":"Invalid credentials"}"#)
      }
      let client = try SessionsClient(
        url: "ws://127.0.0.1:\(auth.port)/ws",
        credentials: .password(authURL: "http://127.0.0.1:\(auth.port)/t", username: "u", password: "p"),
        options: quickOptions())
      let last = status == 500 ? 404 : status
      let reason = ClosedReason.credentialsRefused(ClientError.tokenRefused(status: last).description)
      await #expect(throws: ClientError.closed(reason)) { try await client.connect() }
      #expect(auth.connections == (status == 500 ? 3 : 1))
    }

    @Test("a token endpoint that is not there, says nothing or nonsense counts as a failed attempt")
    func unavailableToken() async throws {
      let auth = try FakeServer { connection, number in
        _ = try connection.readRequest()
        switch number {
        case 0: try connection.answer("200 OK", body: "no JSON")
        case 1: try connection.send([UInt8]("nonsense\r\n\r\n".utf8))
        case 2: try connection.send([UInt8]("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{".utf8))
        default: connection.waitForEnd()
        }
      }
      var options = quickOptions()
      options.attemptsMax = 4
      options.connectTimeoutMilliseconds = 300
      let client = try SessionsClient(
        url: "ws://127.0.0.1:\(auth.port)/ws",
        credentials: .password(authURL: "http://127.0.0.1:\(auth.port)/t", username: "u", password: "p"),
        options: options)
      await #expect(throws: ClientError.self) { try await client.connect() }
      #expect(auth.connections == 4)
      guard case .gaveUp? = client.state.closedReason else {
        Issue.record("\(client.state)")
        return
      }
    }

    @Test(
      "names that the commands cannot carry are refused before they are sent",
      arguments: ["", "a|b", " a", "a\n", "\u{7F}"])
    func names(name: String) async throws {
      #expect(throws: ClientError.self) {
        _ = try SessionsClient(url: "ws://127.0.0.1:1/ws", credentials: .anonymous(name: name))
      }
      let client = try SessionsClient(url: "ws://127.0.0.1:1/ws", credentials: .anonymous(name: "x"))
      await #expect(throws: ClientError.self) { try await client.publish(name, "p") }
      await #expect(throws: ClientError.self) { _ = try await client.messages("t", session: name) }
    }
  }
}
