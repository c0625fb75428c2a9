// Socket.IO protocol 5: packets, attachments and their placeholders (PROTOCOLS 3.5).

import Buffers
import Testing

@testable import Wire

@Suite("Socket.IO")
struct SocketIOTests {
  /// What a packet says, or why it is refused.
  static func read(_ text: String) -> String {
    let bytes = Array(text.utf8)
    func slice(_ value: JSONValue?) -> String {
      value.map { String(decoding: bytes[$0.range], as: UTF8.self) } ?? "-"
    }
    do {
      let packet = try SocketIOPacket.decode(bytes.span)
      let namespace = String(decoding: bytes[packet.namespace], as: UTF8.self)
      let event = packet.name == nil ? slice(packet.payload) : "\(slice(packet.name)) \(slice(packet.argument))"
      let id = packet.id < 0 ? "" : "#\(packet.id) "
      let attachments = packet.attachments > 0 ? "+\(packet.attachments) " : ""
      if packet.isRefused {
        return "\(packet.kind) \(namespace.isEmpty ? "" : namespace + ",")\(attachments)\(id)refused"
      }
      return "\(packet.kind) \(namespace.isEmpty ? "" : namespace + " ")\(attachments)\(id)\(event)"
    } catch {
      return "! \(error)"
    }
  }

