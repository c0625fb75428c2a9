// The HTTP head parser: the outcome must not depend on how the bytes arrive, and what it accepts must be what a plain
// reading of the lines finds.

import Buffers
import TestSeeds
import Wire

enum HTTPHeadFuzz {
  /// Byte 0: the limits, the default ones below 0x40; the rest is the stream.
  static func run(_ bytes: Span<UInt8>) throws(FuzzFailure) {
    guard bytes.count > 0 else { return }
    var limits = HTTPLimits()
    if bytes[0] >= 0x40 {
      limits.headBytesMax = 32 + Int(bytes[0] & 0x1F) * 8
      limits.headerCountMax = Int(bytes[0] & 7)
      limits.targetBytesMax = Int(bytes[0] & 0x0F) * 2
    }
    let stream = bytes.extracting(1..<bytes.count)
    let whole = outcome(stream, [], limits)
    if case .complete(let head) = whole.outcome { try check(head, stream, limits) }

    let bytewise = outcome(stream, Array(0..<min(stream.count, 4096)), limits)
    try require(bytewise == whole, "byte by byte: \(bytewise.summary)\nwhole: \(whole.summary)")
    var random = SeededRandom(seed: bytes.fingerprint)
    for cut in stream.count <= 24 ? Array(0..<stream.count) : (0..<6).map({ _ in random.below(stream.count) }) {
      let split = outcome(stream, [cut], limits)
      try require(split == whole, "cut at \(cut): \(split.summary)\nwhole: \(whole.summary)")
    }
  }

  private struct Result: Equatable {
    var outcome: HTTPHeadParser.Outcome
    var summary: [Int]
    static func == (left: Result, right: Result) -> Bool { left.summary == right.summary }
  }

  /// Parses the prefixes that end at `cuts`, then the whole.
  private static func outcome(_ bytes: Span<UInt8>, _ cuts: [Int], _ limits: HTTPLimits) -> Result {
    var parser = HTTPHeadParser()
    for end in cuts + [bytes.count] {
      switch parser.parse(bytes.extracting(0..<end), limits: limits) {
      case .incomplete: continue
      case .complete(let head): return Result(outcome: .complete(head), summary: summary(head))
      case .failure(let status): return Result(outcome: .failure(status), summary: [Int(status.rawValue)])
      }
    }
    return Result(outcome: .incomplete, summary: [])
  }

  private static func fields(_ head: HTTPRequestHead) -> [Range<Int>?] {
    [
      head.methodRange, head.target, head.path, head.query, head.host, head.origin, head.authorization, head.cookie,
      head.contentType, head.upgrade, head.secWebSocketKey, head.secWebSocketVersion, head.secWebSocketProtocol,
      head.secWebSocketExtensions, head.xForwardedFor, head.xForwardedProto, head.accessControlRequestMethod,
      head.accessControlRequestHeaders,
    ]
  }

  private static func summary(_ head: HTTPRequestHead) -> [Int] {
    var numbers = [Int(head.method.rawValue), head.minorVersion, head.length, head.contentLength ?? -1]
    for flag in [
      head.isChunked, head.connectionHasClose, head.connectionHasKeepAlive, head.connectionHasUpgrade,
      head.hasUpgradeWebSocket, head.expectContinue, head.repeatsSecWebSocketProtocol,
      head.repeatsSecWebSocketExtensions,
    ] { numbers.append(flag ? 1 : 0) }
    for field in fields(head) {
      numbers.append(field?.lowerBound ?? -1)
      numbers.append(field?.upperBound ?? -1)
    }
    return numbers
  }

