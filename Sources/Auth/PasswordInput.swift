// Reads a password for the command line: from the terminal without showing it, else a line of standard input. The main
// thread.
import Glibc

/// Why no password was read.
public enum PasswordInputError: Error, Sendable, Equatable, CustomStringConvertible {
  /// Control-C, or the end of the input before there was any.
  case cancelled
  /// The second one was another.
  case different
  /// Longer than `PasswordHasher.passwordBytesMax`.
  case tooLong
  /// The system would not let it be read.
  case unreadable

  public var description: String {
    switch self {
    case .cancelled: "no password was given"
    case .different: "the two passwords differ"
    case .tooLong: PasswordError.tooLong.description
    case .unreadable: "the password cannot be read"
    }
  }
}

/// What a password is typed with: a line without echo, in which the usual keys correct.
struct PasswordLine {
  /// Whether the line is complete.
  enum State: Equatable { case typing, done, cancelled }

  private(set) var bytes: [UInt8] = []

  /// Takes the next key.
  mutating func feed(_ byte: UInt8) -> State {
    switch byte {
    case 0x0A, 0x0D: return .done
    case 0x03, 0x1C: return .cancelled
    case 0x04: return bytes.isEmpty ? .cancelled : .done
    case 0x15: bytes.removeAll()
    case 0x08, 0x7F:
      // A whole character: the bytes that continue it, then the one that begins it.
      while let last = bytes.last, last & 0xC0 == 0x80 { bytes.removeLast() }
      if !bytes.isEmpty { bytes.removeLast() }
    default: bytes.append(byte)
    }
    return .typing
  }
}

/// Passwords for `martlet user add`.
public enum PasswordInput {
  /// Reads a new password: twice from the terminal, where standard input is one, else one line of standard input.
  public static func readNew() throws(PasswordInputError) -> [UInt8] {
    if isatty(0) == 0 { return try readLine() }
    let first = try prompt("Password: ")
    if first.isEmpty { return first }
    let second = try prompt("The same again: ")
    if first != second { throw .different }
    return first
  }

  /// The first line of standard input without its end.
  private static func readLine() throws(PasswordInputError) -> [UInt8] {
    var line: [UInt8] = []
    var isAtEnd = false
    while !isAtEnd {
      guard let byte = try readByte() else {
        if line.isEmpty { throw .cancelled }
        break
      }
      isAtEnd = byte == 0x0A
      if !isAtEnd { line.append(byte) }
      if line.count > PasswordHasher.passwordBytesMax { throw .tooLong }
    }
    return line
  }

  /// Asks on standard error and reads keys until the line ends. The terminal is then as it was.
  private static func prompt(_ text: String) throws(PasswordInputError) -> [UInt8] {
    var before = termios()
    // SAFETY: a local that outlives the call.
    if unsafe tcgetattr(0, &before) != 0 { throw .unreadable }
    var quiet = before
    // Control-C comes as a key, so that the terminal is put right before anything ends.
    quiet.c_lflag &= ~tcflag_t(ECHO | ICANON | ISIG)
    // SAFETY: locals that outlive the calls.
    if unsafe tcsetattr(0, TCSAFLUSH, &quiet) != 0 { throw .unreadable }
    write(text)
    defer {
      unsafe tcsetattr(0, TCSAFLUSH, &before)
      write("\n")
    }
    var line = PasswordLine()
    while true {
      guard let byte = try readByte() else { throw .cancelled }
      switch line.feed(byte) {
      case .typing: if line.bytes.count > PasswordHasher.passwordBytesMax { throw .tooLong }
      case .done: return line.bytes
      case .cancelled: throw .cancelled
      }
    }
  }

  /// One byte of standard input, or nil at its end. Not one more is taken.
  private static func readByte() throws(PasswordInputError) -> UInt8? {
    var byte: UInt8 = 0
    while true {
      // SAFETY: one byte into a local that outlives the call.
      let count = unsafe Glibc.read(0, &byte, 1)
      let code = errno
      if count == 1 { return byte }
      if count == 0 { return nil }
      if code != EINTR { throw .unreadable }
    }
  }

  private static func write(_ text: String) {
    let bytes = Array(text.utf8)
    // SAFETY: the pointer is used during the call only, for its own length.
    _ = unsafe bytes.withUnsafeBytes { raw in unsafe Glibc.write(2, raw.baseAddress, raw.count) }
  }
}
