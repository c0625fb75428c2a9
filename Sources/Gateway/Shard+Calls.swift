// Handlers of the application: starting their calls for a connection and carrying out what they ask. The reactor's
// thread.
import Buffers
import Dialects
import EventLoop
import Topics
import Wire

extension Shard where Kernel: ~Copyable {
  /// The name of a connection outside this reactor.
  func connectionID(_ slot: UInt32) -> ConnectionID {
    ConnectionID(reactor: number, token: connections.token(of: slot))
  }

  // MARK: Calls of a connection

  /// Starts a call of a handler for a connection; one that is `ordered` begins after the ordered one before it has
  /// ended. False when the connection or the gateway has as many calls as are allowed. The task is cancelled when the
  /// connection goes.
  mutating func startCall(
    _ slot: UInt32, ordered: Bool, bytes: Int, _ body: @escaping @Sendable () async -> Void
  ) -> Bool {
    if let conversation = conversations[slot] { return conversation.start(ordered: ordered, bytes: bytes, body) }
    let conversation = Conversation(id: connectionID(slot), shared: shared)
    guard conversation.start(ordered: ordered, bytes: bytes, body) else { return false }
    conversations[slot] = conversation
    connections[slot].flags.insert(.hasCalls)
    return true
  }

  /// Whether a reply of the gateway's own must wait behind ordered calls: then it is an ordered call itself.
  func hasOrderedCalls(_ slot: UInt32) -> Bool {
    connections[slot].flags.contains(.hasCalls) && conversations[slot]?.hasOrdered == true
  }

  /// Cancels the calls of a connection that goes.
  @inline(never)
  mutating func cancelCalls(_ slot: UInt32) {
    conversations.removeValue(forKey: slot)?.cancel()
    walkersBacklogs[slot] = nil
  }

  /// The connection's queue has run empty: tasks that wait for that go on.
  @inline(never)
  mutating func resumeCalls(_ slot: UInt32) { conversations[slot]?.resumeWaiters() }

  // MARK: Commands of other threads

  /// Carries out what other threads have asked for.
  @inline(__always)
  mutating func takeCommands(_ gather: inout GatherList) {
    if hasCommands { carryOutCommands(&gather) }
  }

  /// Whether something that other threads have asked for is still to be done.
  @inline(__always)
  var hasCommands: Bool {
    !commandsTaken.isEmpty || !commands.isEmpty || (behind == 0 && !commandsHeld.isEmpty)
  }

  /// In the order in which they were asked for, until the share of a turn is used up. What publishes waits while
  /// another reactor is behind, since it could be too much for it, and so does what was asked for after that, but for
  /// the answers of endpoints and connections that come from other reactors.
  @inline(never)
  private mutating func carryOutCommands(_ gather: inout GatherList) {
    if behind == 0 && !commandsHeld.isEmpty {
      commandsTaken.append(contentsOf: commandsHeld.reversed())
      commandsHeld.removeAll()
    }
    if commandsTaken.isEmpty { commandsTaken = commands.take().reversed() }
    let deadline = network.nowNanoseconds &+ Limits.turnNanoseconds
    var byteCount = 0
    while let command = commandsTaken.popLast() {
      if behind != 0 && drainDeadline == 0 && mustWait(command) {
        commandsHeld.append(command)
        effort &+= Limits.effortPerMessage
      } else {
        byteCount += command.byteCount
        effort &+= command.byteCount &+ Limits.effortPerMessage
        carryOut(command)
        flushIfLarge(&gather)
      }
      if effort < Limits.effortBetweenLooks { continue }
      effort = 0
      if network.nowNanoseconds >= deadline { break }
    }
    hasPostedToBehind = false
    if byteCount > 0 { commands.finish(byteCount) }
  }

  /// Whether a command waits while another reactor is behind.
  private func mustWait(_ command: Command) -> Bool {
    switch command {
    case .adopt, .answer: false
    case .publish, .broadcast, .emit: true
    case .text, .packet, .room, .request, .callEnded, .awaitRoom: !commandsHeld.isEmpty
    }
  }

  private mutating func carryOut(_ command: Command) {
    switch command {
    case .text(let id, let text):
      send(text, to: id)
    case .packet(let socket, let packet, let attachments):
      send(packet, attachments, to: socket)
    case .publish(let space, let name, let text):
      publish(space, name, text)
    case .broadcast(let channel, let data):
      broadcast(channel, data)
    case .answer(let id, let answer):
      if connections.isCurrent(id.token) { finishAnswer(id.token.index, answer) }
    case .emit(let emission):
      emit(emission)
    case .room(let id, let socket, let room, let joins):
      changeRoom(id, socket, room, joins: joins)
    case .request(let socket, let event, let data, let attachments, let waiter):
      request(socket, event, data, attachments, waiter)
    case .adopt(let handover):
      adopt(handover)
    case .callEnded(let id, let isOrdered):
      if connections.isCurrent(id.token) { callEnded(id.token.index, isOrdered) }
    case .awaitRoom(let id, let waiter):
      awaitRoom(id.token, waiter)
    }
  }

