// The file of the users who may log in: its lines, read strictly. A value; reading and writing files is next door.

/// Why a user file was not used.
public struct UserFileError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The path, the line where there is one, and the reason. Never a hash.
  public let description: String
  /// Whether the file could be read, but not what it holds.
  public let isInContents: Bool

  init(_ path: String, line: Int? = nil, isInContents: Bool = false, _ reason: String) {
    self.isInContents = isInContents || line != nil
    description = "\(path)\(line.map { ":\($0)" } ?? ""): \(reason)"
  }
}

/// Users and the hashes of their passwords, one `name:hash` a line. Empty lines and lines that begin with `#` are kept
/// and mean nothing.
public struct UserFile: Sendable {
  /// Longest name in bytes.
  public static let nameBytesMax = 255
  /// Most users. A larger user base has a database, and a service that gives its users tokens.
  public static let usersMax = 100_000
  /// Longest file in bytes: the most users, each with a name of some length.
  public static let fileBytesMax = 33_554_432

  private var lines: [String] = []
  /// The hash of each user.
  private var hashes: [String: String] = [:]

  /// No users.
  public init() {}

  /// The users in `bytes`, which is what the file at `path` holds.
  public init(_ bytes: [UInt8], path: String) throws(UserFileError) {
    guard bytes.count <= Self.fileBytesMax else {
      throw UserFileError(path, isInContents: true, "longer than \(Self.fileBytesMax) bytes")
    }
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw UserFileError(path, isInContents: true, "is not UTF-8")
    }
    var parts = text.split(separator: "\n", omittingEmptySubsequences: false)
    if parts.last?.isEmpty == true { parts.removeLast() }
    for (index, line) in parts.enumerated() {
      lines.append(String(line))
      if line.isEmpty || line.utf8.first == 0x23 { continue }
      guard let colon = line.firstIndex(of: ":") else {
        throw UserFileError(path, line: index + 1, "expected name:hash")
      }
      let name = String(line[..<colon])
      let hash = String(line[line.index(after: colon)...])
      if let problem = Self.problem(withName: name) { throw UserFileError(path, line: index + 1, problem) }
      if !PasswordHasher.isHash(hash) {
        throw UserFileError(path, line: index + 1, "expected a $y$ hash, as \"martlet user add\" makes them")
      }
      if hashes.updateValue(hash, forKey: name) != nil {
        throw UserFileError(path, line: index + 1, "a second line for this user")
      }
    }
    if hashes.count > Self.usersMax {
      throw UserFileError(path, isInContents: true, "more than \(Self.usersMax) users")
    }
  }

  /// The users' names, in the order of the file.
  public var names: [String] { lines.compactMap { Self.name(of: $0) } }

  /// How many users there are.
  public var count: Int { hashes.count }

  /// The hash of a user's password, or nil where there is no such user.
  public func hash(of name: String) -> String? { hashes[name] }

  /// Adds a user, or gives one another hash.
  public mutating func set(_ name: String, hash: String) {
    let line = "\(name):\(hash)"
    if hashes.updateValue(hash, forKey: name) == nil {
      lines.append(line)
    } else if let index = lines.firstIndex(where: { Self.name(of: $0) == name }) {
      lines[index] = line
    }
  }

  /// Removes a user; false where there is no such user.
  public mutating func remove(_ name: String) -> Bool {
    guard hashes.removeValue(forKey: name) != nil else { return false }
    lines.removeAll { Self.name(of: $0) == name }
    return true
  }

  /// What the file holds.
  public var bytes: [UInt8] { lines.flatMap { Array($0.utf8) + [0x0A] } }

  /// What is wrong with a user's name, or nil.
  public static func problem(withName name: String) -> String? {
    if name.isEmpty { return "the name is empty" }
    if name.utf8.count > nameBytesMax { return "the name is longer than \(nameBytesMax) bytes" }
    if name.utf8.first == 0x23 { return "the name begins with #" }
    if name.utf8.first == 0x20 || name.utf8.last == 0x20 { return "the name begins or ends with a space" }
    let isPlain = name.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F && $0 != 0x3A }
    return isPlain ? nil : "the name holds a colon or a control character"
  }

  /// The name in a line that `init` has accepted; nil for an empty line and a comment.
  private static func name(of line: String) -> String? {
    if line.utf8.first == 0x23 { return nil }
    return line.firstIndex(of: ":").map { String(line[..<$0]) }
  }
}
