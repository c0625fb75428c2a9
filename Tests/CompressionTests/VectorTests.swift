// Payloads that other programs wrote: the examples of RFC 7692 7.2.3, and what Python's zlib module makes of a known text.
import Testing

@testable import Compression

@Suite("Payloads written by others")
struct VectorTests {
  static let hello = Array("Hello".utf8)

  @Test(
    "the examples of RFC 7692 7.2.3 are read",
    arguments: [
      ["f2 48 cd c9 c9 07 00"], ["f2 48 cd", "c9 c9 07 00"], ["00 05 00 fa ff 48 65 6c 6c 6f 00"],
      ["f3 48 cd c9 c9 07 00 00"], ["f2 48 05 00 00 00 ff ff ca c9 c9 07 00"],
    ])
  func examples(parts: [String]) {
    for keepsContext in [false, true] {
      var inflater = Inflater(contextTakeover: keepsContext)
      for _ in 0..<3 {
        let back = inflater.parts(parts.map { hex($0)[...] })
        #expect(back.outcome == .ok && back.bytes == Self.hello)
      }
    }
  }

  @Test("the second Hello of RFC 7692 7.2.3.2 needs the first, also when that ended with a final block")
  func sharedWindow() {
    for first in ["f2 48 cd c9 c9 07 00", "f3 48 cd c9 c9 07 00 00"] {
      var keeping = Inflater(contextTakeover: true)
      #expect(keeping.message(hex(first)).bytes == Self.hello)
      let second = keeping.message(hex("f2 00 11 00 00"))
      #expect(second.outcome == .ok && second.bytes == Self.hello)
      var forgetting = Inflater()
      #expect(forgetting.message(hex(first)).bytes == Self.hello)
      // An H of its own, and then a reference to bytes that are no longer there.
      #expect(forgetting.message(hex("f2 00 11 00 00")) == (.corrupt, [0x48]))
    }
  }

  @Test("empty messages are read: the byte 00, no byte at all, and in several parts")
  func empty() {
    for keepsContext in [false, true] {
      var inflater = Inflater(contextTakeover: keepsContext)
      for parts: [ArraySlice<UInt8>] in [
        [[0x00]], [[]], [[], [0x00]], [[0x00], []], [[], []], [[0x02, 0x00]], [[0x01]],
      ] {
        #expect(inflater.parts(parts) == (.ok, []))
      }
      #expect(inflater.message(hex("f2 48 cd c9 c9 07 00")).bytes == Self.hello)
    }
  }

  /// The text that the payloads below hold.
  static let text: [UInt8] = (0..<12).flatMap {
    Array(
      "{\"id\":\($0),\"channel\":\"room-\($0 % 7)\",\"text\":\"The quick brown fox jumps over the lazy dog\"},".utf8)
  }

  @Test("what Python's zlib wrote is read, whatever its settings", arguments: payloads)
  func python(payload: (windowBits: UInt8, text: String)) {
    for bits in [payload.windowBits, 15] {
      var inflater = Inflater(windowBits: bits)
      let back = inflater.message(hex(payload.text))
      #expect(back.outcome == .ok && back.bytes == Self.text)
    }
  }

  @Test("what Python's zlib wrote with a kept window is read in order, and not without the first message")
  func pythonTakeover() {
    var keeping = Inflater(windowBits: 11, contextTakeover: true)
    for (text, payload) in Self.sequence {
      let back = keeping.message(hex(payload))
      #expect(back.outcome == .ok && back.bytes == Array(text.utf8))
    }
    var late = Inflater(windowBits: 11, contextTakeover: true)
    #expect(late.message(hex(Self.sequence[1].payload)).outcome == .corrupt)
  }

