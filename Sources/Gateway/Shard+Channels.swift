// The channels dialect on a live connection: carries out what a session's action asks for. The reactor's thread.
import Buffers
import Dialects
import EventLoop
import Topics
import Wire

extension Shard where Kernel: ~Copyable {
  /// The first message of a connection (PROTOCOLS 2.1).
  mutating func welcomeChannels(_ slot: UInt32) {
    scratch.removeAll()
    nameScratch.removeAll()
    nameScratch.append(string: shared.configuration.channels.welcomeMessage)
    Self.encodeWelcome(nameScratch, users, connections[slot].user, to: &scratch)
    replyWithScratch(slot)
  }

  /// Carries out one message. Text has been validated as it arrived; a binary message has not.
  mutating func receiveChannels(_ slot: UInt32, _ opcode: Opcode, _ message: Span<UInt8>) {
    if opcode == .binary && !UTF8Validator.isValid(message) {
      refuseChannels(slot, .invalidJSON, message)
      return
    }
    switch ChannelsSession.receive(message) {
    case .publish(let channel, let payload):
      publishChannels(slot, message, channel, payload)
    case .subscribe(let channel, let filters):
      subscribeChannels(slot, message, channel, filters)
    case .unsubscribe(let channel):
      unsubscribeChannels(slot, message, channel)
    case .ping:
      scratch.removeAll()
      ChannelsEncoder.appendPong(milliseconds: clock.milliseconds, to: &scratch)
      replyWithScratch(slot)
    case .refuse(let refusal):
      refuseChannels(slot, refusal, message)
    }
  }

  private mutating func refuseChannels(_ slot: UInt32, _ refusal: ChannelsRefusal, _ message: Span<UInt8>) {
    countRefusal(slot, Refusal(refusal))
    scratch.removeAll()
    ChannelsEncoder.appendError(refusal, in: message, to: &scratch)
    replyWithScratch(slot)
  }

  /// Decodes a channel's name into `nameScratch`; false, and the error is sent, when it may not be used.
  private mutating func decodeChannel(_ slot: UInt32, _ message: Span<UInt8>, _ channel: JSONValue) -> Bool {
    nameScratch.removeAll()
    // An escape is six bytes for one at most: a longer raw text cannot be a name within the limit.
    if channel.end - channel.start <= limits.channelNameBytesMax * 6 + 2 {
      JSONString.decode(message, channel, into: &nameScratch)
      if ChannelsSession.isValidChannel(nameScratch.bytes, bytesMax: limits.channelNameBytesMax) { return true }
    }
    refuseChannels(slot, .invalidChannel, message)
    return false
  }

  /// Closes the run before a subscription changes; false when that found this very connection too slow. Before the
  /// topic's name is decoded, because closing a slow subscriber uses `nameScratch` too.
  mutating func prepareChange(_ slot: UInt32) -> Bool {
    closeRun()
    return connections[slot].phase == .open
  }

  private mutating func subscribeChannels(
    _ slot: UInt32, _ message: Span<UInt8>, _ channel: JSONValue, _ filters: JSONValue?
  ) {
    guard prepareChange(slot), decodeChannel(slot, message, channel) else { return }
    var filter: Range<Int>?
    if let filters {
      switch JSONFilter.shape(message, filters) {
      case .everything: break
      case .members where filters.end - filters.start <= limits.filterBytesMax: filter = filters.range
      case .members, .invalid:
        refuseChannels(slot, .invalidFilters, message)
        return
      }
    }
    let hash = TopicTable.hash(nameScratch.bytes, space: Space.channels.rawValue)
    // At the limit only what changes nothing may still be acknowledged.
    let isFull = Int(connections[slot].subscriptions.count) >= limits.subscriptionsPerConnectionMax
    if isFull
      && !topics.isSubscribed(
        connections[slot].subscriptions, nameScratch.bytes, space: Space.channels.rawValue, hash: hash)
    {
      refuseChannels(slot, .tooManySubscriptions, message)
      return
    }
    // The optional is of a span, which a conditional expression cannot carry; hence the two calls.
    let outcome: SubscribeOutcome
    if let filter {
      outcome = topics.subscribe(
        slot, &connections[slot].subscriptions, nameScratch, space: Space.channels.rawValue, hash: hash,
        filter: message.extracting(filter))
    } else {
      outcome = topics.subscribe(
        slot, &connections[slot].subscriptions, nameScratch, space: Space.channels.rawValue, hash: hash)
    }
    if outcome == .tooManyFilters {
      refuseChannels(slot, .tooManySubscriptions, message)
      return
    }
    // The subscription is visible to every reactor by now (PROTOCOLS G10), so it may be acknowledged.
    recordSubscription(slot, nameScratch)
    scratch.removeAll()
    ChannelsEncoder.appendSubscribed(in: message, channel: channel, filters: filters, to: &scratch)
    replyWithScratch(slot)
  }

