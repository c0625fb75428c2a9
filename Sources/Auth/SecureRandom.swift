// Random bytes for identifiers, tokens and secrets, from libcrypto's generator (PROTOCOLS G13). Any thread.
import Buffers
import CCrypto

/// The process's only source of unpredictable bytes. A generator that fails ends the process with a message: going on
/// with weak identifiers would be worse.
public enum SecureRandom {
  /// Overwrites every byte of `out`.
  public static func fill(_ out: inout MutableSpan<UInt8>) {
    // SAFETY: `generate` writes the span's own bytes during the call.
    unsafe out.withUnsafeMutableBytes { target in unsafe generate(target) }
  }

  /// Appends `count` random bytes to `out`.
  public static func append(_ count: Int, to out: inout ByteBuffer) {
    guard count > 0 else { return }
    out.reserve(count)
    // SAFETY: the buffer hands out `count` bytes of its own, and `generate` writes no more than that.
    _ = unsafe out.fill(atMost: count) { target in
      unsafe generate(target)
      return count
    }
  }

  /// `count` random bytes. For cold paths: it allocates.
  public static func bytes(_ count: Int) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: max(count, 0))
    var span = bytes.mutableSpan
    fill(&span)
    return bytes
  }

  private static func generate(_ target: UnsafeMutableRawBufferPointer) {
    guard let count = Int32(exactly: target.count) else { fatalError("libcrypto gives at most 2 GiB at once") }
    if count == 0 { return }
    // SAFETY: `count` bytes belong to `target`.
    let result = unsafe RAND_bytes(target.baseAddress?.assumingMemoryBound(to: UInt8.self), count)
    guard result == 1 else { fatalError("libcrypto cannot produce random bytes") }
  }
}
