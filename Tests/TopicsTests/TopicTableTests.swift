// A reactor's subscriber table against dictionaries of sets, under random subscribing and leaving.
import Buffers
import TestSeeds
import Testing
import Topics

/// A table with its connections' lists, spoken to in strings.
struct TestTable: ~Copyable {
  var table: TopicTable
  var lists: [UInt32: SubscriptionList] = [:]
  /// The hash of a name; replaced where a test wants collisions.
  let hash: @Sendable (String, UInt8) -> UInt32

  init(
    reactor: Int = 0, interest: Interest? = nil,
    hash: @escaping @Sendable (String, UInt8) -> UInt32 = { TopicTable.hash(Array($0.utf8).span, space: $1) }
  ) {
    table = TopicTable(reactor: reactor, interest: interest)
    self.hash = hash
  }

  mutating func subscribe(
    _ connection: UInt32, _ name: String, space: UInt8 = 1, filter: String? = nil
  ) -> SubscribeOutcome {
    var buffer = ByteBuffer()
    buffer.append(string: name)
    var list = lists[connection] ?? SubscriptionList()
    let outcome: SubscribeOutcome
    if let filter {
      let bytes = Array(filter.utf8)
      outcome = table.subscribe(
        connection, &list, buffer, space: space, hash: hash(name, space), filter: bytes.span)
    } else {
      outcome = table.subscribe(connection, &list, buffer, space: space, hash: hash(name, space))
    }
    lists[connection] = list
    return outcome
  }

  mutating func unsubscribe(_ connection: UInt32, _ name: String, space: UInt8 = 1) -> Bool {
    var buffer = ByteBuffer()
    buffer.append(string: name)
    var list = lists[connection] ?? SubscriptionList()
    let wasThere = table.unsubscribe(&list, buffer, space: space, hash: hash(name, space))
    lists[connection] = list
    return wasThere
  }

  mutating func unsubscribeAll(_ connection: UInt32) {
    var list = lists[connection] ?? SubscriptionList()
    table.unsubscribeAll(&list)
    lists[connection] = list
  }

  func find(_ name: String, space: UInt8 = 1) -> UInt32? {
    table.find(Array(name.utf8).span, space: space, hash: hash(name, space))
  }

  func isSubscribed(_ connection: UInt32, _ name: String, space: UInt8 = 1) -> Bool {
    table.isSubscribed(
      lists[connection] ?? SubscriptionList(), Array(name.utf8).span, space: space, hash: hash(name, space))
  }

  func count(_ connection: UInt32) -> Int { Int(lists[connection]?.count ?? 0) }

  /// Plain subscribers in the order of the table; a repeated one would be delivered to twice.
  func plain(_ name: String, space: UInt8 = 1) -> [UInt32] {
    guard let topic = find(name, space: space) else { return [] }
    let members = table.members(of: topic)
    return members.indices.map { members[$0].connection }
  }

  /// Filtered subscribers with the texts of their filters, in order of age.
  func filtered(_ name: String, space: UInt8 = 1) -> [UInt32: [String]] {
    guard let topic = find(name, space: space) else { return [:] }
    let members = table.filteredMembers(of: topic)
    var found: [UInt32: [String]] = [:]
    for index in members.indices {
      var texts: [String] = []
      var node = table.firstFilter(of: members[index].subscription)
      while let filter = node {
        texts.insert(table.filterBytes(table.filterText(of: filter)).string, at: 0)
        node = table.nextFilter(after: filter)
      }
      found[members[index].connection, default: []] += texts
    }
    return found
  }
}

@Suite("TopicTable")
struct TopicTableTests {
  struct Topic: Hashable {
    let name: String
    let space: UInt8
  }

  /// The naive table: filters by connection and topic, an empty list for a plain subscription.
  struct Model {
    var subscriptions: [UInt32: [Topic: [String]]] = [:]

    mutating func subscribe(_ connection: UInt32, _ topic: Topic, _ filter: String?) -> SubscribeOutcome {
      guard var filters = subscriptions[connection]?[topic] else {
        subscriptions[connection, default: [:]][topic] = filter.map { [$0] } ?? []
        return .subscribed
      }
      if filters.isEmpty { return .already }
      guard let filter else {
        subscriptions[connection]?[topic] = []
        return .subscribed
      }
      if filters.contains(filter) { return .already }
      if filters.count >= TopicTable.filtersPerSubscriptionMax { return .tooManyFilters }
      filters.append(filter)
      subscriptions[connection]?[topic] = filters
      return .subscribed
    }

    func plain(_ topic: Topic) -> [UInt32] { subscriptions.filter { $0.value[topic] == [] }.keys.sorted() }

    func filtered(_ topic: Topic) -> [UInt32: [String]] {
      subscriptions.compactMapValues { $0[topic] }.filter { !$0.value.isEmpty }
    }

    var count: Int { subscriptions.values.reduce(0) { $0 + $1.count } }
    var topics: Set<Topic> { Set(subscriptions.values.flatMap(\.keys)) }
  }

