// Compares request paths with the paths that are served; pure functions, usable from any thread.

import Buffers

/// Comparison of a request path with the paths that the gateway serves.
///
/// Escapes are decoded, but an escaped slash stays different from a slash: it is data inside a segment (RFC 3986
/// 2.2). Nothing is normalised: a path with `.` or `..` segments, escaped or not, matches nothing, and case matters.
/// An empty path, which only an absolute target without one has, is `/`.
public enum HTTPPath {
  /// The longest served path that is compared with an escaped one; a longer one matches only as it is spelled.
  private static let decodedBytesMax = 256

  /// Whether the path at `path` in `bytes` is `served`.
  public static func matches(_ bytes: Span<UInt8>, _ path: Range<Int>, _ served: StaticString) -> Bool {
    let text = bytes.extracting(path)
    if text.isEmpty { return served.utf8CodeUnitCount == 1 }
    if text.equals(served) { return true }
    if !PercentCoding.isEncoded(text) { return false }
    let decoded = DecodedPath(text, bytesMax: served.utf8CodeUnitCount)
    return decoded.isWhole && decoded.bytes.equals(served)
  }

  /// The same for a path known at run time, from the configuration.
  public static func matches(_ bytes: Span<UInt8>, _ path: Range<Int>, _ served: Span<UInt8>) -> Bool {
    let text = bytes.extracting(path)
    if text.isEmpty { return served.equals("/") }
    if text.equals(served) { return true }
    if !PercentCoding.isEncoded(text) { return false }
    let decoded = DecodedPath(text, bytesMax: served.count)
    return decoded.isWhole && decoded.bytes.equals(served)
  }

  /// Whether the path begins with `prefix`, which should end in a slash so that whole segments are compared, and has
  /// no dot segments.
  public static func hasPrefix(_ bytes: Span<UInt8>, _ path: Range<Int>, _ prefix: StaticString) -> Bool {
    let text = bytes.extracting(path)
    if text.isEmpty { return prefix.utf8CodeUnitCount == 1 }
    if hasDotSegment(text) { return false }
    let decoded = DecodedPath(text, bytesMax: prefix.utf8CodeUnitCount)
    return decoded.bytes.equals(prefix)
  }

  /// The same for a prefix known at run time.
  public static func hasPrefix(_ bytes: Span<UInt8>, _ path: Range<Int>, _ prefix: Span<UInt8>) -> Bool {
    let text = bytes.extracting(path)
    if text.isEmpty { return prefix.equals("/") }
    if hasDotSegment(text) { return false }
    let decoded = DecodedPath(text, bytesMax: prefix.count)
    return decoded.bytes.equals(prefix)
  }

  /// Whether a segment of `path` is `.` or `..` once decoded (RFC 3986 5.2.4).
  static func hasDotSegment(_ path: Span<UInt8>) -> Bool {
    var dots = 0
    var others = 0
    var position = 0
    while position < path.count {
      let (byte, length) = PercentCoding.decoded(path, at: position)
      if byte == HTTPBytes.slash && length == 1 {
        if dots > 0 && dots <= 2 && others == 0 { return true }
        dots = 0
        others = 0
      } else if byte == 0x2E {
        dots += 1
      } else {
        others += 1
      }
      position += length
    }
    return dots > 0 && dots <= 2 && others == 0
  }

  /// The beginning of a path, decoded without an allocation. An escaped slash stays escaped.
  private struct DecodedPath {
    private var storage = [256 of UInt8](repeating: 0)
    private var count = 0
    /// Whether the whole path fitted.
    private(set) var isWhole = true

    /// Decodes `path` until `bytesMax` bytes are there or it ends.
    init(_ path: Span<UInt8>, bytesMax: Int) {
      let limit = min(bytesMax, decodedBytesMax)
      var position = 0
      while position < path.count {
        if count == limit {
          isWhole = false
          return
        }
        let (byte, length) = PercentCoding.decoded(path, at: position)
        let isEscapedSlash = byte == HTTPBytes.slash && length == 3
        storage[count] = isEscapedSlash ? HTTPBytes.percent : byte
        count += 1
        position += isEscapedSlash ? 1 : length
      }
    }

    var bytes: Span<UInt8> {
      @_lifetime(borrow self)
      borrowing get { storage.span.extracting(0..<count) }
    }
  }
}
