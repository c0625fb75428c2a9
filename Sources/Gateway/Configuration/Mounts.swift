// Which dialect answers which path: rules, the table of one listener, its look-up. Built at start-up, read by every
// reactor.

/// Which paths a mount answers. A path is the request target up to its query, undecoded.
public enum PathRule: Sendable, Equatable {
  /// Exactly this path, written `/chat`.
  case exact(String)
  /// Every path that begins with this text, which ends in `/`; written `/chat/*`. The path `/chat` is not one.
  case prefix(String)
  /// Every path, written `*`.
  case any

  /// Reads the configuration's spelling, or returns nil when it is none of the three.
  public init?(_ text: String) {
    if text == "*" || text == "/*" {
      self = .any
      return
    }
    guard text.utf8.count <= Limits.pathRuleBytesMax, text.utf8.first == 0x2F,
      text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != 0x3F && $0 != 0x23 })
    else { return nil }
    if text.hasSuffix("/*") {
      self = .prefix(String(text.dropLast()))
    } else {
      self = .exact(text)
    }
    let stem = if case .prefix(let stem) = self { stem } else { text }
    if stem.utf8.contains(0x2A) { return nil }
  }

  /// The configuration's spelling.
  public var text: String {
    switch self {
    case .exact(let path): path
    case .prefix(let stem): stem + "*"
    case .any: "*"
    }
  }

  /// Whether some path matches both rules.
  public func overlaps(_ other: PathRule) -> Bool {
    switch (self, other) {
    case (.any, _), (_, .any): true
    case (.exact(let one), .exact(let two)): one == two
    case (.exact(let path), .prefix(let stem)), (.prefix(let stem), .exact(let path)): path.hasPrefix(stem)
    case (.prefix(let one), .prefix(let two)): one.hasPrefix(two) || two.hasPrefix(one)
    }
  }
}

/// One mount: the paths it answers and who answers there.
public struct MountConfiguration: Sendable, Equatable {
  /// The paths.
  public var rule: PathRule
  /// Who answers.
  public var target: MountTarget
  /// Whether messages may be compressed here, where the gateway's `compression` is on. Default on.
  public var compression: Bool
  /// Whether the window of a client that compresses is kept from message to message, unless the client gives it up:
  /// for clients that do not do without it when they are asked to. Costs up to 39 KiB for each connection that
  /// negotiates compression here. Default off.
  public var keepsClientContext: Bool

  /// A mount of `target` on the paths of `rule`.
  public init(
    _ rule: PathRule, _ target: MountTarget, compression: Bool = true, keepsClientContext: Bool = false
  ) {
    self.rule = rule
    self.target = target
    self.compression = compression
    self.keepsClientContext = keepsClientContext
  }
}

/// What a mount table finds for a path.
public struct MountMatch: Sendable, Equatable {
  /// Who answers.
  public let target: MountTarget
  /// Whether messages may be compressed there; the gateway's own setting counts too.
  public let compression: Bool
  /// Whether the window of a client that compresses is kept there.
  public let keepsClientContext: Bool
  /// Where the mount stands in the table.
  var index: UInt8 = 0

  /// A match. Two are equal that answer alike.
  public init(target: MountTarget, compression: Bool, keepsClientContext: Bool = false) {
    self.target = target
    self.compression = compression
    self.keepsClientContext = keepsClientContext
  }

  public static func == (one: MountMatch, two: MountMatch) -> Bool {
    one.target == two.target && one.compression == two.compression && one.keepsClientContext == two.keepsClientContext
  }
}

/// Why the mounts of a listener cannot be served together.
public enum MountError: Error, Equatable, CustomStringConvertible {
  /// Some request would match both.
  case ambiguous(MountConfiguration, MountConfiguration)
  /// The handlers and channels pair stands somewhere else than on `*` or `/`.
  case pairOffRoot(PathRule)
  /// More than `Limits.mountsPerListenerMax`.
  case tooMany(Int)

  /// Names both mounts, or the rule, or the count.
  public var description: String {
    switch self {
    case .ambiguous(let one, let two):
      "the mounts \"\(one.rule.text)\" (\(one.target.name)) and \"\(two.rule.text)\" (\(two.target.name)) "
        + "could match the same request"
    case .pairOffRoot(let rule):
      "handlers and channels can share \"*\" or \"/\" only, not \"\(rule.text)\""
    case .tooMany(let count):
      "\(count) mounts, at most \(Limits.mountsPerListenerMax) are allowed"
    }
  }
}

/// The mounts of one listener, ready to be looked up.
public struct MountTable: Sendable {
  /// What was built, in order; a handlers mount and a channels mount on one path are one entry here.
  public let mounts: [MountConfiguration]