  static let hashes: [@Sendable (String, UInt8) -> UInt32] = [
    { TopicTable.hash(Array($0.utf8).span, space: $1) },
    // Everything in one bucket and one chain.
    { _, _ in 0x0007_0007 },
    // Few buckets, so that several topics share an interest bit.
    { name, space in UInt32(name.utf8.count % 3) << 16 | UInt32(name.utf8.last ?? 0) << 3 | UInt32(space) },
  ]

  @Test("random subscribing and leaving gives what dictionaries of sets would", arguments: [0, 1, 2])
  func model(hashing: Int) {
    var random = SeededRandom("TopicTable model \(hashing)")
    let interest = Interest()
    var table = TestTable(reactor: 5, interest: interest, hash: Self.hashes[hashing])
    var model = Model()
    let topics = (0..<40).map { number in
      Topic(name: String(repeating: "n", count: number % 7) + "\(number / 2)", space: UInt8(1 + number % 2))
    }
    for step in 0..<4_000 {
      let connection = UInt32(random.below(25))
      let topic = topics[random.below(topics.count)]
      switch random.below(12) {
      case 0...6:
        let filter = random.below(3) == 0 ? nil : "{\"k\":\(random.below(20))}"
        let outcome = table.subscribe(connection, topic.name, space: topic.space, filter: filter)
        #expect(outcome == model.subscribe(connection, topic, filter), "seed \(random.seed)")
      case 7...10:
        let wasThere = table.unsubscribe(connection, topic.name, space: topic.space)
        #expect(wasThere == (model.subscriptions[connection]?[topic] != nil), "seed \(random.seed)")
        model.subscriptions[connection]?[topic] = nil
      default:
        // Rarely, or hardly anything would grow.
        if random.below(4) == 0 {
          table.unsubscribeAll(connection)
          model.subscriptions[connection] = nil
        }
      }
      Self.compare(table, model, topic, connection, random.seed)
      if step % 1_000 == 0 {
        for topic in topics { Self.compare(table, model, topic, connection, random.seed) }
        Self.compareInterest(table, interest, model, random.seed)
      }
    }
    for connection in 0..<UInt32(25) { table.unsubscribeAll(connection) }
    let (count, topicCount) = (table.table.subscriptionCount, table.table.topicCount)
    #expect(count == 0 && topicCount == 0, "seed \(random.seed)")
    Self.compareInterest(table, interest, Model(), random.seed)
  }

  static func compare(
    _ table: borrowing TestTable, _ model: Model, _ topic: Topic, _ connection: UInt32, _ seed: UInt64
  ) {
    let plain = table.plain(topic.name, space: topic.space)
    let filtered = table.filtered(topic.name, space: topic.space)
    #expect(plain.sorted() == model.plain(topic) && filtered == model.filtered(topic), "seed \(seed)")
    let isSubscribed = table.isSubscribed(connection, topic.name, space: topic.space)
    let count = table.count(connection)
    #expect(isSubscribed == (model.subscriptions[connection]?[topic] != nil), "seed \(seed)")
    #expect(count == model.subscriptions[connection]?.count ?? 0, "seed \(seed)")
    let (all, topics) = (table.table.subscriptionCount, table.table.topicCount)
    #expect(all == model.count && topics == model.topics.count, "seed \(seed)")
    let found = table.find(topic.name, space: topic.space)
    #expect((found != nil) == model.topics.contains(topic), "seed \(seed)")
    if let found {
      let hasFiltered = table.table.hasFilteredMembers(found)
      #expect(hasFiltered == !filtered.isEmpty)
    }
  }

  /// A bit is set exactly where some topic falls into the bucket.
  static func compareInterest(_ table: borrowing TestTable, _ interest: Interest, _ model: Model, _ seed: UInt64) {
    let used = Set(model.topics.map { Interest.bucket(table.hash($0.name, $0.space)) })
    var wrong: [Int] = []
    for bucket in 0..<Interest.bucketCount {
      let bits = interest.reactors(UInt32(bucket) << 16)
      if bits != (used.contains(bucket) ? 1 << 5 : 0) { wrong.append(bucket) }
    }
    #expect(wrong == [], "seed \(seed)")
  }

  @Test("reactors set and clear their own bits only")
  func interestOfTwo() {
    let interest = Interest()
    var first = TestTable(reactor: 0, interest: interest)
    var second = TestTable(reactor: 63, interest: interest)
    let hash = first.hash("t", 1)
    _ = first.subscribe(1, "t")
    _ = second.subscribe(1, "t")
    #expect(interest.reactors(hash) == (1 << 63 | 1) as UInt64)
    _ = first.unsubscribe(1, "t")
    #expect(interest.reactors(hash) == 1 << 63)
    second.unsubscribeAll(1)
    #expect(interest.reactors(hash) == 0)
  }

