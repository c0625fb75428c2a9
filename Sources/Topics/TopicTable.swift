// One reactor's shard of the subscriber tables: topics, who is subscribed, and with which filters. That reactor's
// thread only.
import Buffers

/// One subscriber of a topic, as a publish sees it.
public struct Member: BitwiseCopyable, Sendable, Equatable {
  /// The connection's slot in the reactor's slab.
  public let connection: UInt32
  /// The subscription in this table.
  public let subscription: UInt32
}

/// The subscriptions of one connection: the head of a list in its reactor's `TopicTable`. Lives in the connection.
public struct SubscriptionList: BitwiseCopyable, Sendable {
  @usableFromInline var head: UInt32 = .max
  /// Subscriptions in the list.
  public internal(set) var count: UInt32 = 0

  public init() {}
}

/// What a subscribe came to.
public enum SubscribeOutcome: Sendable, Equatable {
  case subscribed
  /// The same subscription was there before.
  case already
  /// The topic has as many filters from this connection as are allowed.
  case tooManyFilters
}

/// Topics and their subscribers on one reactor.
///
/// A topic's name is interned together with a *space*, a small number that keeps the dialects apart. Members lie in a
/// dense array, so that a publish walks contiguous memory; leaving swaps the last member into the gap. A connection is
/// a member of a topic once, however often it subscribed: either plainly, and then gets everything, or with one or more
/// filters.
public struct TopicTable: ~Copyable {
  /// Filters of one connection on one topic. Each is compared against every message of the topic.
  public static var filtersPerSubscriptionMax: Int { 16 }

  static var none: UInt32 { .max }

  struct Topic: BitwiseCopyable {
    var plain = PackedList<Member>()
    var filtered = PackedList<Member>()
  }

  struct Subscription: BitwiseCopyable {
    var topic: UInt32
    var connection: UInt32
    /// Where it stands in the topic's plain or filtered members.
    var position: UInt32
    /// The connection's next subscription.
    var next: UInt32
    /// The first of its filters; `none` for a plain subscription.
    var filters: UInt32
  }

  struct FilterNode: BitwiseCopyable {
    /// The filter's text, interned.
    var text: UInt32
    var next: UInt32
  }

  var names = InternTable()
  var topics = GrowableArray<Topic>()
  var subscriptions = GrowableArray<Subscription>()
  var freeSubscriptions = GrowableArray<UInt32>()
  var filterTexts = InternTable()
  var filterNodes = GrowableArray<FilterNode>()
  var freeFilterNodes = GrowableArray<UInt32>()
  /// Topics of this reactor in each interest bucket; empty when there is only one reactor.
  var bucketCounts: GrowableArray<UInt32>
  let interest: Interest?
  let reactor: Int
  /// Subscriptions at present.
  public private(set) var subscriptionCount = 0

  /// An empty table for reactor number `reactor`; `interest` is shared with the others, nil when there are none.
  public init(reactor: Int, interest: Interest?) {
    self.reactor = reactor
    self.interest = interest
    bucketCounts = GrowableArray(repeating: 0, count: interest == nil ? 0 : Interest.bucketCount)
  }

  deinit {
    for index in 0..<topics.count {
      var topic = topics[index]
      topic.plain.deallocate()
      topic.filtered.deallocate()
    }
  }

  /// Topics with at least one subscriber.
  public var topicCount: Int { names.count }

  // MARK: Looking up

  /// The hash of a topic's name, by which all the other calls find it.
  @inlinable
  public static func hash(_ name: Span<UInt8>, space: UInt8) -> UInt32 { InternTable.hash(name, space: space) }

  /// The topic of a name, if it has subscribers here.
  public func find(_ name: Span<UInt8>, space: UInt8, hash: UInt32) -> UInt32? {
    names.find(name, space: space, hash: hash)
  }

  /// Subscribers that get every message of the topic.
  @_lifetime(borrow self)
  public func members(of topic: UInt32) -> Span<Member> { topics[Int(topic)].plain.span(owner: self) }

  /// Subscribers that get the messages which one of their filters matches.
  @_lifetime(borrow self)
  public func filteredMembers(of topic: UInt32) -> Span<Member> { topics[Int(topic)].filtered.span(owner: self) }

