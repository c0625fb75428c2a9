// What one HTTP/1.1 request may cost; read-only after start-up, shared by all reactors.

/// Bounds of one request. Whatever exceeds them is refused while it arrives, so a peer cannot make the gateway hold
/// more.
public struct HTTPLimits: Sendable, BitwiseCopyable {
  /// Bytes of a whole request head, from its first byte to the blank line, both included; past it 431 (HOSTILE 1).
  ///
  /// A browser's handshake has under 1 KiB, a long token and cookies some more; nginx and Apache allow 8 KiB for a
  /// single line by default. Offsets are kept in 32 bits, so more than 4 GiB counts as 4 GiB.
  public var headBytesMax = 8192

  /// Header lines in one head; past it 431. Browsers send about 20, proxies add a few; 100 is what HOSTILE 1 names.
  public var headerCountMax = 100

  /// Bytes of the request target; past it 414 (HOSTILE 10). The request line is part of the head, so where
  /// `headBytesMax` is reached inside the request line the answer is 414 too.
  public var targetBytesMax = 8192

  /// Bytes of a request body, decoded; past it 413. The bodies of all dialects are one small JSON object (PROTOCOLS
  /// 4.1).
  public var bodyBytesMax = 65_536

  /// The defaults above.
  public init() {}

  /// Empty lines that are skipped before a request line. RFC 9112 2.2 asks for at least one; two covers a client that
  /// ends a body with an extra CRLF and then starts politely.
  public static let leadingEmptyLinesMax = 2

  /// Room that a request line gets on top of the target: the method (the longest registered one has 16 bytes), two
  /// spaces, `HTTP/1.1` and CRLF. A line without an end after that much is refused with 414.
  static let requestLineOverheadMax = 64

  /// Bytes of chunk extensions over one body; past it 400. Nothing uses them; unbounded they are a way to send for
  /// ever.
  static let chunkExtensionBytesMax = 1024

  /// Bytes of the trailer section after the last chunk; past it 431. Trailers are read and ignored.
  static let trailerBytesMax = 4096
}
