// What authentication says to a WebSocket upgrade. A value on the reactor's stack.
import Wire

/// Whether an upgrade goes ahead. A sub-protocol to echo is a range of the request's bytes.
enum UpgradeVerdict {
  case accept(subprotocol: Range<Int>?)
  /// Open, and close at once with the reason's code: a dialect's clients expect their refusal that way.
  case acceptThenClose(subprotocol: Range<Int>?, CloseReason, StaticString, Denial)
  /// Answer with the status; the text is the body, where it is not the status's own.
  case refuse(HTTPStatus, StaticString? = nil, Denial? = nil)

  /// The sub-protocol to echo.
  var subprotocol: Range<Int>? {
    switch self {
    case .accept(let range), .acceptThenClose(let range, _, _, _): range
    case .refuse: nil
    }
  }
}