  /// Reads an accepted head again, line by line.
  private static func check(_ head: HTTPRequestHead, _ bytes: Span<UInt8>, _ limits: HTTPLimits) throws(FuzzFailure) {
    try require(head.length <= min(bytes.count, limits.headBytesMax), "length \(head.length)")
    let text = bytes.extracting(0..<head.length).array
    for field in fields(head).compactMap({ $0 }) {
      try require(field.lowerBound >= 0 && field.upperBound <= head.length, "field at \(field)")
    }
    for (index, byte) in text.enumerated() where byte < 0x20 || byte == 0x7F {
      let isLineEnd =
        byte == 0x0D && text[index + 1] == 0x0A || byte == 0x0A && index > 0 && text[index - 1] == 0x0D
      try require(byte == 0x09 || isLineEnd, "control character at \(index)")
    }
    var lines = text.split(separator: 0x0A, omittingEmptySubsequences: false).map { $0.dropLast() }
    try require(lines.count >= 3 && lines.removeLast().isEmpty && lines.removeLast().isEmpty, "no blank line")
    var skipped = 0
    while lines.first?.isEmpty == true {
      lines.removeFirst()
      skipped += 1
    }
    try require(skipped <= HTTPLimits.leadingEmptyLinesMax, "\(skipped) empty lines")
    let request = lines.removeFirst().split(separator: 0x20, omittingEmptySubsequences: false)
    try require(request.count == 3, "request line of \(request.count) words")
    try require(text[head.methodRange].elementsEqual(request[0]), "method \(head.methodRange)")
    try require(text[head.target].elementsEqual(request[1]), "target \(head.target)")
    try require(head.target.count <= limits.targetBytesMax, "target of \(head.target.count)")
    try require(request[2].elementsEqual("HTTP/1.\(head.minorVersion)".utf8), "version")
    try require(lines.count <= limits.headerCountMax, "\(lines.count) header lines")
    try checkFields(head, bytes, text, lines)
    try checkTarget(head, bytes, text)
    if case .accept(let key) = WebSocketUpgrade.check(head, bytes) {
      try require(head.method == .get && head.minorVersion == 1 && !head.hasBody, "a handshake it should refuse")
      try require(key.count == 24 && head.hasUpgradeWebSocket && head.connectionHasUpgrade, "key at \(key)")
    }
  }

  private static func checkFields(
    _ head: HTTPRequestHead, _ bytes: Span<UInt8>, _ text: [UInt8], _ lines: [ArraySlice<UInt8>]
  ) throws(FuzzFailure) {
    var values: [String: [Range<Int>]] = [:]
    var iterator = HTTPHeaderIterator(head)
    for line in lines {
      guard let colon = line.firstIndex(of: 0x3A), colon > line.startIndex else {
        throw FuzzFailure(description: "a line without a name at \(line.startIndex)")
      }
      let name = line[..<colon]
      let isToken = name.allSatisfy { $0 > 0x20 && $0 < 0x7F && !"\"(),/:;<=>?@[\\]{}".utf8.contains($0) }
      try require(isToken, "name at \(line.startIndex)")
      var value = line[(colon + 1)...]
      while let byte = value.first, byte == 0x20 || byte == 0x09 { value.removeFirst() }
      while let byte = value.last, byte == 0x20 || byte == 0x09 { value.removeLast() }
      let range = value.startIndex..<value.endIndex
      values[String(decoding: name, as: UTF8.self).lowercased(), default: []].append(range)
      guard let next = iterator.next(in: bytes) else { throw FuzzFailure(description: "the iterator ends early") }
      try require(next.name == name.startIndex..<name.endIndex, "iterator: name at \(next.name)")
      try require(text[next.value].elementsEqual(value), "iterator: value at \(next.value)")
    }
    try require(iterator.next(in: bytes) == nil, "the iterator goes on")

    for name in ["host", "origin", "authorization", "content-type", "content-length", "transfer-encoding"] {
      try require((values[name] ?? []).count <= 1, "two lines of \(name)")
    }
    let first: [(String, Range<Int>?)] = [
      ("origin", head.origin), ("authorization", head.authorization), ("cookie", head.cookie),
      ("content-type", head.contentType), ("upgrade", head.upgrade), ("sec-websocket-key", head.secWebSocketKey),
      ("sec-websocket-version", head.secWebSocketVersion), ("sec-websocket-protocol", head.secWebSocketProtocol),
      ("sec-websocket-extensions", head.secWebSocketExtensions),
    ]
    for (name, field) in first { try same(text, field, values[name]?.first, name) }
    try same(text, head.xForwardedFor, values["x-forwarded-for"]?.last, "x-forwarded-for")
    try same(text, head.xForwardedProto, values["x-forwarded-proto"]?.last, "x-forwarded-proto")
    try require(head.minorVersion == 0 || values["host"] != nil, "HTTP/1.1 without Host")

    let length = values["content-length"]?.first.map { String(decoding: text[$0], as: UTF8.self) }
    try require(head.contentLength == length.flatMap { Int($0) }, "content length")
    try require(length == nil || length?.utf8.allSatisfy { $0 >= 0x30 && $0 <= 0x39 } == true, "content length")
    try require(head.isChunked == (values["transfer-encoding"] != nil), "chunked")
    try require(!(head.isChunked && length != nil), "content length and transfer encoding")
    let options = words(text, values["connection"] ?? [])
    try require(head.connectionHasClose == options.contains("close"), "close")
    try require(head.connectionHasUpgrade == options.contains("upgrade"), "upgrade")
    try require(head.connectionHasKeepAlive == options.contains("keep-alive"), "keep-alive")
    try require(head.hasUpgradeWebSocket == words(text, values["upgrade"] ?? []).contains("websocket"), "websocket")
  }

