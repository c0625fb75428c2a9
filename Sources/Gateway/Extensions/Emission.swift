// What an application sends to a room of the events dialect, on its way to a reactor. Made on any thread.
import Dialects
import EventLoop

/// An event for everyone in a room.
struct Emission: Sendable {
  let event: String
  /// Raw JSON.
  let data: [UInt8]
  /// Binary attachments, which `data` names by placeholders. Native clients cannot be sent any, and get nothing of it.
  private(set) var attachments: [[UInt8]] = []
  let room: [UInt8]
  /// Where one is named, only those who joined it.
  var namespace: SocketIONamespace?
  /// Who does not get it, though it is in the room.
  let sender: EventSender?

  init(event: String, data: [UInt8], room: String, sender: EventSender? = nil) {
    self.event = event
    self.data = data
    self.room = [UInt8](room.utf8)
    self.sender = sender
  }

  /// The same with attachments. Throws `AttachmentError` where they do not fit the data.
  func carrying(_ attachments: [[UInt8]]) throws(AttachmentError) -> Emission {
    try SocketIOChannel.check(data, attachments)
    var emission = self
    emission.attachments = attachments
    return emission
  }

  /// Bytes that it keeps alive.
  var byteCount: Int { attachments.reduce(room.count + event.utf8.count + data.count) { $0 + $1.count } }
}

/// Who sent an event: a native connection, or one socket of a Socket.IO client.
struct EventSender: Sendable {
  let connection: ConnectionID
  let socket: SocketIOReference?
}
