// What the HTTP tests share: feeding bytes in pieces, and outcomes as text.

import Buffers
import Wire

/// Outcomes of the HTTP parsers as text, so that rows and runs can be compared.
enum HTTPTest {
  /// Parses the prefixes of `bytes` that end at `cuts`, then the whole (or up to `end`), and says how it came out.
  static func outcome(
    _ bytes: [UInt8], cuts: [Int] = [], end: Int? = nil, limits: HTTPLimits = HTTPLimits()
  ) -> String {
    var parser = HTTPHeadParser()
    for end in cuts + [end ?? bytes.count] {
      switch parser.parse(bytes.span.extracting(0..<end), limits: limits) {
      case .incomplete: continue
      case .complete(let head): return "complete " + describe(head)
      case .failure(let status): return "\(status.rawValue)"
      }
    }
    return "incomplete"
  }

  static func outcome(_ text: String, limits: HTTPLimits = HTTPLimits()) -> String {
    outcome(Array(text.utf8), limits: limits)
  }

  /// The first outcome that differs from that of the whole when `bytes` come in two pieces, cut anywhere, or one by
  /// one. The middle of long input, which is filler, is cut at every 13th place only.
  static func splitDisagreement(_ bytes: [UInt8], limits: HTTPLimits = HTTPLimits()) -> String? {
    let whole = outcome(bytes, limits: limits)
    for cut in 0...bytes.count {
      if cut > 300 && cut < bytes.count - 100 && cut % 13 != 0 && abs(cut - limits.headBytesMax) > 3 { continue }
      let split = outcome(bytes, cuts: [cut], limits: limits)
      if split != whole { return "cut at \(cut): \(split), whole: \(whole)" }
    }
    let single = outcome(bytes, cuts: Array(0...bytes.count), limits: limits)
    return single == whole ? nil : "one by one: \(single), whole: \(whole)"
  }

  /// The head of `text`, or nil when it is not a complete one.
  static func head(_ text: String) -> HTTPRequestHead? {
    var parser = HTTPHeadParser()
    let bytes = Array(text.utf8)
    guard case .complete(let head) = parser.parse(bytes.span, limits: HTTPLimits()) else { return nil }
    return head
  }

  static func describe(_ head: HTTPRequestHead) -> String {
    let line =
      "\(head.method) \(head.methodRange) \(head.target) \(head.path) \(head.query as Any) 1.\(head.minorVersion)"
    let fields: [Range<Int>?] = [
      head.host, head.origin, head.authorization, head.cookie, head.contentType, head.upgrade, head.secWebSocketKey,
      head.secWebSocketVersion, head.secWebSocketProtocol, head.secWebSocketExtensions, head.xForwardedFor,
      head.xForwardedProto, head.accessControlRequestMethod, head.accessControlRequestHeaders,
    ]
    let flags = [
      head.isChunked, head.keepsAlive, head.hasUpgradeWebSocket, head.connectionHasUpgrade, head.expectContinue,
      head.repeatsSecWebSocketProtocol, head.repeatsSecWebSocketExtensions,
    ]
    return "\(line) \(head.length) \(head.contentLength as Any) \(fields) \(flags)"
  }

  /// `range` of `text` as text.
  static func slice(_ text: String, _ range: Range<Int>?) -> String? {
    range.map { String(decoding: Array(text.utf8)[$0], as: UTF8.self) }
  }

  /// What `write` appends to an empty buffer.
  static func written(_ write: (inout ByteBuffer) -> Void) -> String {
    var buffer = ByteBuffer()
    write(&buffer)
    return buffer.bytes.string
  }
}
