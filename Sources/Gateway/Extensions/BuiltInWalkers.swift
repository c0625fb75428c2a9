// The walkers that every gateway has: those of the dialect's own documentation (PROTOCOLS 5.3). Stateless; any thread.
import Buffers
import Dialects

/// The built-in walkers. An application replaces one by registering its own under the same name.
enum BuiltInWalkers {
  /// All of them.
  static let all = [yourEventName, sendChatToUser, sendChatToGroup, sendChatToClient]

  /// `your_event_name {val: int}` reports a sentence; over sockets only.
  private static let yourEventName = Walker("your_event_name", fields: [Walker.Field("val", .integer)]) { call in
    call.reply(Array("\"Do something!\"".utf8))
  }

  /// `send_chat_to_user {root_id: str}` notifies every socket of a user.
  private static let sendChatToUser = chat("send_chat_to_user", field: "root_id") { call, id in
    guard WalkersRoot.isValid(id) else { throw HandlerError.rejected("[\(id)] is not a valid reference!") }
    call.outlet.notify(users: [id], data: message)
  }

  /// `send_chat_to_group {channel_id: str}` notifies every socket in a channel.
  private static let sendChatToGroup = chat("send_chat_to_group", field: "channel_id") { call, id in
    call.outlet.notify(channels: [id], data: message)
  }

  /// `send_chat_to_client {client_id: str}` notifies one client.
  private static let sendChatToClient = chat("send_chat_to_client", field: "client_id") { call, id in
    call.outlet.notify(clients: [id], data: message)
  }

  private static let message = Array(#"{"type":"chat","data":{"message":"string"}}"#.utf8)

  /// A walker over sockets and requests that does something with the string in one field and reports nothing.
  private static func chat(
    _ name: String, field: StaticString, _ body: @escaping @Sendable (Call, String) throws -> Void
  ) -> Walker {
    let fields = [Walker.Field("\(field)", .string)]
    return Walker(name, fields: fields, methods: [.websocket, .post]) { call in
      var id = ByteBuffer()
      // The context has been checked, so the field is there.
      let context = call.context
      _ = WalkersContext.string(field, in: context.span, into: &id)
      try body(call, id.bytes.string)
    }
  }
}

extension Extensions {
  /// These, and the built-in walkers under names that the application has not taken.
  func addingBuiltInWalkers() -> Extensions {
    var all = self
    for walker in BuiltInWalkers.all where all.walkers[walker.name] == nil { all.walkers[walker.name] = walker }
    return all
  }
}
