// The digests of libcrypto that the gateway needs, behind spans: SHA-1, HMAC-SHA-256, constant-time comparison. Any
// thread.
import Buffers
import CCrypto

/// SHA-1 (FIPS 180-4). Broken as a signature hash; the WebSocket handshake only uses it as a fixed transformation.
public enum SHA1 {
  /// A SHA-1 digest, 20 bytes.
  public typealias Digest = [20 of UInt8]

  /// The digest of `bytes`.
  public static func digest(of bytes: Span<UInt8>) -> Digest {
    var digest = Digest(repeating: 0)
    var out = digest.mutableSpan
    // SAFETY: the source is read and the 20 bytes of the digest are written only during the call. libcrypto does not
    // look at a null source of no bytes.
    let done = unsafe bytes.withUnsafeBufferPointer { source in
      unsafe out.withUnsafeMutableBufferPointer { target in
        unsafe CCrypto.SHA1(source.baseAddress, source.count, target.baseAddress) != nil
      }
    }
    guard done else { fatalError("libcrypto has no SHA-1: the WebSocket handshake is impossible") }
    return digest
  }
}

/// HMAC with SHA-256 (RFC 2104, FIPS 198-1): the `HS256` of RFC 7518 section 3.2.
public enum HMACSHA256 {
  /// An HMAC-SHA-256 tag, 32 bytes.
  public typealias Tag = [32 of UInt8]

  /// The tag of `message` under `key`.
  public static func tag(of message: Span<UInt8>, key: Span<UInt8>) -> Tag {
    var tag = Tag(repeating: 0)
    var out = tag.mutableSpan
    let keyCount = Int32(exactly: key.count)
    // SAFETY: all three buffers outlive the call; 32 bytes are written. An empty key is given as the address of the
    // (unread) tag, because libcrypto takes a null key to mean "the key of the previous call".
    let done = unsafe key.withUnsafeBufferPointer { secret in
      unsafe message.withUnsafeBufferPointer { source in
        unsafe out.withUnsafeMutableBufferPointer { target -> Bool in
          guard let keyCount, let room = target.baseAddress else { return false }
          let start = unsafe secret.baseAddress ?? UnsafePointer(room)
          var written: UInt32 = 0
          let result = unsafe HMAC(EVP_sha256(), start, keyCount, source.baseAddress, source.count, room, &written)
          return unsafe result != nil && written == 32
        }
      }
    }
    // A tag of zeros must never be compared with anything.
    guard done else { fatalError("libcrypto cannot compute HMAC-SHA-256") }
    return tag
  }
}

/// Whether both spans hold the same bytes, in a time that depends on their lengths only.
public func constantTimeEquals(_ left: Span<UInt8>, _ right: Span<UInt8>) -> Bool {
  guard left.count == right.count else { return false }
  if left.isEmpty { return true }
  // SAFETY: both buffers hold `count` bytes during the call.
  return unsafe left.withUnsafeBufferPointer { first in
    unsafe right.withUnsafeBufferPointer { second in
      unsafe CRYPTO_memcmp(first.baseAddress, second.baseAddress, first.count) == 0
    }
  }
}