  @Test("two topics of one bucket keep the bit until both are gone")
  func sharedBucket() {
    let interest = Interest()
    var table = TestTable(reactor: 2, interest: interest) { name, _ in 0x00AB_0000 | UInt32(name.utf8.count) }
    _ = table.subscribe(1, "a")
    _ = table.subscribe(1, "bb")
    _ = table.unsubscribe(1, "a")
    #expect(interest.reactors(0x00AB_0001) == 4)
    _ = table.unsubscribe(1, "bb")
    #expect(interest.reactors(0x00AB_0001) == 0)
  }

  @Test("a plain subscription replaces the filters, and no filter narrows it again")
  func widening() {
    var table = TestTable()
    var outcomes = [
      table.subscribe(1, "t", filter: "{\"a\":1}"), table.subscribe(1, "t", filter: "{\"a\":2}"),
      table.subscribe(2, "t", filter: "{\"a\":1}"),
    ]
    #expect(outcomes == [.subscribed, .subscribed, .subscribed])
    var filtered = table.filtered("t")
    #expect(filtered == [1: ["{\"a\":1}", "{\"a\":2}"], 2: ["{\"a\":1}"]])
    outcomes = [table.subscribe(1, "t"), table.subscribe(1, "t", filter: "{\"a\":3}"), table.subscribe(1, "t")]
    #expect(outcomes == [.subscribed, .already, .already])
    filtered = table.filtered("t")
    let plain = table.plain("t")
    let count = table.count(1)
    #expect(plain == [1] && filtered == [2: ["{\"a\":1}"]] && count == 1)
  }

  @Test("the sixteenth filter is the last, and one that is there already is no new one")
  func filterLimit() {
    var table = TestTable()
    for number in 0..<TopicTable.filtersPerSubscriptionMax {
      let outcome = table.subscribe(1, "t", filter: "\(number)")
      #expect(outcome == .subscribed)
    }
    let outcomes = [
      table.subscribe(1, "t", filter: "one more"), table.subscribe(1, "t", filter: "0"),
      table.subscribe(2, "t", filter: "another's"), table.subscribe(1, "u", filter: "elsewhere"),
      table.subscribe(1, "t"),
    ]
    #expect(outcomes == [.tooManyFilters, .already, .subscribed, .subscribed, .subscribed])
    let (plain, filtered) = (table.plain("t"), table.filtered("t"))
    #expect(plain == [1] && filtered == [2: ["another's"]])
  }

  @Test("equal filter texts have one number, whoever uses them, and its text stays until the last is gone")
  func filterTexts() throws {
    var table = TestTable()
    _ = table.subscribe(1, "t", filter: "same")
    _ = table.subscribe(2, "u", filter: "same")
    let (first, second) = (table.text("t"), table.text("u"))
    #expect(first == second && first != nil)
    _ = table.unsubscribe(1, "t")
    let still = table.filtered("u")
    #expect(still == [2: ["same"]])
    _ = table.unsubscribe(2, "u")
    _ = table.subscribe(3, "v", filter: "new")
    let end = table.table.filterTextEnd
    let renewed = table.filtered("v")
    #expect(end == 1 && renewed == [3: ["new"]], "the number is given again")
  }

  @Test("a topic's number is given again once nobody subscribes, with nobody left inside")
  func reuse() {
    var table = TestTable()
    _ = table.subscribe(1, "first")
    let before = table.find("first")
    table.unsubscribeAll(1)
    _ = table.subscribe(2, "second")
    let after = table.find("second")
    let (gone, members) = (table.find("first"), table.plain("second"))
    #expect(before == after && gone == nil && members == [2])
  }

  @Test("names are exact: neither a prefix nor another space nor case is the same topic")
  func exactNames() {
    var table = TestTable()
    _ = table.subscribe(1, "a")
    _ = table.subscribe(1, "a:b")
    _ = table.subscribe(1, "a", space: 2)
    let left = table.unsubscribe(1, "a")
    let (prefix, space, capital) = (table.plain("a:b"), table.plain("a", space: 2), table.unsubscribe(1, "A"))
    #expect(left && prefix == [1] && space == [1] && !capital)
    let never = table.unsubscribe(9, "a:b")
    #expect(!never, "another connection's subscription is not touched")
  }

  @Test("a connection with very many subscriptions leaves them all at once")
  func manyTopics() {
    var table = TestTable()
    for number in 0..<5_000 { _ = table.subscribe(1, "\(number)", filter: number % 2 == 0 ? "f" : nil) }
    _ = table.subscribe(2, "17")
    let (count, topics) = (table.count(1), table.table.topicCount)
    #expect(count == 5_000 && topics == 5_000)
    table.unsubscribeAll(1)
    table.unsubscribeAll(1)
    let (left, leftTopics, survivor) = (table.table.subscriptionCount, table.table.topicCount, table.plain("17"))
    #expect(left == 1 && leftTopics == 1 && survivor == [2])
  }
}

extension TestTable {
  /// The number of the first filter text of a topic's first filtered member.
  func text(_ name: String) -> UInt32? {
    guard let topic = find(name) else { return nil }
    let member = table.filteredMembers(of: topic)[0]
    return table.firstFilter(of: member.subscription).map { table.filterText(of: $0) }
  }
}