  /// An empty value may lie anywhere in its line.
  private static func same(
    _ text: [UInt8], _ field: Range<Int>?, _ expected: Range<Int>?, _ name: String
  ) throws(FuzzFailure) {
    let agrees = field == expected || (field?.isEmpty == true && expected?.isEmpty == true)
    try require(agrees, "\(name) at \(String(describing: field)), reference \(String(describing: expected))")
  }

  /// The elements of comma-separated lists, in lower case.
  private static func words(_ text: [UInt8], _ values: [Range<Int>]) -> [String] {
    values.flatMap { text[$0].split(separator: 0x2C) }.map { element in
      let bare = element.drop { $0 == 0x20 || $0 == 0x09 }
      let end = bare.lastIndex { $0 != 0x20 && $0 != 0x09 }.map { $0 + 1 } ?? bare.startIndex
      return String(decoding: bare[bare.startIndex..<end], as: UTF8.self).lowercased()
    }
  }

  private static func checkTarget(
    _ head: HTTPRequestHead, _ bytes: Span<UInt8>, _ text: [UInt8]
  ) throws(FuzzFailure) {
    let path = text[head.path]
    for (name, served) in [("/", "/"), ("/ws", "/ws"), ("/a/b", "/a/b")] {
      let decoded = String(decoding: unescaped(path, keepsSlash: true), as: UTF8.self)
      let isSame = decoded == name || (path.isEmpty && name == "/")
      let found = HTTPPath.matches(bytes, head.path, Array(served.utf8).span)
      try require(found == isSame, "path \(decoded) and \(name): \(found)")
    }
    guard let query = head.query else { return }
    var expected: [UInt8]?
    for pair in text[query].split(separator: 0x26, omittingEmptySubsequences: true) where expected == nil {
      let parts = pair.split(separator: 0x3D, maxSplits: 1, omittingEmptySubsequences: false)
      if unescaped(plus(parts[0])) == Array("token".utf8) {
        expected = parts.count > 1 ? unescaped(plus(parts[1])) : []
      }
    }
    var value = ByteBuffer()
    let isFound = HTTPQuery.value(of: "token", in: bytes, query: query, into: &value)
    try require(isFound == (expected?.isEmpty == false), "token in the query: \(isFound)")
    try require(!isFound || value.bytes.array == expected, "token: \(value.bytes.array)")
  }

  private static func plus(_ text: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    ArraySlice(text.map { $0 == 0x2B ? 0x20 : $0 })
  }

  private static func unescaped(_ text: ArraySlice<UInt8>, keepsSlash: Bool = false) -> [UInt8] {
    var out: [UInt8] = []
    var rest = text
    while let byte = rest.popFirst() {
      let code =
        byte == 0x25 && rest.count >= 2 ? UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) : nil
      if let code, !(keepsSlash && code == 0x2F) {
        out.append(code)
        rest = rest.dropFirst(2)
      } else {
        out.append(byte)
      }
    }
    return out
  }
}
