// Which offers of permessage-deflate are taken, and what the server answers: RFC 7692 5 and 7.1 as tables.
import Buffers
import TestSeeds
import Testing

@testable import Compression

/// The extension value of the response to one header line; nil when every offer in it is declined.
private func answer(_ line: String, _ policy: DeflatePolicy = DeflatePolicy()) -> String? {
  let bytes = Array(line.utf8)
  guard let parameters = DeflateNegotiation.choose(bytes.span, policy) else { return nil }
  var out = ByteBuffer()
  DeflateNegotiation.appendResponse(parameters, to: &out)
  return out.bytes.string
}

@Suite("Negotiation of permessage-deflate")
struct NegotiationTests {
  private static let plain = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"

  /// Lines that get the default answer and `extra`.
  private static let accepted: [(line: String, extra: String)] = [
    ("permessage-deflate", ""),
    ("  permessage-deflate\t", ""),
    ("Permessage-Deflate", ""),
    (",, ,permessage-deflate,,", ""),
    ("permessage-deflate; client_max_window_bits", ""),
    ("permessage-deflate;client_max_window_bits", ""),
    ("permessage-deflate ; \t client_max_window_bits ", ""),
    ("permessage-deflate; Client_Max_Window_Bits", ""),
    ("permessage-deflate; client_no_context_takeover", ""),
    ("permessage-deflate; server_no_context_takeover", ""),
    ("permessage-deflate; client_no_context_takeover; server_no_context_takeover", ""),
    ("permessage-deflate; server_no_context_takeover; client_max_window_bits; client_no_context_takeover", ""),
    // Window sizes.
    ("permessage-deflate; server_max_window_bits=9", "; server_max_window_bits=9"),
    ("permessage-deflate; server_max_window_bits=10", "; server_max_window_bits=10"),
    ("permessage-deflate; server_max_window_bits=12", "; server_max_window_bits=12"),
    ("permessage-deflate; server_max_window_bits=15", "; server_max_window_bits=12"),
    ("permessage-deflate; server_max_window_bits=\"10\"", "; server_max_window_bits=10"),
    ("permessage-deflate; server_max_window_bits=\"1\\0\"", "; server_max_window_bits=10"),
    ("permessage-deflate; server_max_window_bits = 10", "; server_max_window_bits=10"),
    ("permessage-deflate; client_max_window_bits=8", ""),
    ("permessage-deflate; client_max_window_bits=\"8\"", ""),
    ("permessage-deflate; client_max_window_bits=9", "; client_max_window_bits=9"),
    ("permessage-deflate; client_max_window_bits=15", "; client_max_window_bits=15"),
    (
      "permessage-deflate; server_max_window_bits=12; client_max_window_bits=12",
      "; server_max_window_bits=12; client_max_window_bits=12"
    ),
    // What a conformance suite's client sends.
    (
      "permessage-deflate; client_no_context_takeover; client_max_window_bits; server_no_context_takeover; "
        + "server_max_window_bits=9", "; server_max_window_bits=9"
    ),
    (
      "permessage-deflate; client_max_window_bits; server_no_context_takeover; server_max_window_bits=9, "
        + "permessage-deflate; client_max_window_bits; server_no_context_takeover, "
        + "permessage-deflate; client_max_window_bits", "; server_max_window_bits=9"
    ),
    // RFC 7692 7.1.3, and other orders of preference.
    ("permessage-deflate; client_max_window_bits; server_max_window_bits=10", "; server_max_window_bits=10"),
    (
      "permessage-deflate; client_max_window_bits; server_max_window_bits=10, permessage-deflate; client_max_window_bits",
      "; server_max_window_bits=10"
    ),
    ("permessage-deflate; server_max_window_bits=8, permessage-deflate", ""),
    (
      "permessage-deflate; server_max_window_bits=8,permessage-deflate;server_max_window_bits=9",
      "; server_max_window_bits=9"
    ),
    ("permessage-deflate; use_y, permessage-deflate", ""),
    (
      "permessage-deflate; server_max_window_bits=16, permessage-deflate; server_max_window_bits=11",
      "; server_max_window_bits=11"
    ),
    // Other extensions are passed over, with the commas in their quoted values.
    ("x-webkit-deflate-frame, permessage-deflate; client_max_window_bits", ""),
    ("permessage-bzip2; level=9, permessage-deflate", ""),
    ("foo; a=\"x, y\"; b, permessage-deflate", ""),
    ("foo; a=\"\\\", permessage-deflate; server_max_window_bits=9, \"; b, permessage-deflate", ""),
    ("permessage-deflate; server_max_window_bits=\"9, permessage-deflate;\", permessage-deflate", ""),
    ("foo bar baz, permessage-deflate", ""),
    ("=, ;, \u{1}, permessage-deflate", ""),
    ("permessage-deflate; =3, permessage-deflate; server_max_window_bits=13", "; server_max_window_bits=12"),
  ]

