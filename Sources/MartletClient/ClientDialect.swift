// What the client's session has to know of a protocol. Implemented by the two dialects; values, any thread.
import Buffers

/// What the gateway answers to commands with. Answers come in the order of the commands.
enum Answer: Sendable, Equatable {
  case subscribed
  case unsubscribed
  case pong
}

/// What a text message from the gateway is.
enum IncomingText<Message: Sendable>: Sendable {
  /// A message for the subscribers of `topic`.
  case message(topic: String, Message)
  case answer(Answer)
  /// The gateway refuses something that this client sent; its text.
  case failure(String)
  /// Anything else, to be passed over.
  case other
}

/// A protocol, as text messages in both directions.
protocol ClientDialect: Sendable {
  associatedtype Message: Sendable

  /// What is sent first on every connection.
  var greeting: [[UInt8]] { get }
  /// A command whose answer, `pong`, says that everything sent before it has been processed.
  var ping: [UInt8] { get }
  /// The answer to the last of the messages of `subscribe`.
  var subscribeAnswer: Answer { get }
  /// The answer to `unsubscribe`; nil when there is none.
  var unsubscribeAnswer: Answer? { get }

  /// The messages that subscribe to a topic. `filters` is JSON.
  func subscribe(_ topic: String, filters: [UInt8]?) -> [[UInt8]]
  func unsubscribe(_ topic: String) -> [UInt8]
  /// Reads a message: UTF-8 that has been validated.
  func read(_ text: Span<UInt8>) -> IncomingText<Message>
  /// Whether a subscription with these filters wants the message. Asked when a topic has several subscriptions, because
  /// the gateway delivers once per connection what any of them wants.
  func admits(_ filters: [UInt8], _ message: Message) -> Bool
}
