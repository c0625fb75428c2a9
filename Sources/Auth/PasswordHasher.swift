// Hashes and checks passwords with libcrypt's yescrypt. Slow on purpose: never on a reactor's thread. Any other thread.
import Buffers
import CCrypt
import Glibc

/// Why a password was not hashed.
public enum PasswordError: Error, Sendable, Equatable, CustomStringConvertible {
  /// No password at all.
  case empty
  /// Longer than `PasswordHasher.passwordBytesMax`.
  case tooLong
  /// Holds a zero byte, behind which libcrypt would not look.
  case zeroByte
  /// libcrypt does not know yescrypt, or has no memory.
  case unavailable

  public var description: String {
    switch self {
    case .empty: "the password is empty"
    case .tooLong: "the password is longer than \(PasswordHasher.passwordBytesMax) bytes"
    case .zeroByte: "the password holds a zero byte"
    case .unavailable: "the system's libcrypt cannot hash with yescrypt"
    }
  }
}

/// Password hashes of the form `$y$…`.
public enum PasswordHasher {
  /// Longest password in bytes: what libcrypt takes.
  public static let passwordBytesMax = 511
  /// yescrypt's work factor: 16 MiB of memory and some 25 ms of one core for each attempt, what Debian asks for its own
  /// logins. A step more doubles both.
  public static let cost: UInt = 5
  /// What every hash begins with.
  static let prefix = "$y$"
  /// Longest hash in bytes that is taken from a file; libcrypt's own are a third of this.
  static let hashBytesMax = 383

  /// A hash of `password` with a random salt.
  public static func hash(_ password: Span<UInt8>) throws(PasswordError) -> String {
    if password.isEmpty { throw .empty }
    if password.count > passwordBytesMax { throw .tooLong }
    for index in password.indices where password[index] == 0 { throw .zeroByte }
    guard let salt = makeSalt(cost: cost), let hash = crypt(password, salt: salt), isHash(hash) else {
      throw .unavailable
    }
    return hash
  }

  /// Whether `password` is the one that `hash` was made of. Nil stands for a user who does not exist: it takes as long
  /// as for one who does, and is false.
  ///
  /// The result is compared in constant time. A password that no hash can be made of is false at once, whoever the user
  /// is.
  public static func verify(_ password: Span<UInt8>, against hash: String?) -> Bool {
    if password.isEmpty || password.count > passwordBytesMax { return false }
    for index in password.indices where password[index] == 0 { return false }
    guard let setting = hash ?? makeSalt(cost: cost), let computed = crypt(password, salt: setting), let hash else {
      return false
    }
    let isEqual = constantTimeEquals(computed.utf8Span.span, hash.utf8Span.span)
    return isEqual && isHash(computed)
  }

  /// Whether `text` looks like a hash of this type: `$y$`, and only what such a hash is written with.
  public static func isHash(_ text: String) -> Bool {
    guard text.hasPrefix(prefix), text.utf8.count <= hashBytesMax else { return false }
    let fields = text.split(separator: "$", omittingEmptySubsequences: false)
    // The parameters, the salt, and 43 characters of hash.
    guard fields.count == 5, !fields[2].isEmpty, !fields[3].isEmpty, fields[4].utf8.count == 43 else { return false }
    return text.utf8.allSatisfy { byte in
      switch byte {
      case 0x24, 0x2E...0x39, 0x41...0x5A, 0x61...0x7A: true
      default: false
      }
    }
  }

  /// A setting for `crypt`: method, cost and a random salt.
  private static func makeSalt(cost: UInt) -> String? {
    let random = SecureRandom.bytes(16).map { CChar(bitPattern: $0) }
    var output = [CChar](repeating: 0, count: 192)
    // SAFETY: both arrays outlive the call, which is told their lengths; it writes a terminated text or returns null.
    let isMade = unsafe random.withUnsafeBufferPointer { source in
      unsafe output.withUnsafeMutableBufferPointer { target in
        unsafe crypt_gensalt_rn(
          prefix, cost, source.baseAddress, Int32(source.count), target.baseAddress, Int32(target.count)) != nil
      }
    }
    return isMade ? text(output) : nil
  }

  /// libcrypt's hash, or nil when it refuses the salt.
  private static func crypt(_ password: Span<UInt8>, salt: String) -> String? {
    var phrase = [CChar](repeating: 0, count: password.count + 1)
    for index in password.indices { phrase[index] = CChar(bitPattern: password[index]) }
    let size = MemoryLayout<crypt_data>.size
    // SAFETY: zeroed memory of the size and alignment that `crypt_rn` asks for, erased and freed below.
    let memory = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: MemoryLayout<crypt_data>.alignment)
    unsafe memory.initializeMemory(as: UInt8.self, repeating: 0, count: size)
    defer {
      // SAFETY: the same memory; `explicit_bzero` is not left out by the optimiser.
      unsafe explicit_bzero(memory, size)
      unsafe memory.deallocate()
    }
    // SAFETY: phrase and salt are terminated and outlive the call; the result points into `memory` and is copied here.
    let result: String? = unsafe phrase.withUnsafeMutableBufferPointer { buffer in
      let output = unsafe crypt_rn(buffer.baseAddress, salt, memory, Int32(size))
      let copy = unsafe output.map { unsafe String(cString: $0) }
      unsafe explicit_bzero(buffer.baseAddress!, buffer.count)
      return copy
    }
    guard let result, !result.hasPrefix("*") else { return nil }
    return result
  }

  private static func text(_ bytes: [CChar]) -> String {
    String(decoding: bytes.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