  @Test(
    "packets are read",
    arguments: [
      ("0", "connect -"), (#"0{"token":"T"}"#, #"connect {"token":"T"}"#), ("0/,", "connect -"), ("0/", "connect -"),
      (#"0/socket.io/,{"token":"T"}"#, #"connect /socket.io/ {"token":"T"}"#), ("0/ws", "connect /ws -"),
      ("0/ws,", "connect /ws -"), ("1", "disconnect -"), ("1/ws,", "disconnect /ws -"), ("1/ws", "disconnect /ws -"),
      (#"2["ping"]"#, #"event "ping" -"#), (#"2["echo",{"a":1}]"#, #"event "echo" {"a":1}"#),
      (#"2["echo",1,2,3]"#, #"event "echo" 1"#), (#"2 [ "echo" , [1 , 2] ] "#, #"event "echo" [1 , 2]"#),
      (#"2[7,"x"]"#, #"event 7 "x""#), (#"27["ping"]"#, #"event #7 "ping" -"#),
      (#"2/ws,12["ping"]"#, #"event /ws #12 "ping" -"#), (#"20["a"]"#, #"event #0 "a" -"#),
      (#"2007["a"]"#, #"event #7 "a" -"#), (#"29007199254740991["a"]"#, #"event #9007199254740991 "a" -"#),
      (#"2/socket.io/,["ping"]"#, #"event /socket.io/ "ping" -"#), (#"2/,["ping"]"#, #"event "ping" -"#),
      (#"31[]"#, "acknowledgement #1 []"), (#"3/ws,5["a"]"#, #"acknowledgement /ws #5 ["a"]"#),
      (#"4{"message":"no"}"#, #"connectError {"message":"no"}"#), (#"4"no""#, #"connectError "no""#),
      ("4", "connectError -"),
      (
        #"51-["echo",{"_placeholder":true,"num":0}]"#, #"binaryEvent +1 "echo" {"_placeholder":true,"num":0}"#
      ),
      (#"50-["echo",1]"#, #"binaryEvent "echo" 1"#), (#"510-["a"]"#, #"binaryEvent +10 "a" -"#),
      (
        #"51-/ws,4["a",{"x":[{"num":0,"_placeholder":true}]}]"#,
        #"binaryEvent /ws +1 #4 "a" {"x":[{"num":0,"_placeholder":true}]}"#
      ),
      (#"61-3[{"_placeholder":true,"num":0}]"#, #"binaryAcknowledgement +1 #3 [{"_placeholder":true,"num":0}]"#),
      (#"2["Connect"]"#, #"event "Connect" -"#), (#"2["connected"]"#, #"event "connected" -"#),
      (#"2["\u0061"]"#, #"event "\u0061" -"#), (#"2[""]"#, #"event "" -"#),
      (#"2["ack","connect"]"#, #"event "ack" "connect""#),
      // The reference server makes nothing of these, and goes on.
      ("", "connect -"), ("2", "event -"), ("2/ws,", "event /ws -"), ("27", "event #7 -"),
      ("3", "acknowledgement -"), ("3[]", "acknowledgement []"), (#"3/ws,["a"]"#, #"acknowledgement /ws ["a"]"#),
      ("31", "acknowledgement #1 -"), ("50-", "binaryEvent -"),
      (#"50-["a",{"_placeholder":true,"num":0}]"#, #"binaryEvent "a" {"_placeholder":true,"num":0}"#),
      // JSON, but against rules of ours.
      (#"2["a","\ud800"]"#, "event refused"), (#"2/ws,3[ "\udc00x" ]"#, "event /ws,#3 refused"),
      (#"2["a",1e999]"#, "event refused"), (#"2["a",-1e400]"#, "event refused"),
      ("2[" + String(repeating: "[", count: 64) + String(repeating: "]", count: 65), "event refused"),
      (#"31["\ud800"]"#, "acknowledgement #1 refused"), (#"51-["\ud800"]"#, "binaryEvent +1 refused"),
      (#"0{"token":"\ud800"}"#, "connect refused"),
    ])
  func packets(text: String, expected: String) {
    #expect(Self.read(text) == expected)
  }

  @Test(
    "malformed packets are refused",
    arguments: [
      ("7[\"a\"]", SocketIOFault.type), ("9", .type), ("a", .type), ("[\"a\"]", .type), ("/", .type),
      ("-1", .type), (" 2[\"a\"]", .type), ("\u{0}", .type),
      ("5[\"a\"]", .attachmentCount), ("5-[\"a\"]", .attachmentCount), ("51[\"a\"]", .attachmentCount),
      ("5", .attachmentCount), ("51", .attachmentCount), ("5x-[\"a\"]", .attachmentCount),
      ("5-1-[\"a\"]", .attachmentCount),
      ("51.5-[\"a\"]", .attachmentCount), ("5+1-[\"a\"]", .attachmentCount), ("6-1[]", .attachmentCount),
      ("511-[\"a\"]", .tooManyAttachments), ("599999999999999999999999-[\"a\"]", .tooManyAttachments),
      ("2{}", .payload),
      ("2\"a\"", .payload),
      ("2[]", .payload), ("2[null]", .payload), ("2[{}]", .payload), ("2[[\"a\"]]", .payload), ("2[true,1]", .payload),
      ("2[\"a\"", .payload), ("2[\"a\"]]", .payload), ("2[\"a\"]x", .payload), ("2['a']", .payload),
      ("2x[\"a\"]", .payload),
      ("2-1[\"a\"]", .payload), ("21.5[\"a\"]", .payload), ("2{\"a\":\"\\ud800\"}", .payload), ("21e999", .payload),
      ("0[\"\\ud800\"]", .payload), ("1[\"\\ud800\"]", .payload), ("4\"\\ud800\"", .payload),
      ("2null", .payload), ("2,[\"a\"]", .payload), ("21,[\"a\"]", .payload), ("2/ws,/ws,[\"a\"]", .payload),
      ("29007199254740992[\"a\"]", .acknowledgement), ("299999999999999999999999999[\"a\"]", .acknowledgement),
      ("31{}", .payload),
      ("0[]", .payload), ("0null", .payload), ("0\"T\"", .payload), ("0{", .payload), ("01", nil),
      ("1{}", .payload), ("1[]", .payload), ("1/ws,null", .payload), ("4[]", .payload), ("41", nil),
      ("2[\"connect\"]", .reservedName), ("2[\"connect_error\",1]", .reservedName),
      ("2[\"disconnect\"]", .reservedName),
      ("2[\"disconnecting\"]", .reservedName), ("2[\"newListener\"]", .reservedName),
      ("2[\"removeListener\"]", .reservedName), ("2[\"\\u0063onnect\"]", .reservedName),
      ("50-[\"disconnect\"]", .reservedName),
      ("51-[\"a\",{\"_placeholder\":true,\"num\":1}]", .placeholder),
      ("51-[\"a\",{\"_placeholder\":true}]", .placeholder),
      ("51-[\"a\",{\"_placeholder\":true,\"num\":-1}]", .placeholder),
      ("51-[\"a\",{\"_placeholder\":true,\"num\":\"0\"}]", .placeholder),
      ("51-[\"a\",{\"_placeholder\":true,\"num\":0.5}]", .placeholder),
      ("51-[\"a\",{\"_placeholder\":true,\"num\":null}]", .placeholder),
      ("51-[\"a\",{\"_placeholder\":true,\"num\":99999999999999999999}]", .placeholder),
      ("52-[\"a\",{\"x\":[{\"_placeholder\":true,\"num\":0},{\"_placeholder\":true,\"num\":2}]}]", .placeholder),
      ("61-0[{\"_placeholder\":true,\"num\":7}]", .placeholder),
    ] as [(String, SocketIOFault?)])
  func malformed(text: String, fault: SocketIOFault?) {
    if let fault { #expect(Self.read(text) == "! \(fault)") } else { #expect(!Self.read(text).hasPrefix("!")) }
  }

  @Test("a namespace has a limit, and so has what is nested")
  func limits() {
    let within = String(repeating: "n", count: SocketIOPacket.namespaceBytesMax - 1)
    #expect(Self.read("1/\(within)") == "disconnect /\(within) -")
    #expect(Self.read("1/\(within),") == "disconnect /\(within) -")
    #expect(Self.read("1/\(within)n") == "! \(SocketIOFault.namespace)")
    #expect(Self.read("2[\"a\"," + String(repeating: "[", count: 100_000)) == "event refused")
    let deep = String(repeating: "[", count: 62) + String(repeating: "]", count: 62)
    #expect(Self.read("2[\"a\",\(deep)]") == "event \"a\" \(deep)")
  }

  @Test(
    "only placeholders of a binary packet are looked at",
    arguments: [
      (#"{"_placeholder":true,"num":0}"#, 1), (#"[{"_placeholder":true,"num":2},{"_placeholder":true,"num":0}]"#, 5),
      (#"{"a":{"_placeholder":true,"num":1},"b":[{"num":1,"_placeholder":true}]}"#, 2),
      (#"{"_placeholder":false,"num":9}"#, 0), (#"{"_placeholder":"true","num":9}"#, 0), (#"{"num":9}"#, 0),
      (#"["_placeholder",true,"num",9]"#, 0), (#""_placeholder""#, 0), ("7", 0), ("[]", 0), ("{}", 0),
      (#"{"_placeholder":true,"_placeholder":false,"num":9}"#, 0), (#"{"_placeholder":true,"num":9,"num":1}"#, 2),
      (#"{"\u005fplaceholder":true,"n\u0075m":2}"#, 4), (#"{"x":"{\"_placeholder\":true,\"num\":9}"}"#, 0),
      (#"{ "_placeholder" : true , "num" : 02 }"#, 4), (#"{"_placeholder":true,"num":1,"x":{"num":9}}"#, 2),
      (#"{"x":"_placeholder","y":[{"_placeholder":null}],"num":[0]}"#, 0),
    ])
  func placeholders(json: String, asked: UInt32) throws {
    let bytes = Array(json.utf8)
    let found = try SocketIOPlaceholders.scan(bytes.span, attachments: 3)
    #expect(found == asked)
  }

  // MARK: Assembly

  @Test("a packet waits for all its attachments, and has them in order")
  func assembly() throws {
    var assembler = SocketIOAssembler(bytesMax: 4_000_000)
    let text = Array(#"52-/ws,7["echo",[{"_placeholder":true,"num":1},{"_placeholder":true,"num":0}]]"#.utf8)
    for round in 0..<3 {
      #expect(try assembler.receive(text: text.span) == .awaitsAttachments)
      let isAwaiting = assembler.isAwaiting
      #expect(isAwaiting)
      let first = [UInt8](repeating: 1, count: round * 1_000)
      let isEarly = try assembler.receive(binary: first.span) == nil
      #expect(isEarly)
      let second: [UInt8] = [9, 8]
      guard let whole = try assembler.receive(binary: second.span) else {
        Issue.record("not assembled")
        return
      }
      #expect(whole.count == 2 && whole.packet.id == 7 && whole.packet.attachments == 2)
      let argument = try #require(whole.packet.argument)
      let raw = whole.text.bytes.extracting(argument.range).string
      #expect(raw == #"[{"_placeholder":true,"num":1},{"_placeholder":true,"num":0}]"#)
      let sizes = (whole.attachment(0).count, whole.attachment(1).count)
      #expect(sizes == (round * 1_000, 2))
      let last = whole.attachment(1)[0]
      let isDone = !assembler.isAwaiting
      #expect(last == 9 && isDone)
      let plain = Array(#"2["ping"]"#.utf8)
      guard case .packet(let packet) = try assembler.receive(text: plain.span) else {
        Issue.record("no packet")
        return
      }
      #expect(packet.kind == .event)
    }
    let none = Array(#"50-["ping"]"#.utf8)
    guard case .packet = try assembler.receive(text: none.span) else {
      Issue.record("waits for nothing")
      return
    }
  }

  @Test("text between attachments, attachments without a packet, and too many bytes are refused")
  func disorder() throws {
    let text = Array(#"52-["a"]"#.utf8)
    let plain = Array(#"2["ping"]"#.utf8)
    let blob = [UInt8](repeating: 0, count: 1_000_000)
    var one = SocketIOAssembler(bytesMax: 4_000_000)
    #expect(throws: SocketIOFault.unexpectedBinary) { _ = try one.receive(binary: blob.span) }
    var two = SocketIOAssembler(bytesMax: 4_000_000)
    _ = try two.receive(text: text.span)
    #expect(throws: SocketIOFault.unexpectedText) { _ = try two.receive(text: plain.span) }
    var three = SocketIOAssembler(bytesMax: 4_000_000)
    let many = Array(#"510-["a"]"#.utf8)
    _ = try three.receive(text: many.span)
    for _ in 0..<3 { _ = try three.receive(binary: blob.span) }
    #expect(throws: SocketIOFault.tooBig) { _ = try three.receive(binary: blob.span) }
    var four = SocketIOAssembler(bytesMax: 4_000_000)
    #expect(throws: SocketIOFault.payload) { _ = try four.receive(text: Array("2{}".utf8).span) }
  }

  // MARK: Writing

  @Test("what is written carries the namespace, the attachments and the id, and reads back")
  func writing() {
    func written(_ kind: SocketIOPacket.Kind, _ namespace: String, _ attachments: Int, _ id: Int, _ rest: String)
      -> String
    {
      EngineIOTests.written { out in
        SocketIOEncoder.begin(
          kind, namespace: Array(namespace.utf8).span, attachments: attachments, id: id, to: &out)
        out.append(string: rest)
      }
    }
    #expect(written(.event, "", 0, -1, #"["a"]"#) == #"2["a"]"#)
    #expect(written(.event, "/socket.io/", 0, -1, #"["a"]"#) == #"2/socket.io/,["a"]"#)
    #expect(written(.acknowledgement, "/ws", 0, 0, "[]") == "3/ws,0[]")
    #expect(written(.binaryEvent, "/ws", 2, -1, #"["a"]"#) == #"52-/ws,["a"]"#)
    #expect(written(.binaryAcknowledgement, "", 1, 12, "[1]") == "61-12[1]")
    let id = Array("a\"b".utf8)
    let nsp = Array("/ws".utf8)
    #expect(
      EngineIOTests.written { SocketIOEncoder.appendConnected(namespace: Span(), socketId: id.span, to: &$0) }
        == #"0{"sid":"a\"b"}"#)
    #expect(
      EngineIOTests.written { SocketIOEncoder.appendRefusal(namespace: nsp.span, "Invalid namespace", to: &$0) }
        == #"4/ws,{"message":"Invalid namespace"}"#)
    #expect(EngineIOTests.written { SocketIOEncoder.appendDisconnect(namespace: nsp.span, to: &$0) } == "1/ws,")
    #expect(EngineIOTests.written { SocketIOEncoder.appendDisconnect(namespace: Span(), to: &$0) } == "1")
  }
}