  /// Whether the topic has filtered subscribers.
  public func hasFilteredMembers(_ topic: UInt32) -> Bool { topics[Int(topic)].filtered.count > 0 }

  /// The first filter of a subscription; nil when it has none.
  public func firstFilter(of subscription: UInt32) -> UInt32? {
    let node = subscriptions[Int(subscription)].filters
    return node == Self.none ? nil : node
  }

  /// The filter after `node` in the same subscription.
  public func nextFilter(after node: UInt32) -> UInt32? {
    let next = filterNodes[Int(node)].next
    return next == Self.none ? nil : next
  }

  /// A small number for the filter's text: equal texts have equal numbers, below `filterTextEnd`.
  public func filterText(of node: UInt32) -> UInt32 { filterNodes[Int(node)].text }
  /// One past the largest filter text number.
  public var filterTextEnd: Int { filterTexts.idEnd }
  /// The text of a filter.
  @_lifetime(borrow self)
  public func filterBytes(_ text: UInt32) -> Span<UInt8> { filterTexts.bytes(text) }

  // MARK: Subscribing

  /// Subscribes a connection, plainly or with a filter (its raw text). Other reactors' publishes see it once this
  /// returns.
  public mutating func subscribe(
    _ connection: UInt32, _ list: inout SubscriptionList, _ name: borrowing ByteBuffer, space: UInt8, hash: UInt32,
    filter: Span<UInt8>? = nil
  ) -> SubscribeOutcome {
    if let topic = names.find(name.bytes, space: space, hash: hash), let found = subscription(list, topic) {
      return widen(found, filter)
    }
    let topic = enter(name.bytes, space: space, hash: hash)
    let record = Subscription(
      topic: topic, connection: connection, position: 0, next: list.head, filters: Self.none)
    let index: UInt32
    if let reused = freeSubscriptions.popLast() {
      index = reused
      subscriptions[Int(index)] = record
    } else {
      index = UInt32(subscriptions.count)
      subscriptions.append(record)
    }
    list.head = index
    list.count += 1
    subscriptionCount += 1
    if let filter { addFilter(index, filter) }
    join(index)
    return .subscribed
  }

  /// Whether a connection is subscribed to a topic.
  public func isSubscribed(_ list: SubscriptionList, _ name: Span<UInt8>, space: UInt8, hash: UInt32) -> Bool {
    guard let topic = names.find(name, space: space, hash: hash) else { return false }
    return subscription(list, topic) != nil
  }

  /// Calls `body` with the name of each topic that a connection is subscribed to, the latest first.
  public func forEachName(_ list: SubscriptionList, _ body: (Span<UInt8>) -> Void) {
    var index = list.head
    while index != Self.none {
      body(names.bytes(subscriptions[Int(index)].topic))
      index = subscriptions[Int(index)].next
    }
  }

  /// Ends a connection's subscription to a topic, filters and all; false when there was none.
  public mutating func unsubscribe(
    _ list: inout SubscriptionList, _ name: borrowing ByteBuffer, space: UInt8, hash: UInt32
  ) -> Bool {
    guard let topic = names.find(name.bytes, space: space, hash: hash) else { return false }
    var previous = Self.none
    var index = list.head
    while index != Self.none && subscriptions[Int(index)].topic != topic {
      previous = index
      index = subscriptions[Int(index)].next
    }
    if index == Self.none { return false }
    let next = subscriptions[Int(index)].next
    if previous == Self.none {
      list.head = next
    } else {
      subscriptions[Int(previous)].next = next
    }
    list.count -= 1
    end(index)
    return true
  }

  /// Ends those of a connection's subscriptions whose topic's name satisfies the condition.
  public mutating func unsubscribe(_ list: inout SubscriptionList, where condition: (Span<UInt8>) -> Bool) {
    var previous = Self.none
    var index = list.head
    while index != Self.none {
      let next = subscriptions[Int(index)].next
      if condition(names.bytes(subscriptions[Int(index)].topic)) {
        if previous == Self.none { list.head = next } else { subscriptions[Int(previous)].next = next }
        list.count -= 1
        end(index)
      } else {
        previous = index
      }
      index = next
    }
  }

  /// Ends every subscription of a connection.
  public mutating func unsubscribeAll(_ list: inout SubscriptionList) {
    var index = list.head
    while index != Self.none {
      let next = subscriptions[Int(index)].next
      end(index)
      index = next
    }
    list = SubscriptionList()
  }

