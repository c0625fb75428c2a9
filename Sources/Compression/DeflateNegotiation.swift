// Chooses among a client's permessage-deflate offers and writes the answer (RFC 7692 5 and 7.1). Pure; any thread.
import Buffers

/// The negotiation of permessage-deflate, the server's side.
public enum DeflateNegotiation {
  /// The parameters for the first offer in `line` that the server can accept; nil when there is none.
  ///
  /// `line` is the value of one `Sec-WebSocket-Extensions` header line; a request may have several, and they are to be
  /// tried in their order until one gives parameters. An offer with an unknown, repeated or ill-valued parameter, or
  /// one that breaks the grammar, is declined by itself. Takes time linear in the length (HOSTILE 9).
  public static func choose(_ line: Span<UInt8>, _ policy: DeflatePolicy) -> DeflateParameters? {
    var scanner = ExtensionScanner(line)
    return choose(&scanner, line, policy)
  }

  @_lifetime(scanner: copy scanner)
  static func choose(
    _ scanner: inout ExtensionScanner, _ line: Span<UInt8>, _ policy: DeflatePolicy
  ) -> DeflateParameters? {
    while !scanner.isAtEnd {
      let name = scanner.token()
      if line.extracting(name).equalsIgnoringCase("permessage-deflate"), let offer = Offer(&scanner, line),
        let parameters = offer.accepted(policy)
      {
        return parameters
      }
      scanner.skipOffer()
    }
    return nil
  }

  /// Appends the extension's value for the 101 response.
  public static func appendResponse(_ parameters: DeflateParameters, to buffer: inout ByteBuffer) {
    buffer.append("permessage-deflate")
    if parameters.serverNoContextTakeover { buffer.append("; server_no_context_takeover") }
    if parameters.clientNoContextTakeover { buffer.append("; client_no_context_takeover") }
    if parameters.namesServerMaxWindowBits {
      buffer.append("; server_max_window_bits=")
      buffer.append(decimal: Int(parameters.serverMaxWindowBits))
    }
    if parameters.namesClientMaxWindowBits {
      buffer.append("; client_max_window_bits=")
      buffer.append(decimal: Int(parameters.clientMaxWindowBits))
    }
  }
}

/// The parameters of one well-formed offer.
private struct Offer {
  private var serverNoContextTakeover = false
  private var clientNoContextTakeover = false
  /// 8...15 where the offer names it.
  private var serverMaxWindowBits: UInt8?
  private var namesClientMaxWindowBits = false
  /// 8...15 where the offer gives it a value.
  private var clientMaxWindowBits: UInt8?

  /// Reads the parameters up to the comma or the end, which stays. Nil declines the offer; the scanner then stands
  /// somewhere inside it, never within a quoted string that goes on.
  @_lifetime(scanner: copy scanner)
  init?(_ scanner: inout ExtensionScanner, _ line: Span<UInt8>) {
    while scanner.take(0x3B) {
      let name = scanner.token()
      if name.isEmpty { return nil }
      var value = ExtensionValue.none
      if scanner.take(0x3D) {
        guard let given = scanner.value() else { return nil }
        value = given
      }
      guard set(line.extracting(name), value) else { return nil }
    }
    guard scanner.isAtOfferEnd else { return nil }
  }

  /// False for a parameter that is unknown, was there before, or has a value that it may not have (RFC 7692 7.1).
  private mutating func set(_ name: Span<UInt8>, _ value: ExtensionValue) -> Bool {
    if name.equalsIgnoringCase("server_no_context_takeover") {
      guard !serverNoContextTakeover, value == .none else { return false }
      serverNoContextTakeover = true
    } else if name.equalsIgnoringCase("client_no_context_takeover") {
      guard !clientNoContextTakeover, value == .none else { return false }
      clientNoContextTakeover = true
    } else if name.equalsIgnoringCase("server_max_window_bits") {
      guard serverMaxWindowBits == nil, case .number(let bits) = value, 8...15 ~= bits else { return false }
      serverMaxWindowBits = bits
    } else if name.equalsIgnoringCase("client_max_window_bits") {
      guard !namesClientMaxWindowBits else { return false }
      namesClientMaxWindowBits = true
      if value == .none { return true }
      guard case .number(let bits) = value, 8...15 ~= bits else { return false }
      clientMaxWindowBits = bits
    } else {
      return false
    }
    return true
  }

  /// The answer under `policy`; nil where the server cannot do what is asked.
  func accepted(_ policy: DeflatePolicy) -> DeflateParameters? {
    let serverBits = serverMaxWindowBits ?? CompressionLimits.windowBitsMax
    if serverBits < CompressionLimits.windowBitsMin { return nil }
    var parameters = DeflateParameters(
      serverNoContextTakeover: serverNoContextTakeover || !policy.allowsContextTakeover,
      clientNoContextTakeover: clientNoContextTakeover
        || !(policy.allowsContextTakeover || policy.keepsClientContext),
      serverMaxWindowBits: min(serverBits, policy.windowBitsMax),
      clientMaxWindowBits: clientMaxWindowBits ?? CompressionLimits.windowBitsMax,
      namesServerMaxWindowBits: serverMaxWindowBits != nil)
    // A value of 8 stays unanswered: the offer itself says that the client keeps to it (RFC 7692 7.1.2.2), an inflater
    // of 9 reads it, and 9 would be more than was offered.
    parameters.namesClientMaxWindowBits = clientMaxWindowBits.map { $0 >= CompressionLimits.windowBitsMin } ?? false
    if !parameters.clientNoContextTakeover && parameters.clientMaxWindowBits > policy.windowBitsMax {
      // The window would be kept for this connection alone: it is limited where the client lets itself be limited, else
      // not kept, unless the policy is to keep it. Without takeover all connections share one inflater of 32 KiB, and
      // there is nothing to limit.
      if namesClientMaxWindowBits {
        parameters.clientMaxWindowBits = policy.windowBitsMax
        parameters.namesClientMaxWindowBits = true
      } else if !policy.keepsClientContext {
        parameters.clientNoContextTakeover = true
      }
    }
    return parameters
  }
}
