// What a text in a configuration must look like, beyond its type. Pure functions, start-up only.

import Auth

/// Checks of single texts: each returns nil for a good one, else what was expected.
enum Check {
  /// A numeric IPv4 or IPv6 address. Names are refused: what they stand for can change between a check and a start.
  static func host(_ text: String) -> String? {
    isIPv4(text) || isIPv6(text) ? nil : "expected a numeric address such as 127.0.0.1, 0.0.0.0 or ::"
  }

  /// An absolute path that fits a socket address.
  static func unixPath(_ text: String) -> String? {
    guard text.utf8.first == 0x2F, !text.hasSuffix("/"), text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else {
      return "expected an absolute path of a socket"
    }
    if text.utf8.count > Limits.unixPathBytesMax {
      return "expected at most \(Limits.unixPathBytesMax) bytes, the length of a socket address"
    }
    return nil
  }

  /// A list of origins as PROTOCOLS G14 writes them.
  static func origins(_ entries: [String]) -> String? {
    do {
      _ = try OriginPolicy(allowed: entries, allowsLocalhost: false)
      return nil
    } catch {
      return error.description
    }
  }

  /// A list of address ranges, as `trustedProxies` writes them.
  static func addressRanges(_ entries: [String]) -> String? {
    do {
      _ = try AddressRanges(entries)
      return nil
    } catch {
      return error.description
    }
  }

  /// A table of literal tokens. What it says never holds a token.
  static func tokens(_ table: [String: String]) -> String? {
    do {
      _ = try StaticTokens(table.map { (token: $0.key, userId: $0.value) })
      return nil
    } catch {
      switch error {
      case .tooMany: return "expected at most \(StaticTokens.entriesMax) tokens, got \(table.count)"
      case .empty: return "a token or a user is empty"
      case .duplicate: return "a token stands there twice"
      }
    }
  }