  static let sequence: [(text: String, payload: String)] = [
    (#"{"price":101.5,"symbol":"ABC"}"#, "aa562a28ca4c4e55b2323430d433d5512aaecc4dcacf51b25272747256aa0500"),
    (#"{"price":101.7,"symbol":"ABC"}"#, "aa46963547970500"),
    (#""#, "00"),
    (#"{"price":99.25,"symbol":"XYZ"}"#, "82cb5a5aea1921eb8d888c52aa0500"),
  ]

  /// With level and memory level 1, 1; 1, 5; 1, 8; the same with 6 and 9; fixed codes; no matches; runs only; a final block.
  static let payloads: [(windowBits: UInt8, text: String)] = [
    (
      9,
      """
      a4cc4d0e82400c40e1ab345d63327fa0720e2f80300a0a531c0745897797b8edce2e5f5ef22dd83558aa0cebb60ac1f75862241a360a334c
      7e4e6b1f5a0fb7a9abaf708cf40c70a2192ed330de811e3e425a775fbd5fd0d0193fd9f2033503b50c340c3432d032d0ca40c74027037306
      e632b060602103b70c543270c7402d03f70c3432502b265aa1a899e8fe15bf00
      """
    ),
    (
      12,
      """
      a4d34d0e82400c86e1ab345d63c2f0a7720e2f80300a0a531c0745897797b8fd7676d9347956efb770d77019475cb79573b6e792bdc8b089
      39e260e7b0de87d6d26deaea2b1dbd3c1d9d64a6cb348c779287f514d6775fbd5fd4c8993fd1f2030d8046072600263a300530d581198099
      0ecc01cc75600160a103b7002ab3d901a8cc660fa0321b8353517663702b7f87f305
      """
    ),
    (
      15,
      """
      a4d34d0e82400c86e1ab345d63c2f0a7720e2f80300a0a531c0745897797b8fd7676d9347956efb770d77019475cb79573b6e792bdc8b089
      39e260e7b0de87d6d26deaea2b1dbd3c1d9d64a6cb348c779287f514d6775fbd5fd4c8993fd1f2030d8046072600263a300530d581198099
      0ecc01cc75600160a103b7002ab3d901a8cc660fa0321b8353517663702b7f87f305
      """
    ),
    (
      9,
      """
      a4cc4d0e82400c40e1ab345d63327fa0720e2f80300a0a531c0745897797b8edce2e5f5ef22dd83558aa0cebb60ac1f75862241a360a334c
      7e4e6b1f5a0fb7a9abaf708cf40c70a2192ed330de811e3e425a775fbd5fd0d0193fd9f2033503b50c340c3432d032d0ca40c74027037306
      e632b060602103b70c543270c7402d03f70c3432502b265aa1a899e8fe15bf00
      """
    ),
    (
      12,
      """
      acd34d0e82400c86e1ab345d8f09c39fca39bc00c228284c711c7e94787789dbeeec2c9b26cfeafd566c6b2c228555535a6b3a2cd011f5bb
      08157ab3f8ed3e35061e635bdde1ec68b670a1056e633f3c8126e3c06fefae7cbfa0a62b7ed4fa033503b50c8c1918cbc08481890c4c1998
      cac08c81990ccc1998cbc07de86c0ea1b33986ce46f3a908bbd17c2b7f87f305
      """
    ),
    (
      15,
      """
      acd34d0e82400c86e1ab345d8f09c39fca39bc00c228284c711c7e94787789dbeeec2c9b26cfeafd566c6b2c228555535a6b3a2cd011f5bb
      08157ab3f8ed3e35061e635bdde1ec68b670a1056e633f3c8126e3c06fefae7cbfa0a62b7ed4fa033503b50c8c1918cbc08481890c4c1998
      cac08c81990ccc1998cbc07de86c0ea1b33986ce46f3a908bbd17c2b7f87f305
      """
    ),
    (
      9,
      """
      a4cc4d0e82400c40e1ab345d63327fa0720e2f80300a0a531c0745897797b8edce2e5f5ef22dd83558aa0cebb60ac1f75862241a360a334c
      7e4e6b1f5a0fb7a9abaf708cf40c70a2192ed330de811e3e425a775fbd5fd0d0193fd9f2033503b50c340c3432d032d0ca40c74027037306
      e632b060602103b70c543270c7402d03f70c3432502b265aa1a899e8fe15bf00
      """
    ),
    (
      12,
      """
      acd24d0e82301086e1ab4c665d92963f95737801842a2874b41641897797b89de574f9e54b9ed5bb62df62a515365ded9c1db0424f34261a
      1506bb846d1f3b0b8fa96f6e70f2343b38d302d769bc3f815ed643d8eea1febca1a50b7ed5fa070d038d0c4c1998cac08c81990ccc1998cb
      c08281850c2c1958cac05dec6cf6b1b339c4cec6e8d8dd18132f9c1f00
      """
    ),
    (
      15,
      """
      acd24d0e82301086e1ab4c665d92963f95737801842a2874b41641897797b89de574f9e54b9ed5bb62df62a515365ded9c1db0424f34261a
      1506bb846d1f3b0b8fa96f6e70f2343b38d302d769bc3f815ed643d8eea1febca1a50b7ed5fa070d038d0c4c1998cac08c81990ccc1998cb
      c08281850c2c1958cac05dec6cf6b1b339c4cec6e8d8dd18132f9c1f00
      """
    ),
    (
      10,
      """
      aa56ca4c51b232d0514ace48cccb4bcd51b2522acacfcfd53550d2512a49ad2801f2433252150a4b3393b315928af2cbf314d2f22b14b24a
      730b8a15f2cb528b144a80d2398955950a29f9e94ab53ad560030d310c34a4cc40230c038d2833d018c34063ca0c34c130d08432034d310c
      34a5cc40330c03cd2833d09cdac9c682dac9c692dac9c6d080dae9c6d0907a090700
      """
    ),
    (
      10,
      """
      04c15b92ad281005d0a964ec6f8ca85355f77637e370020aa9a0402a82cf70eebdd6036fa1bf148ceb52e2008d2c129b2f28143e0b345ac7
      b4566f66eab31c89063969aa71d94876ce541c53e8ee8bac8c78d5036fa13f0ac675297180461689cd070a85cf028dd631add59b99fa2c47
      a2414e9a6a5c36929d3315c714bafb222b235ef5c05be86f05e3ba943840238bc4e61b0a85cf028dd631add59b99fa2c47a2414e9a6a5c36
      929d3315c714bafb222b235ef5c05be81f05e3ba943840238bc4e6070a85cf028dd631add59b99fa2c47a2414e9a6a5c36929d3315c714ba
      fb222b235ef5c05be85f05e3ba943840238bc4e6170a85cf028dd631add59b99fa2c47a2414e9a6a5c36929d3315c714bafb222b235ef5c0
      5be83f0ac675297180461689cd1f28143e0b345ac7b4566f66eab31c89063969aa71d94876ce541c53e8ee8bac8c78d5036fa1ff2a18d7a5
      c4011a5924367fa150f82cd0681dd35abd99a9cf72241ae4a4a9c66523d93953714ca1bb2fb232e2550fbc85fe47c1b82e250ed0c822b1f9
      8242e1b340a3754c6bf566a63ecb91689093a61a978d64e74cc53185eebec8ca88573df016fa5f05e3ba943840238bc4e60385c2678146eb
      98d6eacd4c7d9623d120274d352e1bc9ce998a630add7d919511af7ae02df47f0ac675297180461689cd37140a9f051aad635aab3733f559
      8e44839c34d5b86c243b672a8e2974f7455646bcea81b7d09f2f05e3ba943840238bc4e6070a85cf028dd631add59b99fa2c47a2414e9a6a
      5c36929d3315c714bafb222b235ef5c05be8cf47c1b82e250ed0c822b1f98542e1b340a3754c6bf566a63ecb91689093a61a978d64e74cc5
      3185eebec8ca8857fd0f
      """
    ),
    (
      10,
      """
      04c15b92ad281005d0a964ec6f8ca85355f77637e370020aa9a0402a82cf70eebdd6036fa1bf148ceb52e2008d2c129b2f28143e0b345ac7
      b4566f66eab31c89063969aa71d94876ce541c53e8ee8bac8c78d5036fa13f0ac675297180461689cd070a85cf028dd631add59b99fa2c47
      a2414e9a6a5c36929d3315c714bafb222b235ef5c05be86f05e3ba943840238bc4e61b0a85cf028dd631add59b99fa2c47a2414e9a6a5c36
      929d3315c714bafb222b235ef5c05be81f05e3ba943840238bc4e6070a85cf028dd631add59b99fa2c47a2414e9a6a5c36929d3315c714ba
      fb222b235ef5c05be85f05e3ba943840238bc4e6170a85cf028dd631add59b99fa2c47a2414e9a6a5c36929d3315c714bafb222b235ef5c0
      5be83f0ac675297180461689cd1f28143e0b345ac7b4566f66eab31c89063969aa71d94876ce541c53e8ee8bac8c78d5036fa1ff2a18d7a5
      c4011a5924367fa150f82cd0681dd35abd99a9cf72241ae4a4a9c66523d93953714ca1bb2fb232e2550fbc85fe47c1b82e250ed0c822b1f9
      8242e1b340a3754c6bf566a63ecb91689093a61a978d64e74cc53185eebec8ca88573df016fa5f05e3ba943840238bc4e60385c2678146eb
      98d6eacd4c7d9623d120274d352e1bc9ce998a630add7d919511af7ae02df47f0ac675297180461689cd37140a9f051aad635aab3733f559
      8e44839c34d5b86c243b672a8e2974f7455646bcea81b7d09f2f05e3ba943840238bc4e6070a85cf028dd631add59b99fa2c47a2414e9a6a
      5c36929d3315c714bafb222b235ef5c05be8cf47c1b82e250ed0c822b1f98542e1b340a3754c6bf566a63ecb91689093a61a978d64e74cc5
      3185eebec8ca8857fd0f
      """
    ),
    (
      15,
      """
      add24d0e82301086e1ab4c665d92963f95737801842a2874b41641897797b89de574f9e54b9ed5bb62df62a515365ded9c1db0424f34261a
      1506bb846d1f3b0b8fa96f6e70f2343b38d302d769bc3f815ed643d8eea1febca1a50b7ed5fa070d038d0c4c1998cac08c81990ccc1998cb
      c08281850c2c1958cac05dec6cf6b1b339c4cec6e8d8dd18132f9c1f00
      """
    ),
  ]
}
