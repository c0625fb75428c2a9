// Placeholders of binary attachments inside the JSON of a Socket.IO packet: found and checked in one pass; pure.

import Buffers

/// Objects like `{"_placeholder":true,"num":0}`, which stand where an attachment belongs (PROTOCOLS 3.5).
public enum SocketIOPlaceholders {
  /// What is known of an object whose end has not been reached.
  private struct Open {
    var isPlaceholder = false
    /// `num`, or -1.
    var number = -1
  }

  /// Which of the `attachments` are asked for by the scanned value `json`, one bit each. A placeholder whose `num` is
  /// not the number of one of them is refused. One pass.
  public static func scan(_ json: Span<UInt8>, attachments: Int) throws(SocketIOFault) -> UInt32 {
    var asked: UInt32 = 0
    var open: [Open] = []
    var position = 0
    while position < json.count {
      switch json[position] {
      case JSONByte.braceOpen, JSONByte.bracketOpen:
        open.append(Open())
        position += 1
      case JSONByte.braceClose, JSONByte.bracketClose:
        if let closed = open.popLast(), closed.isPlaceholder {
          guard closed.number >= 0 && closed.number < attachments else { throw .placeholder }
          asked |= 1 << UInt32(truncatingIfNeeded: closed.number)
        }
        position += 1
      case JSONByte.quote:
        let start = position
        let end = JSONWalk.stringEnd(json, start)
        position = JSONWalk.skipSpace(json, end)
        // Only a member's name has a colon behind it.
        guard position < json.count && json[position] == JSONByte.colon, !open.isEmpty else { continue }
        position = JSONWalk.skipSpace(json, position + 1)
        let name = JSONValue(kind: .string, start: start, end: end).contents
        note(json, name, valueAt: position, &open[open.count - 1])
      default:
        position += 1
      }
    }
    return asked
  }

  private static let keys = JSONKeySet("_placeholder", "num")

  /// Takes over what the member `name`, whose value begins at `start`, says of its object; the last of two counts.
  private static func note(_ json: Span<UInt8>, _ name: Range<Int>, valueAt start: Int, _ object: inout Open) {
    let hasEscapes = JSONLexer.nextSpecial(json, name.lowerBound, name.upperBound) < name.upperBound
    switch keys.index(json, name, hasEscapes: hasEscapes) {
    case 0: object.isPlaceholder = start < json.count && json[start] == UInt8(ascii: "t")
    case 1: object.number = number(json.extracting(start..<JSONWalk.valueEnd(json, start)))
    default: break
    }
  }

  /// The number of an attachment; -1 for anything that is not one or two digits.
  private static func number(_ text: Span<UInt8>) -> Int {
    guard text.count == 1 || text.count == 2 else { return -1 }
    var value = 0
    for index in text.indices {
      let digit = text[index] &- JSONByte.zero
      guard digit < 10 else { return -1 }
      value = value * 10 + Int(digit)
    }
    return value
  }
}