  /// The path of a file: not empty, and without control characters.
  static func filePath(_ text: String) -> String? {
    let isPath = !text.isEmpty && !text.hasSuffix("/") && text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F }
    return isPath ? nil : "expected the path of a file"
  }

  /// An address that a backend is called at. What it says never holds the address, whose query may be a secret.
  static func url(_ text: String) -> String? {
    let expected = "expected a URL such as http://127.0.0.1:8000/path or https://api.example.com/path"
    guard text.utf8.count <= Limits.urlBytesMax else { return "expected at most \(Limits.urlBytesMax) bytes" }
    guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != 0x5C && $0 != 0x22 && $0 != 0x3C && $0 != 0x3E })
    else { return expected }
    let lowered = text.lowercased()
    guard let scheme = ["http://", "https://"].first(where: { lowered.hasPrefix($0) }) else { return expected }
    if text.utf8.contains(0x23) { return "expected a URL without #" }
    let authority = text.dropFirst(scheme.count).prefix { $0 != "/" && $0 != "?" }
    if authority.contains("@") { return "expected a URL without a user or password; calls are signed instead" }
    var host = authority
    if authority.hasPrefix("[") {
      guard let end = authority.firstIndex(of: "]"), isIPv6(String(authority[..<end].dropFirst())) else {
        return expected
      }
      host = authority[authority.index(after: end)...]
      if host.isEmpty { return nil }
    } else {
      guard let first = authority.first, first != ":" else { return expected }
      let name = authority.prefix { $0 != ":" }
      guard name.utf8.count <= 253, !name.contains("%"), name.utf8.allSatisfy(isHostByte) else { return expected }
      host = authority.dropFirst(name.count)
      if host.isEmpty { return nil }
    }
    guard host.first == ":", let port = UInt16(host.dropFirst()), port > 0,
      host.dropFirst().utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 })
    else { return "expected a port of 1...65535" }
    return nil
  }

  private static func isHostByte(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F: true
    default: false
    }
  }

  /// What an AI service calls a model.
  static func model(_ text: String) -> String? {
    let isName =
      (1...Limits.modelBytesMax).contains(text.utf8.count) && text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F }
    return isName ? nil : "expected the name of a model, 1...\(Limits.modelBytesMax) bytes"
  }

  /// What a model is told first.
  static func systemPrompt(_ text: String) -> String? {
    let isPrompt = (1...Limits.systemPromptBytesMax).contains(text.utf8.count)
    return isPrompt ? nil : "expected 1...\(Limits.systemPromptBytesMax) bytes"
  }

  /// What stands between an AI service and being asked; empty where none is.
  static func ai(_ ai: AIConfiguration) -> [ConfigurationMistake] {
    guard let url = ai.baseURL else { return [] }
    var mistakes: [ConfigurationMistake] = []
    if url.utf8.contains(0x3F) {
      mistakes.append(ConfigurationMistake("ai.baseURL", "expected a URL without ?, to which a path can be added"))
    }
    if ai.model == nil {
      mistakes.append(ConfigurationMistake("ai.model", "not set; needed where ai.baseURL is"))
    }
    let key = ai.key?.text.utf8
    if let key, key.count > Limits.aiKeyBytesMax || !key.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) {
      mistakes.append(
        ConfigurationMistake("ai.key", "expected at most \(Limits.aiKeyBytesMax) letters, digits and signs, no spaces"))
    }
    return mistakes
  }

  /// What clients call a request, an event, a walker or a member of its context.
  static func name(_ text: String) -> String? {
    let isName =
      (1...Limits.handlerNameBytesMax).contains(text.utf8.count) && text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F }
    return isName ? nil : "expected a name of 1...\(Limits.handlerNameBytesMax) bytes without control characters"
  }

  /// A walker's name, which is also the last part of a path.
  static func walkerName(_ text: String) -> String? {
    let isName =
      (1...Limits.handlerNameBytesMax).contains(text.utf8.count) && text.utf8.allSatisfy { isHostByte($0) }
      && !text.utf8.allSatisfy { $0 == 0x2E }
    return isName ? nil : "expected a name of letters, digits, _ - and ., at most \(Limits.handlerNameBytesMax) bytes"
  }

  /// Permission bits in octal, such as "0660": no more than read and write for each class.
  static func fileMode(_ text: String) -> Int? {
    guard (3...4).contains(text.utf8.count), let mode = Int(text, radix: 8), text.utf8.first != 0x2D,
      text.utf8.first != 0x2B, (0...0o777).contains(mode)
    else { return nil }
    return mode
  }

  private static func isIPv4(_ text: String) -> Bool {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    return parts.count == 4
      && parts.allSatisfy { part in
        (1...3).contains(part.utf8.count) && part.utf8.allSatisfy { $0 >= 0x30 && $0 <= 0x39 }
          && (part == "0" || part.utf8.first != 0x30) && (Int(part) ?? 256) <= 255
      }
  }

  private static func isIPv6(_ text: String) -> Bool {
    var text = Substring(text)
    // A dotted IPv4 tail stands for two groups.
    if let colon = text.lastIndex(of: ":"), isIPv4(String(text[text.index(after: colon)...])) {
      text = text[...colon] + "0:0"
    }
    guard text.utf8.allSatisfy({ $0 == 0x3A || ($0 < 0x80 && Character(Unicode.Scalar($0)).isHexDigit) }) else {
      return false
    }
    func groups(_ part: Substring) -> Int? {
      if part.isEmpty { return 0 }
      let groups = part.split(separator: ":", omittingEmptySubsequences: false)
      return groups.allSatisfy { (1...4).contains($0.utf8.count) } ? groups.count : nil
    }
    guard let gap = firstGap(in: text) else { return groups(text) == 8 }
    guard let before = groups(text[..<gap]), let after = groups(text[text.index(gap, offsetBy: 2)...]) else {
      return false
    }
    return before + after <= 7
  }

  private static func firstGap(in text: Substring) -> Substring.Index? {
    var last: Substring.Index?
    for index in text.indices where text[index] == ":" {
      if let last, text.index(after: last) == index { return last }
      last = index
    }
    return nil
  }
}
