// The handlers dialect, sending side: the answers that the gateway gives itself. Any thread.
import Buffers
import Wire

/// Writes the server messages of the handlers dialect (PROTOCOLS 1.3).
public enum HandlersEncoder {
  /// Appends one whole message to `out`, which the caller has emptied. All are JSON but the one for an unknown type.
  public static func append(_ reply: HandlersReply, to out: inout ByteBuffer) {
    switch reply {
    case .userMessage: out.append("{\"type\":\"user_message\",\"message\":\"User message received\"}")
    case .systemMessage: out.append("{\"type\":\"system_message\",\"message\":\"System message received\"}")
    case .pong: out.append("{\"type\":\"pong\",\"message\":\"Pong\"}")
    case .unknownType: out.append("Unknown message type")
    case .invalidJSON: out.append("{\"type\":\"error\",\"message\":\"Invalid JSON format\"}")
    case .handlerFailed: out.append("{\"type\":\"error\",\"message\":\"Handler failed\"}")
    case .handlerTimedOut: out.append("{\"type\":\"error\",\"message\":\"Handler timed out\"}")
    case .tooManyRequests: out.append("{\"type\":\"error\",\"message\":\"Too many requests\"}")
    }
  }

  /// Appends an error with a text of the application's own, plain UTF-8.
  public static func appendError(_ text: Span<UInt8>, to out: inout ByteBuffer) {
    out.append("{\"type\":\"error\",\"message\":")
    JSONString.appendQuoted(text, to: &out)
    out.append("}")
  }
}
