// The walkers dialect, sending side: the server's messages as JSON text. Any thread.
import Buffers
import Wire

/// Why a walker is not run (PROTOCOLS 5.3).
public enum WalkersDenial: Sendable, Equatable {
  /// There is none of that name, or none for sockets.
  case unknown
  /// It asks for a user, and the connection is public.
  case needsAuthentication
  /// It wanted to send to others for the public user, who may not.
  case mayNotSend
}

/// Writes the server messages of the walkers dialect (PROTOCOLS 5.1 to 5.3). Every function appends one whole message
/// to `out`, which the caller has emptied.
public enum WalkersEncoder {
  /// The first message, and the answer to `connection` and `change_user`. The ids are plain UTF-8.
  public static func appendConnection(
    client: Span<UInt8>, root: Span<UInt8>, channel: Span<UInt8>, to out: inout ByteBuffer
  ) {
    out.append("{\"type\":\"connection\",\"data\":{\"client_id\":")
    JSONString.appendQuoted(client, to: &out)
    out.append(",\"root_id\":")
    JSONString.appendQuoted(root, to: &out)
    out.append(",\"channel_id\":")
    JSONString.appendQuoted(channel, to: &out)
    out.append("}}")
  }

  /// An id of a client or a channel: seconds since 1970 and 16 random bytes. Not JSON.
  public static func appendId(seconds: Int64, random: Span<UInt8>, to out: inout ByteBuffer) {
    out.append(decimal: Int(seconds))
    out.append(":")
    for index in 0..<random.count {
      out.append(hexadecimal(random[index] >> 4))
      out.append(hexadecimal(random[index] & 0xF))
    }
  }

  /// The errors of a message.
  public static func append(_ errors: borrowing WalkersErrors, to out: inout ByteBuffer) {
    out.append("{\"error\":[")
    out.append(errors.list)
    out.append("]}")
  }

  /// The errors of a request's body.
  public static func appendDetail(_ errors: borrowing WalkersErrors, to out: inout ByteBuffer) {
    out.append("{\"detail\":[")
    out.append(errors.list)
    out.append("]}")
  }

  /// A single error that is only a sentence: a walker that failed.
  public static func appendFailure(_ sentence: String, to out: inout ByteBuffer) {
    out.append("{\"error\":[")
    JSONString.appendQuoted(sentence, to: &out)
    out.append("]}")
  }

  /// The answer to a walker that is not run, or whose run is void; `name` is what it is called, plain UTF-8.
  public static func appendDenial(_ denial: WalkersDenial, walker name: Span<UInt8>, to out: inout ByteBuffer) {
    out.append("{\"type\":\"walker\",\"error\":")
    switch denial {
    case .mayNotSend: out.append("\"Permission denied\"")
    case .unknown: out.append("\"Invalid request! Please use valid walker event!\"")
    case .needsAuthentication:
      var sentence = ByteBuffer(capacity: 64)
      sentence.append("Event ")
      sentence.append(name)
      sentence.append(" requires to be authenticated!")
      JSONString.appendQuoted(sentence.bytes, to: &out)
    }
    out.append("}")
  }

  /// The result of a walker; each report is raw JSON.
  public static func appendResult(reports: [[UInt8]], to out: inout ByteBuffer) {
    out.append("{\"status\":200,\"reports\":[")
    for index in reports.indices {
      if index > 0 { out.append(",") }
      let report = reports[index]
      out.append(report.span)
    }
    out.append("]}")
  }

  private static func hexadecimal(_ digit: UInt8) -> UInt8 {
    digit < 10 ? 0x30 + digit : 0x57 + digit
  }
}
