// Looking up one member of an object inside scanned JSON, where a key set does not reach. Pure; any thread.

import Buffers

/// Members of objects at any place of a scanned document.
public enum JSONMember {
  /// The last member of the scanned `object` of `bytes` whose name spells `name`; nil when there is none, or when the
  /// value is no object. One pass over the object.
  public static func value(_ name: StaticString, of object: JSONValue, in bytes: Span<UInt8>) -> JSONValue? {
    guard object.kind == .object else { return nil }
    var wanted = ByteBuffer(capacity: name.utf8CodeUnitCount)
    wanted.append(name)
    let text = wanted.bytes
    var found: JSONValue?
    var children = JSONWalk.Children(bytes, object.start)
    while let child = children.next(bytes) {
      if JSONText.equal(bytes, child.key, text, 0..<text.count) { found = child.value }
    }
    return found
  }
}
