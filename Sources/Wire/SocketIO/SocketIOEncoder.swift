// Socket.IO packets in their text form, written. Any thread.

import Buffers

/// Writes packets of Socket.IO protocol 5, without the `4` of the Engine.IO message around them (PROTOCOLS 3.5).
public enum SocketIOEncoder {
  /// Begins a packet: its type, the number of its attachments where the type has them, its namespace, its
  /// acknowledgement id. The payload, raw JSON, comes next.
  ///
  /// `namespace` is written as it came from the client, without a comma, and empty for the default one; `id` is -1 for
  /// none.
  public static func begin(
    _ kind: SocketIOPacket.Kind, namespace: Span<UInt8>, attachments: Int = 0, id: Int = -1,
    to out: inout ByteBuffer
  ) {
    out.append(UInt8(ascii: "0") + kind.rawValue)
    if kind == .binaryEvent || kind == .binaryAcknowledgement {
      out.append(decimal: attachments)
      out.append(UInt8(ascii: "-"))
    }
    if namespace.count > 0 {
      out.append(namespace)
      out.append(JSONByte.comma)
    }
    if id >= 0 { out.append(decimal: id) }
  }

  /// A whole packet that lets a client into a namespace. `socketId` is plain text.
  public static func appendConnected(namespace: Span<UInt8>, socketId: Span<UInt8>, to out: inout ByteBuffer) {
    begin(.connect, namespace: namespace, to: &out)
    out.append("{\"sid\":")
    JSONString.appendQuoted(socketId, to: &out)
    out.append("}")
  }

  /// A whole packet that keeps a client out of a namespace. `message` is plain text.
  public static func appendRefusal(namespace: Span<UInt8>, _ message: StaticString, to out: inout ByteBuffer) {
    begin(.connectError, namespace: namespace, to: &out)
    out.append("{\"message\":\"")
    out.append(message)
    out.append("\"}")
  }

  /// A whole packet that ends a client's stay in a namespace.
  public static func appendDisconnect(namespace: Span<UInt8>, to out: inout ByteBuffer) {
    begin(.disconnect, namespace: namespace, to: &out)
  }
}