  @Test("offers that can be honoured get the parameters they ask for", arguments: accepted)
  func accepts(row: (line: String, extra: String)) {
    #expect(answer(row.line) == Self.plain + row.extra)
  }

  @Test(
    "a client's window is kept where the policy is to keep it, unless the client gives it up",
    arguments: [
      ("permessage-deflate", ""), ("permessage-deflate; client_no_context_takeover", "; client_no_context_takeover"),
      // A window larger than the policy's is limited where the client lets it be, and else kept as large as it is.
      ("permessage-deflate; client_max_window_bits", "; client_max_window_bits=12"),
      ("permessage-deflate; client_max_window_bits=15", "; client_max_window_bits=12"),
      ("permessage-deflate; client_max_window_bits=10", "; client_max_window_bits=10"),
      ("permessage-deflate; server_max_window_bits=10", "; server_max_window_bits=10"),
    ])
  func keepsClientContext(line: String, extra: String) {
    let policy = DeflatePolicy(keepsClientContext: true)
    #expect(answer(line, policy) == "permessage-deflate; server_no_context_takeover" + extra)
  }

  private static let declined: [String] = [
    "", " ", ",", ",,,,", ";", "=", "\"", "\\", "\"\\",
    "permessage", "permessage-deflat", "permessage-deflatee", "permessage-deflate2", "deflate", "x-permessage-deflate",
    "\"permessage-deflate\"", "permessage-deflate=1", "permessage-deflate foo", "permessage-deflate/1",
    "permessage-deflate;", "permessage-deflate; ;", "permessage-deflate;; client_max_window_bits",
    "permessage-deflate; client_max_window_bits;",
    "permessage-deflate; client_max_window_bits server_no_context_takeover",
    "permessage-deflate; use_y", "permessage-deflate; mode=best", "permessage-deflate; server_max_window_bit=10",
    // Values where none may be, and none where one must be.
    "permessage-deflate; server_no_context_takeover=1", "permessage-deflate; server_no_context_takeover=true",
    "permessage-deflate; client_no_context_takeover=\"\"", "permessage-deflate; client_no_context_takeover=",
    "permessage-deflate; server_max_window_bits", "permessage-deflate; server_max_window_bits=",
    "permessage-deflate; client_max_window_bits=", "permessage-deflate; client_max_window_bits=\"\"",
    // The window of 256 bytes that zlib cannot write.
    "permessage-deflate; server_max_window_bits=8",
    // Parameters twice.
    "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
    "permessage-deflate; client_no_context_takeover; client_no_context_takeover",
    "permessage-deflate; server_max_window_bits=10; server_max_window_bits=10",
    "permessage-deflate; client_max_window_bits; client_max_window_bits=10",
    "permessage-deflate; client_max_window_bits=10; client_max_window_bits",
    // Quotes that do not close, or hold what is no token.
    "permessage-deflate; server_max_window_bits=\"10", "permessage-deflate; server_max_window_bits=\"10\\",
    "permessage-deflate; server_max_window_bits=\"10 \"", "permessage-deflate; server_max_window_bits=\"1\"0",
    "permessage-deflate; server_max_window_bits=\"10, permessage-deflate",
    "foo; a=\"b, permessage-deflate",
  ]

  @Test("other offers are declined", arguments: declined)
  func declines(line: String) {
    #expect(answer(line) == nil)
  }

  @Test(
    "a window size that is not a plain number from 8 to 15 declines its offer only",
    arguments: [
      "0", "1", "7", "16", "17", "99", "99999", "018", "08", "09", "010", "0010", "+9", "-9", "9.0", "0x9", "9a", "a9",
      "1e1",
      "256", "265", "18446744073709551625", "184467440737095516160000000000000010", "\"16\"", "\"09\"", "\" 9\"", "'9'",
    ])
  func windowSizes(value: String) {
    for name in ["server_max_window_bits", "client_max_window_bits"] {
      #expect(answer("permessage-deflate; \(name)=\(value)") == nil)
      #expect(answer("permessage-deflate; \(name)=\(value), permessage-deflate") == Self.plain)
    }
  }