  // MARK: Inside

  /// The connection's subscription to a topic.
  func subscription(_ list: SubscriptionList, _ topic: UInt32) -> UInt32? {
    var index = list.head
    while index != Self.none {
      if subscriptions[Int(index)].topic == topic { return index }
      index = subscriptions[Int(index)].next
    }
    return nil
  }

  /// Adds to a subscription that exists: a plain one takes everything in already; a filter is one more alternative.
  private mutating func widen(_ index: UInt32, _ filter: Span<UInt8>?) -> SubscribeOutcome {
    if subscriptions[Int(index)].filters == Self.none { return .already }
    guard let filter else {
      leave(index)
      dropFilters(index)
      join(index)
      return .subscribed
    }
    var count = 0
    var node = subscriptions[Int(index)].filters
    while node != Self.none {
      if filterTexts.bytes(filterNodes[Int(node)].text).equals(filter) { return .already }
      count += 1
      node = filterNodes[Int(node)].next
    }
    if count >= Self.filtersPerSubscriptionMax { return .tooManyFilters }
    addFilter(index, filter)
    return .subscribed
  }

  /// One more subscription on a topic, which is created if need be.
  private mutating func enter(_ name: Span<UInt8>, space: UInt8, hash: UInt32) -> UInt32 {
    let before = names.count
    let topic = names.intern(name, space: space, hash: hash)
    if names.count == before { return topic }
    if Int(topic) == topics.count {
      topics.append(Topic())
    } else {
      topics[Int(topic)] = Topic()
    }
    if let interest {
      let bucket = Interest.bucket(hash)
      bucketCounts[bucket] += 1
      if bucketCounts[bucket] == 1 { interest.enter(bucket, reactor: reactor) }
    }
    return topic
  }

  /// Frees a subscription that its connection no longer lists.
  private mutating func end(_ index: UInt32) {
    leave(index)
    dropFilters(index)
    let topic = subscriptions[Int(index)].topic
    let hash = names.hash(of: topic)
    if names.release(topic) {
      topics[Int(topic)].plain.deallocate()
      topics[Int(topic)].filtered.deallocate()
      topics[Int(topic)] = Topic()
      if let interest {
        let bucket = Interest.bucket(hash)
        bucketCounts[bucket] -= 1
        if bucketCounts[bucket] == 0 { interest.leave(bucket, reactor: reactor) }
      }
    }
    freeSubscriptions.append(index)
    subscriptionCount -= 1
  }

  /// Puts a subscription among its topic's members.
  private mutating func join(_ index: UInt32) {
    let record = subscriptions[Int(index)]
    let member = Member(connection: record.connection, subscription: index)
    let topic = Int(record.topic)
    if record.filters == Self.none {
      subscriptions[Int(index)].position = topics[topic].plain.append(member)
    } else {
      subscriptions[Int(index)].position = topics[topic].filtered.append(member)
    }
  }

  /// Takes a subscription out of its topic's members; the last member takes its place.
  private mutating func leave(_ index: UInt32) {
    let record = subscriptions[Int(index)]
    let topic = Int(record.topic)
    let moved: Member?
    if record.filters == Self.none {
      moved = topics[topic].plain.swapRemove(record.position)
    } else {
      moved = topics[topic].filtered.swapRemove(record.position)
    }
    if let moved { subscriptions[Int(moved.subscription)].position = record.position }
  }

  private mutating func addFilter(_ index: UInt32, _ filter: Span<UInt8>) {
    let node = FilterNode(text: filterTexts.intern(filter), next: subscriptions[Int(index)].filters)
    if let reused = freeFilterNodes.popLast() {
      filterNodes[Int(reused)] = node
      subscriptions[Int(index)].filters = reused
    } else {
      filterNodes.append(node)
      subscriptions[Int(index)].filters = UInt32(filterNodes.count - 1)
    }
  }

  private mutating func dropFilters(_ index: UInt32) {
    var node = subscriptions[Int(index)].filters
    while node != Self.none {
      filterTexts.release(filterNodes[Int(node)].text)
      freeFilterNodes.append(node)
      node = filterNodes[Int(node)].next
    }
    subscriptions[Int(index)].filters = Self.none
  }
}
