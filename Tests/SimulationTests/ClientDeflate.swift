// The simulated clients' own permessage-deflate: straight on the system's zlib, apart from Sources/Compression so as
// not to share its mistakes.
import CZlib

/// One client's half of the extension, by what the server's answer says. One connection.
final class ClientDeflate {
  /// zlib's streams must not move.
  private let deflater: UnsafeMutablePointer<z_stream>
  private let inflater: UnsafeMutablePointer<z_stream>
  private let clientKeepsContext: Bool
  private let serverKeepsContext: Bool
  private static let tail: [UInt8] = [0, 0, 0xFF, 0xFF]

  /// Offers that clients make.
  static let offers = [
    "permessage-deflate", "permessage-deflate; client_max_window_bits",
    "permessage-deflate; client_no_context_takeover; server_no_context_takeover",
    "permessage-deflate; server_max_window_bits=10; client_max_window_bits=9",
    "x-unknown, permessage-deflate; client_max_window_bits=12",
  ]

  /// What `answer`, the value of the server's header, agrees to; nil when that is not this extension.
  init?(answer: Substring, level: Int) {
    var parts = answer.split(separator: ";").map { String($0.filter { $0 != " " }) }
    guard parts.first == "permessage-deflate" else { return nil }
    parts.removeFirst()
    clientKeepsContext = !parts.contains("client_no_context_takeover")
    serverKeepsContext = !parts.contains("server_no_context_takeover")
    func bits(_ name: String) -> Int32 {
      parts.first { $0.hasPrefix(name + "=") }.flatMap { Int32($0.dropFirst(name.count + 1)) } ?? 15
    }
    let size = Int32(MemoryLayout<z_stream>.size)
    // SAFETY: both are set up here and freed in `deinit` by their only owner.
    unsafe deflater = .allocate(capacity: 1)
    unsafe inflater = .allocate(capacity: 1)
    unsafe deflater.initialize(to: z_stream())
    unsafe inflater.initialize(to: z_stream())
    unsafe _ = deflateInit2_(
      deflater, Int32(level), Z_DEFLATED, -bits("client_max_window_bits"), 5, Z_DEFAULT_STRATEGY, ZLIB_VERSION, size)
    // A smaller window than agreed for what comes would not be noticed by anyone else.
    unsafe _ = inflateInit2_(inflater, -bits("server_max_window_bits"), ZLIB_VERSION, size)
  }

  deinit {
    // SAFETY: set up in `init`, and not used any more.
    unsafe _ = deflateEnd(deflater)
    unsafe _ = inflateEnd(inflater)
    unsafe deflater.deallocate()
    unsafe inflater.deallocate()
  }

  /// A message compressed, in several blocks where `cuts` says so.
  func compress(_ message: [UInt8], cuts: [Int] = []) -> [UInt8] {
    if message.isEmpty { return [0] }
    // SAFETY: the stream is set up.
    if !clientKeepsContext { unsafe _ = deflateReset(deflater) }
    var out: [UInt8] = []
    var start = 0
    for cut in cuts.sorted() + [message.count] where cut > start {
      deflate(message, start..<cut, into: &out)
      start = cut
    }
    out.removeLast(4)
    return out
  }

  private func deflate(_ message: [UInt8], _ range: Range<Int>, into out: inout [UInt8]) {
    var room = [UInt8](repeating: 0, count: range.count + range.count / 100 + 64)
    // SAFETY: the stream's pointers are used before the arrays are let go, and there is room for the worst case.
    unsafe message.withUnsafeBufferPointer { source in
      unsafe room.withUnsafeMutableBufferPointer { target in
        unsafe deflater.pointee.next_in = source.baseAddress! + range.lowerBound
        unsafe deflater.pointee.avail_in = UInt32(range.count)
        unsafe deflater.pointee.next_out = target.baseAddress
        unsafe deflater.pointee.avail_out = UInt32(target.count)
        unsafe _ = CZlib.deflate(deflater, Z_SYNC_FLUSH)
      }
    }
    // SAFETY: the stream is set up.
    out += room[..<(room.count - Int(unsafe deflater.pointee.avail_out))]
  }

  /// A message decompressed; nil when it is not what the server agreed to send.
  func decompress(_ payload: [UInt8]) -> [UInt8]? {
    // SAFETY: the stream is set up.
    if !serverKeepsContext { unsafe _ = inflateReset(inflater) }
    let input = payload + Self.tail
    var out: [UInt8] = []
    var room = [UInt8](repeating: 0, count: 16_384)
    var isRight = true
    // SAFETY: the stream's pointers are used before the arrays are let go.
    unsafe input.withUnsafeBufferPointer { source in
      unsafe inflater.pointee.next_in = source.baseAddress
      unsafe inflater.pointee.avail_in = UInt32(source.count)
      while true {
        let status = unsafe room.withUnsafeMutableBufferPointer { target in
          unsafe inflater.pointee.next_out = target.baseAddress
          unsafe inflater.pointee.avail_out = UInt32(target.count)
          return unsafe inflate(inflater, Z_SYNC_FLUSH)
        }
        let count = unsafe room.count - Int(inflater.pointee.avail_out)
        out += room[..<count]
        if status != Z_OK && status != Z_BUF_ERROR { isRight = false }
        if !isRight || (unsafe inflater.pointee.avail_in == 0 && count < room.count) { break }
        if status == Z_BUF_ERROR && count == 0 { break }
      }
    }
    // SAFETY: the stream is set up.
    return unsafe isRight && inflater.pointee.avail_in == 0 ? out : nil
  }
}