  private enum Match: UInt8 { case exact, prefix, any }
  private struct Entry {
    let match: Match
    let start: Int
    let end: Int
    let target: MountTarget
    let compression: Bool
    let keepsClientContext: Bool
    /// Where it stands in the table.
    let index: UInt8

    var found: MountMatch {
      var match = MountMatch(target: target, compression: compression, keepsClientContext: keepsClientContext)
      match.index = index
      return match
    }
  }
  /// One entry for each of `mounts`; plain values, so that a look-up retains nothing.
  private let entries: [Entry]
  /// The texts of all rules, end to end.
  private let texts: [UInt8]
  /// What counts for Engine.IO on a path of no events mount.
  private let events: MountMatch

  private init(mounts: [MountConfiguration]) {
    var entries: [Entry] = []
    var texts: [UInt8] = []
    for mount in mounts {
      let start = texts.count
      let match: Match
      switch mount.rule {
      case .exact(let path):
        match = .exact
        texts.append(contentsOf: path.utf8)
      case .prefix(let stem):
        match = .prefix
        texts.append(contentsOf: stem.utf8)
      case .any:
        match = .any
      }
      entries.append(
        Entry(
          match: match, start: start, end: texts.count, target: mount.target, compression: mount.compression,
          keepsClientContext: mount.keepsClientContext, index: UInt8(clamping: entries.count)))
    }
    let events = mounts.filter { $0.target.dialects.contains(.events) }
    self.events = MountMatch(
      target: .dialect(.events), compression: events.allSatisfy(\.compression),
      keepsClientContext: events.contains { $0.keepsClientContext })
    self.mounts = mounts
    self.entries = entries
    self.texts = texts
  }

  /// Checks the mounts of one listener and builds their table.
  ///
  /// Two mounts that could match the same request are refused, save handlers and channels together on `*` or `/`, which
  /// become one pair (PROTOCOLS 6.3), compressed where both are.
  public static func build(_ mounts: [MountConfiguration]) throws(MountError) -> MountTable {
    if mounts.count > Limits.mountsPerListenerMax { throw .tooMany(mounts.count) }
    var merged: [MountConfiguration] = []
    for mount in mounts {
      if mount.target == .handlersAndChannels && !mount.rule.mayBePaired { throw .pairOffRoot(mount.rule) }
      if let index = merged.firstIndex(where: { $0.rule.overlaps(mount.rule) }) {
        guard merged[index].rule == mount.rule, mount.rule.mayBePaired,
          merged[index].target.isHalfOfPair(with: mount.target)
        else { throw .ambiguous(merged[index], mount) }
        merged[index].target = .handlersAndChannels
        merged[index].compression = merged[index].compression && mount.compression
        merged[index].keepsClientContext = merged[index].keepsClientContext || mount.keepsClientContext
      } else {
        merged.append(mount)
      }
    }
    return MountTable(mounts: merged)
  }

  /// Who answers `path` (the request target up to its query, undecoded), or nil for nobody. Allocates nothing. Any
  /// thread.
  public func find(path: Span<UInt8>) -> MountTarget? { findMount(path: path)?.target }

  /// As `find`, with what the mount says about compression. Allocates nothing. Any thread.
  public func findMount(path: Span<UInt8>) -> MountMatch? {
    let texts = texts.span
    let entries = entries.span
    for index in 0..<entries.count {
      let entry = entries[index]
      let length = entry.end - entry.start
      switch entry.match {
      case .any: return entry.found
      case .exact: if path.count != length { continue }
      case .prefix: if path.count < length { continue }
      }
      var offset = 0
      while offset < length && path[offset] == texts[entry.start + offset] { offset += 1 }
      if offset == length { return entry.found }
    }
    return nil
  }

  /// What counts for a request of Engine.IO, which a listener takes on more paths than its events mounts have
  /// (PROTOCOLS 3.2): its own mount, or else what all events mounts agree on. Any thread.
  func findEvents(path: Span<UInt8>) -> MountMatch {
    if let mount = findMount(path: path), mount.target.dialects.contains(.events) { return mount }
    return events
  }
}

extension PathRule {
  /// Whether handlers and channels may share the path.
  fileprivate var mayBePaired: Bool { self == .any || self == .exact("/") }
}

extension MountTarget {
  /// Whether the two are handlers and channels, in either order.
  fileprivate func isHalfOfPair(with other: MountTarget) -> Bool {
    (self == .dialect(.handlers) && other == .dialect(.channels))
      || (self == .dialect(.channels) && other == .dialect(.handlers))
  }
}
