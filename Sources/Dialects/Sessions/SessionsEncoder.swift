// The sessions dialect, sending side: published messages, with the publisher's own strings spliced in. Any thread.
import Buffers
import Wire

/// Writes the server messages of the sessions dialect (PROTOCOLS 4.3). Every function appends one whole message to
/// `out`, which the caller has emptied.
public enum SessionsEncoder {
  /// A published message: each member as the client sent it in `message`, or its default. `session` is the
  /// connection's own session, plain UTF-8, for a publish that names none.
  public static func appendMessage(
    in message: Span<UInt8>, _ publication: SessionsPublication, session: Span<UInt8>, to out: inout ByteBuffer
  ) {
    out.append("{\"publisher_name\":")
    append(message, publication.publisher, otherwise: "\"<unknown>\"", &out)
    out.append(",\"topic\":")
    append(message, publication.topic, otherwise: "\"<none>\"", &out)
    out.append(",\"payload\":")
    append(message, publication.payload, otherwise: "\"\"", &out)
    out.append(",\"timestamp\":")
    append(message, publication.timestamp, otherwise: "\"\"", &out)
    out.append(",\"session_id\":")
    if let own = publication.session {
      out.append(message.extracting(own.range))
    } else {
      JSONString.appendQuoted(session, to: &out)
    }
    out.append("}")
  }

  /// A message of the gateway's own or of an application's. All are plain UTF-8.
  public static func appendMessage(
    publisher: Span<UInt8>, topic: Span<UInt8>, payload: Span<UInt8>, timestamp: Span<UInt8>, session: Span<UInt8>,
    to out: inout ByteBuffer
  ) {
    out.append("{\"publisher_name\":")
    JSONString.appendQuoted(publisher, to: &out)
    out.append(",\"topic\":")
    JSONString.appendQuoted(topic, to: &out)
    out.append(",\"payload\":")
    JSONString.appendQuoted(payload, to: &out)
    out.append(",\"timestamp\":")
    JSONString.appendQuoted(timestamp, to: &out)
    out.append(",\"session_id\":")
    JSONString.appendQuoted(session, to: &out)
    out.append("}")
  }

  /// The answer to ping: four bytes, not JSON.
  public static func appendPong(to out: inout ByteBuffer) { out.append("pong") }

  private static func append(
    _ message: Span<UInt8>, _ value: JSONValue?, otherwise missing: StaticString, _ out: inout ByteBuffer
  ) {
    if let value { out.append(message.extracting(value.range)) } else { out.append(missing) }
  }
}