  private mutating func unsubscribeChannels(_ slot: UInt32, _ message: Span<UInt8>, _ channel: JSONValue) {
    guard prepareChange(slot), decodeChannel(slot, message, channel) else { return }
    let hash = TopicTable.hash(nameScratch.bytes, space: Space.channels.rawValue)
    _ = topics.unsubscribe(
      &connections[slot].subscriptions, nameScratch, space: Space.channels.rawValue, hash: hash)
    scratch.removeAll()
    ChannelsEncoder.appendUnsubscribed(in: message, channel: channel, to: &scratch)
    replyWithScratch(slot)
  }

  private mutating func publishChannels(
    _ slot: UInt32, _ message: Span<UInt8>, _ channel: JSONValue, _ payload: JSONValue?
  ) {
    guard decodeChannel(slot, message, channel) else { return }
    counters.add(.publishes)
    guard let audience = audience(space: Space.channels.rawValue) else { return }
    scratch.removeAll()
    let data = Self.encodeMessage(message, channel, payload, users, connections[slot].user, clock, to: &scratch)
    publishScratch(to: audience, data: data)
  }

  /// Broadcasts `system_health` on the channel `telemetry`: the share of time that this reactor has spent waiting since
  /// the last time, in percent (PROTOCOLS 2.4).
  mutating func broadcastTelemetry() {
    let interval = UInt64(shared.configuration.channels.telemetryIntervalMilliseconds)
    let elapsed = now &- telemetryMilliseconds &+ interval
    telemetryMilliseconds = now + interval
    let busy = counters[.busyNanoseconds] &- telemetryBusyNanoseconds
    telemetryBusyNanoseconds = counters[.busyNanoseconds]
    nameScratch.removeAll()
    nameScratch.append("telemetry")
    guard let audience = audience(space: Space.channels.rawValue) else { return }
    counters.add(.broadcasts)
    // In hundredths of a percent, so that two decimals can be written without floating-point text.
    let idle = 10_000 - min(10_000, Int(clamping: busy / max(1, elapsed * 100)))
    var data = ByteBuffer(capacity: 64)
    data.append("{\"metric\":\"system_health\",\"value\":")
    data.append(decimal: idle / 100)
    if idle % 100 != 0 {
      data.append(idle % 100 < 10 ? ".0" : ".")
      data.append(decimal: idle % 100)
    }
    data.append("}")
    var channel = ByteBuffer(capacity: 16)
    channel.append("\"telemetry\"")
    scratch.removeAll()
    let range = Self.encodeBroadcast(channel, data, clock, to: &scratch)
    publishScratch(to: audience, data: range)
  }

  // MARK: Encoding with what the shard knows

  private static func encodeWelcome(
    _ text: borrowing ByteBuffer, _ users: borrowing InternTable, _ user: UInt32, to out: inout ByteBuffer
  ) {
    ChannelsEncoder.appendWelcome(text.bytes, userId: users.bytes(user), to: &out)
  }

  private static func encodeMessage(
    _ message: Span<UInt8>, _ channel: JSONValue, _ payload: JSONValue?, _ users: borrowing InternTable,
    _ user: UInt32, _ clock: borrowing TimestampClock, to out: inout ByteBuffer
  ) -> Range<Int> {
    ChannelsEncoder.appendMessage(
      in: message, channel: channel, payload: payload, from: users.bytes(user), timestamp: clock.iso, to: &out)
  }

  static func encodeBroadcast(
    _ channel: borrowing ByteBuffer, _ data: borrowing ByteBuffer, _ clock: borrowing TimestampClock,
    to out: inout ByteBuffer
  ) -> Range<Int> {
    ChannelsEncoder.appendBroadcast(channel: channel.bytes, data: data.bytes, timestamp: clock.iso, to: &out)
  }
}