  @Test(
    "a server that keeps windows keeps them only as large as it may",
    arguments: [
      ("permessage-deflate", "; client_no_context_takeover"),
      ("permessage-deflate; client_max_window_bits", "; client_max_window_bits=11"),
      ("permessage-deflate; client_max_window_bits=15", "; client_max_window_bits=11"),
      ("permessage-deflate; client_max_window_bits=10", "; client_max_window_bits=10"),
      ("permessage-deflate; client_max_window_bits=8", ""),
      (
        "permessage-deflate; client_no_context_takeover; client_max_window_bits", "; client_no_context_takeover"
      ),
      (
        "permessage-deflate; server_no_context_takeover; client_max_window_bits",
        "; server_no_context_takeover; client_max_window_bits=11"
      ),
      (
        "permessage-deflate; server_max_window_bits=14; client_max_window_bits",
        "; server_max_window_bits=11; client_max_window_bits=11"
      ),
    ])
  func takeover(line: String, extra: String) {
    let policy = DeflatePolicy(allowsContextTakeover: true, windowBitsMax: 11)
    #expect(answer(line, policy) == "permessage-deflate" + extra)
  }

  @Test("a server that may keep full windows has nothing to ask of a client")
  func fullTakeover() {
    let policy = DeflatePolicy(allowsContextTakeover: true, windowBitsMax: 15)
    #expect(answer("permessage-deflate", policy) == "permessage-deflate")
    #expect(answer("permessage-deflate; client_max_window_bits", policy) == "permessage-deflate")
  }

  @Test("parameters with the same server window share one index")
  func index() {
    for bits: UInt8 in 0...255 {
      let parameters = DeflateParameters(serverMaxWindowBits: bits)
      #expect(parameters.index == min(max(Int(bits), 9), 15) - 9)
      #expect((0..<DeflateParameters.indexCount).contains(parameters.index))
    }
    let bits = Array("permessage-deflate; client_max_window_bits=8".utf8)
    #expect(DeflateNegotiation.choose(bits.span, DeflatePolicy())?.clientMaxWindowBits == 9)
  }

  @Test(
    "a hostile line costs a few steps a byte",
    arguments: [
      ",", ";", "=", "\"", "\\", " ", "\t", "a", "\u{1}", "\"\\", "\",", "permessage-deflate,", "permessage-deflate;",
      "permessage-deflate;;", "permessage-deflate; server_max_window_bits=99999, ", "permessage-deflate; a=\"b\\\"c, ",
      "permessage-deflate; server_no_context_takeover; server_no_context_takeover, ", "permessage-deflate; x=\"",
      "permessage-deflate; server_max_window_bits=8, ", "; client_max_window_bits", "permessage-deflate ", "p,", "\" ,",
    ])
  func linear(piece: String) {
    for bytes in [8 << 10, 64 << 10] {
      for head in ["", "permessage-deflate", "permessage-deflate; client_max_window_bits", "x; y=\""] {
        let line = Array((head + String(repeating: piece, count: bytes / piece.utf8.count)).utf8)
        var scanner = ExtensionScanner(line.span)
        // A thousand offers that are no good: only a line that begins with a good one before a comma is accepted.
        let parameters = DeflateNegotiation.choose(&scanner, line.span, DeflatePolicy())
        #expect(scanner.steps <= 4 * line.count + 16)
        #expect(parameters == nil || line.starts(with: "permessage-deflate".utf8))
      }
    }
  }

  @Test("random lines made of the grammar's parts are read in linear time and answered within the rules")
  func random() {
    var random = SeededRandom("offers")
    let parts = [
      "permessage-deflate", "; ", ";", ", ", "=", "\"", "\\", "8", "9", "10", "15", "16", "0", " ",
      "server_max_window_bits",
      "client_max_window_bits", "server_no_context_takeover", "client_no_context_takeover", "foo", "\u{0}", "é",
      "\u{7F}",
    ]
    for _ in 0..<20_000 {
      var text = random.below(2) == 0 ? "permessage-deflate; " : ""
      for _ in 0..<random.below(14) { text += parts[random.below(parts.count)] }
      let line = Array(text.utf8)
      var scanner = ExtensionScanner(line.span)
      let policy = DeflatePolicy(allowsContextTakeover: random.below(2) == 0)
      let chosen = DeflateNegotiation.choose(&scanner, line.span, policy)
      #expect(scanner.steps <= 4 * line.count + 16, "seed \(random.seed): \(text)")
      guard let chosen else { continue }
      #expect(9...12 ~= chosen.serverMaxWindowBits && 9...15 ~= chosen.clientMaxWindowBits)
      #expect(!chosen.namesClientMaxWindowBits || text.contains("client_max_window_bits"))
      #expect(!chosen.namesServerMaxWindowBits || text.contains("server_max_window_bits"))
      #expect(policy.allowsContextTakeover || (chosen.serverNoContextTakeover && chosen.clientNoContextTakeover))
    }
  }
}
