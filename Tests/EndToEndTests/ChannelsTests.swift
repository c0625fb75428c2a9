// The messages of the channels dialect over the wire, with one reactor and with two (PROTOCOLS 2.2 and 2.3).

import Foundation
import TestSupport
import Testing

extension EndToEnd {
  @Suite("Channels")
  struct Channels {
    @Test("subscribe, unsubscribe, publish and ping are answered as documented", arguments: [1, 2])
    func rows(reactors: Int) throws {
      try withGateway(reactors: reactors) { gateway throws in
        let (client, other) = try clientPair(gateway, reactors: reactors)
        try client.send(#"{"action":"subscribe","channel":"a"}"#)
        try expectNext(client, #"{"type":"subscribed","channel":"a"}"#)
        try client.send(#"{"action":"subscribe","channel":"a"}"#)
        try expectNext(client, #"{"type":"subscribed","channel":"a"}"#, "a repetition is acknowledged again")

        try client.publish("a", #"{"n":1}"#)
        try expectNextStamped(client, #"{"type":"message","channel":"a","from":"alice","data":{"n":1}}"#)
        try other.publish("a", "2")
        try expectNextStamped(client, #"{"type":"message","channel":"a","from":"bob","data":2}"#)
        try other.send(#"{"action":"publish","channel":"a"}"#)
        try expectNextStamped(client, #"{"type":"message","channel":"a","from":"bob"}"#)
        try expectSilence(client)
        try expectSilence(other)

        try client.send(#"{"action":"unsubscribe","channel":"a"}"#)
        try expectNext(client, #"{"type":"unsubscribed","channel":"a"}"#)
        try client.send(#"{"action":"unsubscribe","channel":"never"}"#)
        try expectNext(client, #"{"type":"unsubscribed","channel":"never"}"#)
        try other.publish("a", "3")
        try expectSilence(other)
        try expectSilence(client)

        try client.send(#"{"action":"ping"}"#)
        let pong = JSON(try client.nextText())
        #expect(pong?["type"] == .string("pong"))
        let milliseconds = pong?["timestamp"]?.number ?? 0
        #expect(abs(milliseconds / 1_000 - Double(Tokens.now)) < 60)
        #expect(milliseconds == milliseconds.rounded())
      }
    }

    @Test("errors are told and the connection stays open", arguments: [1, 2])
    func errors(reactors: Int) throws {
      let rows: [(String, String)] = [
        ("hello", "Invalid JSON format"), ("", "Invalid JSON format"), ("null", "Invalid JSON format"),
        (#"{"action":"ping"} x"#, "Invalid JSON format"), (#"{"action":"ping""#, "Invalid JSON format"),
        (#"{action:"ping"}"#, "Invalid JSON format"), ("\u{FEFF}{}", "Invalid JSON format"),
        (String(repeating: "[", count: 100_000), "Invalid JSON format"),
        ("{}", "Unknown action: undefined"), ("[]", "Unknown action: undefined"), ("7", "Unknown action: undefined"),
        (#""ping""#, "Unknown action: undefined"), ("true", "Unknown action: undefined"),
        (#"{"action":"dance"}"#, "Unknown action: dance"), (#"{"action":"Ping"}"#, "Unknown action: Ping"),
        (#"{"action":"a\"b\u00e9"}"#, "Unknown action: a\"b\u{E9}"), (#"{"action":""}"#, "Unknown action: "),
        (#"{"action":7}"#, "Unknown action: 7"), (#"{"action":null}"#, "Unknown action: null"),
        (#"{"action":"subscribe"}"#, "Missing channel"), (#"{"action":"unsubscribe"}"#, "Missing channel"),
        (#"{"action":"publish","payload":1}"#, "Missing channel"),
        (#"{"action":"subscribe","channel":7}"#, "Missing channel"),
        (#"{"action":"publish","channel":null}"#, "Missing channel"),
        (#"{"action":"unsubscribe","channel":["a"]}"#, "Missing channel"),
        (#"{"action":"subscribe","channel":""}"#, "Invalid channel"),
        (#"{"action":"subscribe","channel":"a\nb"}"#, "Invalid channel"),
        (#"{"action":"subscribe","channel":"\#(String(repeating: "x", count: 256))"}"#, "Invalid channel"),
        (#"{"action":"subscribe","channel":"a","filters":7}"#, "Invalid filters"),
        (#"{"action":"subscribe","channel":"a","filters":[1]}"#, "Invalid filters"),
      ]
      try withGateway(reactors: reactors) { gateway throws in
        let client = try WebSocketClient(gateway)
        for (message, error) in rows {
          try client.send(message)
          let answer = JSON(try client.nextText())
          #expect(answer == .object(["type": .string("error"), "message": .string(error)]), "\(message.prefix(80))")
        }
        try expectSilence(client)
      }
    }

    @Test("the channel and the filters come back as they were sent")
    func echoedAsSent() throws {
      let rows = [
        (#"{"channel":"caf\u00e9","action":"subscribe"}"#, #"{"type":"subscribed","channel":"café"}"#),
        (
          #" { "action" : "subscribe" , "filters" : { "a" : [ 1 , 2.0 ] } , "channel" : "f" } "#,
          #"{"type":"subscribed","channel":"f","filters":{"a":[1,2]}}"#
        ),
        (
          #"{"action":"subscribe","channel":"f","filters":null}"#,
          #"{"type":"subscribed","channel":"f","filters":null}"#
        ),
        (#"{"action":"subscribe","channel":"f","filters":{}}"#, #"{"type":"subscribed","channel":"f","filters":{}}"#),
        (#"{"\u0061ction":"subscri\u0062e","channel":"e"}"#, #"{"type":"subscribed","channel":"e"}"#),
        (#"{"action":"subscribe","channel":"x","more":[{}],"payload":7}"#, #"{"type":"subscribed","channel":"x"}"#),
      ]
      try withGateway { gateway throws in
        let client = try WebSocketClient(gateway)
        for (message, answer) in rows {
          try client.send(message)
          try expectNext(client, answer)
        }
        // However its name was written, it is one channel.
        try client.publish("café", "1")
        try expectNextStamped(client, #"{"type":"message","channel":"café","from":"alice","data":1}"#)
      }
    }

    @Test("a payload comes through byte for byte, whatever it is", arguments: [1, 2])
    func payloads(reactors: Int) throws {
      let payloads = [
        "null", "true", "0", "-0.0", "1e3", "1E+40", "12345678901234567890.000", #""""#, #""\ud83d\ude00\/ é \u0000""#,
        "[ ]", "{ }", #"{ "b" : 1 , "a" : [ 1 , { } ] }"#, #"{"data":{"data":1},"timestamp":"x"}"#,
        String(repeating: "[", count: 30) + String(repeating: "]", count: 30),
        "\"" + String(repeating: "long ", count: 40_000) + "\"",
      ]
      try withGateway(reactors: reactors) { gateway throws in
        let (publisher, subscriber) = try clientPair(gateway, reactors: reactors)
        try subscriber.subscribe("raw")
        for payload in payloads { try publisher.publish("raw", payload) }
        for payload in payloads {
          let raw = rawData(of: try subscriber.nextText())
          #expect(raw == payload, "\(payload.prefix(80))")
        }
      }
    }

    @Test("binary frames that hold JSON are handled as text", arguments: [1, 2])
    func binary(reactors: Int) throws {
      try withGateway(reactors: reactors) { gateway throws in
        let client = try WebSocketClient(gateway)
        try client.send(ClientFrame(ClientFrame.binary, [UInt8](#"{"action":"subscribe","channel":"b"}"#.utf8)))
        try expectNext(client, #"{"type":"subscribed","channel":"b"}"#)
        try client.send(
          ClientFrame(ClientFrame.binary, [UInt8](#"{"action":"publish","channel":"b","payload":"é"}"#.utf8)))
        try expectNextStamped(client, #"{"type":"message","channel":"b","from":"alice","data":"é"}"#)
        try client.send(ClientFrame(ClientFrame.binary, [0x7B, 0xFF, 0x7D]))
        try expectNext(client, #"{"type":"error","message":"Invalid JSON format"}"#)
      }
    }

    @Test("unsubscribing matches the whole name", arguments: [1, 2])
    func exactUnsubscribe(reactors: Int) throws {
      try withGateway(reactors: reactors) { gateway throws in
        let (client, other) = try clientPair(gateway, reactors: reactors)
        for channel in ["a", "a:b", "ab"] { try client.subscribe(channel) }
        try client.send(#"{"action":"unsubscribe","channel":"a"}"#)
        try expectNext(client, #"{"type":"unsubscribed","channel":"a"}"#)
        for channel in ["a", "a:b", "ab"] { try other.publish(channel, "1") }
        try expectNextStamped(client, #"{"type":"message","channel":"a:b","from":"bob","data":1}"#)
        try expectNextStamped(client, #"{"type":"message","channel":"ab","from":"bob","data":1}"#)
        try expectSilence(client)
      }
    }

    @Test("filters let through what is equal, once, and everything when there are none", arguments: [1, 2])
    func filters(reactors: Int) throws {
      let id = "agent_euystacio_001"
      // What a connection subscribes with, one after the other; a message; whether it gets it.
      let rows: [(filters: [String?], data: String?, isWanted: Bool)] = [
        ([#"{"agent_id":"\#(id)"}"#], #"{"agent_id":"\#(id)","x":1}"#, true),
        ([#"{"agent_id":"\#(id)"}"#], #"{"agent_id":"other"}"#, false),
        ([#"{"agent_id":"\#(id)"}"#], #"{"x":1}"#, false),
        ([#"{"agent_id":"\#(id)"}"#], #""text""#, false),
        ([#"{"agent_id":"\#(id)"}"#], #"["\#(id)"]"#, false),
        ([#"{"agent_id":"\#(id)"}"#], nil, false),
        ([nil], "7", true), (["null"], "7", true), (["{}"], "7", true), ([nil], nil, true), (["{}"], nil, true),
        ([#"{"a":1}"#], #"{"a":1.0}"#, true), ([#"{"a":100}"#], #"{"a":1e2}"#, true),
        ([#"{"a":1}"#], #"{"a":"1"}"#, false), ([#"{"a":1}"#], #"{"a":true}"#, false),
        ([#"{"a":1,"b":2}"#], #"{"b":2,"c":3,"a":1}"#, true), ([#"{"a":1,"b":2}"#], #"{"a":1}"#, false),
        ([#"{"a":["x","y"]}"#], #"{"a":"y"}"#, true), ([#"{"a":["x","y"]}"#], #"{"a":"z"}"#, false),
        ([#"{"a":null}"#], #"{"a":null}"#, true), ([#"{"a":null}"#], "{}", false),
        ([#"{"a":{"b":1,"c":2}}"#], #"{"a":{"c":2,"b":1}}"#, true), ([#"{"a":{"b":1}}"#], #"{"a":{"b":2}}"#, false),
        ([#"{"a":"\u0062"}"#], #"{"\u0061":"b"}"#, true),
        ([#"{"a":1}"#, #"{"b":1}"#], #"{"b":1}"#, true), ([#"{"a":1}"#, #"{"b":1}"#], #"{"a":1,"b":1}"#, true),
        ([#"{"a":1}"#, #"{"b":1}"#], #"{"c":1}"#, false), ([#"{"a":1}"#, nil], #"{"c":1}"#, true),
        ([nil, #"{"a":1}"#], #"{"c":1}"#, true),
      ]
      try withGateway(reactors: reactors) { gateway throws in
        let (publisher, subscriber) = try clientPair(gateway, reactors: reactors)
        try subscriber.subscribe("end")
        for (number, row) in rows.enumerated() {
          let channel = "c\(number)"
          for filters in row.filters { try subscriber.subscribe(channel, filters: filters) }
          let payload = row.data.map { #","payload":\#($0)"# } ?? ""
          try publisher.send(#"{"action":"publish","channel":"\#(channel)"\#(payload)}"#)
          // By the same way to the same subscriber, so it arrives after whatever came of that.
          try publisher.publish("end", "\(number)")
          var got = 0
          while true {
            let text = try subscriber.nextText()
            if text.contains(#""channel":"end""#) { break }
            #expect(rawData(of: text) == row.data, "\(row)")
            got += 1
          }
          #expect(got == (row.isWanted ? 1 : 0), "\(row)")
        }
        try subscriber.send(#"{"action":"unsubscribe","channel":"c0"}"#)
        try expectNext(subscriber, #"{"type":"unsubscribed","channel":"c0"}"#)
        try publisher.publish("c0", #"{"agent_id":"\#(id)"}"#)
        try expectSilence(publisher)
        try expectSilence(subscriber)
      }
    }

    @Test("subscriptions have a limit")
    func subscriptionLimit() throws {
      try withGateway(["--set", "limits.subscriptionsPerConnectionMax=3"]) { gateway throws in
        let client = try WebSocketClient(gateway)
        for number in 0..<3 { try client.subscribe("c\(number)") }
        try client.send(#"{"action":"subscribe","channel":"c3"}"#)
        try expectNext(client, #"{"type":"error","message":"Too many subscriptions"}"#)
        try client.subscribe("c2")
        try client.send(#"{"action":"unsubscribe","channel":"c0"}"#)
        try expectNext(client, #"{"type":"unsubscribed","channel":"c0"}"#)
        try client.subscribe("c3")
      }
    }
  }
}