  /// Publishes a text as it is.
  private mutating func publish(_ space: Space, _ name: [UInt8], _ text: [UInt8]) {
    nameScratch.removeAll()
    nameScratch.append(name.span)
    guard let audience = audience(space: space.rawValue) else { return }
    scratch.removeAll()
    scratch.append(text.span)
    publishScratch(to: audience, data: 0..<0)
  }

  /// Broadcasts on a channel of the channels dialect (PROTOCOLS 2.4).
  private mutating func broadcast(_ channel: [UInt8], _ data: [UInt8]) {
    nameScratch.removeAll()
    nameScratch.append(channel.span)
    guard let audience = audience(space: Space.channels.rawValue) else { return }
    counters.add(.broadcasts)
    var quoted = ByteBuffer(capacity: channel.count + 2)
    JSONString.appendQuoted(channel.span, to: &quoted)
    var payload = ByteBuffer(capacity: data.count)
    payload.append(data.span)
    scratch.removeAll()
    let range = Self.encodeBroadcast(quoted, payload, clock, to: &scratch)
    publishScratch(to: audience, data: range)
  }

  private mutating func callEnded(_ slot: UInt32, _ isOrdered: Bool) {
    guard let conversation = conversations[slot] else { return }
    conversation.noteEnd(isOrdered: isOrdered)
    guard conversation.isIdle else { return }
    conversations.removeValue(forKey: slot)
    connections[slot].flags.remove(.hasCalls)
    if connections[slot].role == .walkers { resumeWalkers(slot) }
  }

  /// Tells a waiter at once when nothing waits to be sent, else when that has gone.
  private mutating func awaitRoom(_ token: SlabToken, _ waiter: RoomWaiter) {
    guard connections.isCurrent(token), connections[token.index].phase == .open,
      let conversation = conversations[token.index]
    else {
      waiter.fail()
      return
    }
    if connections[token.index].outbound.isBlocked {
      conversation.park(waiter)
    } else {
      waiter.resume()
    }
  }

  // MARK: Lifecycle

  /// Tells the application, where it wants to know, that a connection is open; and then also when it has gone.
  @inline(__always)
  mutating func announce(_ slot: UInt32) {
    guard shared.extensions.lifecycle != nil, connections[slot].phase == .open else { return }
    connections[slot].flags.insert(.announced)
    recordLifecycle(.connected, slot)
  }

  /// Hands an event of a connection's life to the application.
  func recordLifecycle(_ kind: LifecycleEvent.Kind, _ slot: UInt32) { recordLifecycle(kind, slot, topic: nil) }

  /// The same with a topic's name, taken from a buffer.
  @inline(__always)
  func recordSubscription(_ slot: UInt32, _ topic: borrowing ByteBuffer) {
    if shared.extensions.lifecycle != nil { recordLifecycle(.subscribed, slot, topic: topic.bytes.string) }
  }

  @inline(never)
  private func recordLifecycle(_ kind: LifecycleEvent.Kind, _ slot: UInt32, topic: String?) {
    guard let lifecycle = shared.extensions.lifecycle, let dialect = connections[slot].role.dialect else { return }
    lifecycle(
      LifecycleEvent(
        kind: kind, dialect: dialect, connection: connectionID(slot), user: userText(slot), topic: topic))
  }

  /// Who a connection is, as plain text; nil when anonymous.
  func userText(_ slot: UInt32) -> String? {
    let user = connections[slot].user
    if user == InternTable.none { return nil }
    let bytes = users.bytes(user)
    switch connections[slot].role {
    case .handlers, .channels:
      var text = ByteBuffer(capacity: bytes.count)
      // Interned as a JSON string, ready to be spliced into messages.
      JSONString.decode(bytes, JSONValue(kind: .string, start: 0, end: bytes.count), into: &text)
      return text.bytes.string
    // The public root is nobody's.
    case .walkers where !connections[slot].flags.contains(.authenticated): return nil
    // What an anonymous client calls itself proves nothing.
    case .sessions where !connections[slot].flags.contains(.authenticated): return nil
    default: return bytes.string
    }
  }
}
