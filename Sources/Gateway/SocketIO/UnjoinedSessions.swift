// The Engine.IO sessions of one reactor that are in no namespace: bounded, and who gives way to a new one. That
// reactor's thread only.
import Buffers

/// Who opens a session.
struct SessionOpener {
  /// The connection whose request it was.
  let connection: SlabToken
  /// The client's address as `AddressTable.key` has it.
  let address: UInt64
  /// A proxy on this machine, most likely: behind it are many clients, and its address has no bound of its own.
  let isExempt: Bool
}

/// Sessions that have joined no namespace yet, or whose end a polling client is still to be told (HOSTILE 36).
///
/// Opening one costs a client a single request, and until it joins nothing is known of whoever it is. So there are only
/// so many for each connection that opened them, for each client address, and in all. A new session always finds room:
/// where its connection or its address has its number, the oldest of these gives way, else, where all together are too
/// many, the oldest of the address that has the most. A flood pushes out itself first, and an honest client, which
/// joins a moment after it has opened, is seldom among the oldest of anything.
struct UnjoinedSessions: ~Copyable {
  /// No session.
  static let none = UInt32.max

  /// Two ways to group sessions, and the numbers of their lists.
  private static let byAddress = 0
  private static let byConnection = 1

  /// A place in a list, and the list's group.
  private struct Link: BitwiseCopyable {
    var group = UnjoinedSessions.none
    var older = UnjoinedSessions.none
    var newer = UnjoinedSessions.none
  }

  private struct Node: BitwiseCopyable {
    var session: SlabToken
    var links: InlineArray<2, Link>
  }

  /// Sessions of one address, or of one connection, oldest first; and its neighbours among addresses with as many.
  private struct Group: BitwiseCopyable {
    var key: UInt64
    var count = 0
    var oldest = UnjoinedSessions.none
    var newest = UnjoinedSessions.none
    var before = UnjoinedSessions.none
    var behind = UnjoinedSessions.none
  }

  /// The addresses that have equally many sessions, those first that have had so many for the longest.
  private struct Rank: BitwiseCopyable {
    var first = UnjoinedSessions.none
    var last = UnjoinedSessions.none
  }

  private let totalMax: Int
  private let addressMax: Int
  private let connectionMax: Int
  private var nodes: [Node] = []
  private var freeNodes: [UInt32] = []
  private var groups: [Group] = []
  private var freeGroups: [UInt32] = []
  private var addresses: [UInt64: UInt32] = [:]
  private var connections: [UInt64: UInt32] = [:]
  /// By the number of sessions that an address has.
  private var ranks: [Rank] = [Rank()]
  /// The most sessions that an address has.
  private var largest = 0
  /// Sessions in the list.
  private(set) var count = 0

  /// A list for one of `reactorCount` reactors, each of which has its share of the bounds, and one session at least.
  init(limits: Limits, connectionsMax: Int, reactorCount: Int) {
    let reactors = max(reactorCount, 1)
    totalMax = max(connectionsMax * limits.unjoinedSessionsPercentMax / 100 / reactors, 1)
    addressMax = max(limits.unjoinedSessionsPerAddressMax / reactors, 1)
    connectionMax = Limits.unjoinedSessionsPerConnectionMax
  }

  /// The session that gives way before `opener` opens another; nil when there is room.
  func victim(for opener: SessionOpener) -> SlabToken? {
    if let group = connections[opener.connection.rawValue], groups[Int(group)].count >= connectionMax {
      return oldest(of: group)
    }
    let own = addresses[opener.address]
    if let own, !opener.isExempt, groups[Int(own)].count >= addressMax { return oldest(of: own) }
    if count < totalMax { return nil }
    if let own, groups[Int(own)].count == largest { return oldest(of: own) }
    return oldestOfLargest
  }

  /// The oldest session of an address; nil where it has none.
  func oldest(ofAddress address: UInt64) -> SlabToken? { addresses[address].map { oldest(of: $0) } }

  /// The oldest session of the address that has the most; nil where there is none at all.
  var oldestOfLargest: SlabToken? { largest == 0 ? nil : oldest(of: ranks[largest].first) }

  private func oldest(of group: UInt32) -> SlabToken { nodes[Int(groups[Int(group)].oldest)].session }

  /// Adds a session, as the youngest; returns its number here.
  mutating func insert(_ session: SlabToken, _ opener: SessionOpener) -> UInt32 {
    let node = Node(session: session, links: InlineArray(repeating: Link()))
    let number: UInt32
    if let free = freeNodes.popLast() {
      number = free
      nodes[Int(free)] = node
    } else {
      number = UInt32(nodes.count)
      nodes.append(node)
    }
    count += 1
    let address = addresses[opener.address] ?? makeGroup(opener.address)
    addresses[opener.address] = address
    append(number, to: address, Self.byAddress)
    rank(address, from: groups[Int(address)].count - 1)
    let connection = connections[opener.connection.rawValue] ?? makeGroup(opener.connection.rawValue)
    connections[opener.connection.rawValue] = connection
    append(number, to: connection, Self.byConnection)
    return number
  }

  /// Removes the session with a number that `insert` gave.
  mutating func remove(_ number: UInt32) {
    if number == Self.none { return }
    count -= 1
    let links = nodes[Int(number)].links
    unlink(number, Self.byAddress)
    unlink(number, Self.byConnection)
    freeNodes.append(number)
    let address = links[Self.byAddress].group
    rank(address, from: groups[Int(address)].count + 1)
    if groups[Int(address)].count == 0 {
      addresses[groups[Int(address)].key] = nil
      freeGroups.append(address)
    }
    let connection = links[Self.byConnection].group
    if groups[Int(connection)].count == 0 {
      connections[groups[Int(connection)].key] = nil
      freeGroups.append(connection)
    }
    if count == 0 { giveBack() }
  }

  // MARK: Lists

  private mutating func makeGroup(_ key: UInt64) -> UInt32 {
    if let free = freeGroups.popLast() {
      groups[Int(free)] = Group(key: key)
      return free
    }
    groups.append(Group(key: key))
    return UInt32(groups.count - 1)
  }

  private mutating func append(_ number: UInt32, to group: UInt32, _ kind: Int) {
    let newest = groups[Int(group)].newest
    nodes[Int(number)].links[kind] = Link(group: group, older: newest)
    if newest == Self.none {
      groups[Int(group)].oldest = number
    } else {
      nodes[Int(newest)].links[kind].newer = number
    }
    groups[Int(group)].newest = number
    groups[Int(group)].count += 1
  }

  private mutating func unlink(_ number: UInt32, _ kind: Int) {
    let link = nodes[Int(number)].links[kind]
    if link.older == Self.none {
      groups[Int(link.group)].oldest = link.newer
    } else {
      nodes[Int(link.older)].links[kind].newer = link.newer
    }
    if link.newer == Self.none {
      groups[Int(link.group)].newest = link.older
    } else {
      nodes[Int(link.newer)].links[kind].older = link.older
    }
    groups[Int(link.group)].count -= 1
  }

  /// Puts an address, whose count was `old`, among those with as many as it has now.
  private mutating func rank(_ address: UInt32, from old: Int) {
    if old > 0 {
      let group = groups[Int(address)]
      if group.before == Self.none {
        ranks[old].first = group.behind
      } else {
        groups[Int(group.before)].behind = group.behind
      }
      if group.behind == Self.none {
        ranks[old].last = group.before
      } else {
        groups[Int(group.behind)].before = group.before
      }
    }
    let new = groups[Int(address)].count
    if new > 0 {
      if ranks.count == new { ranks.append(Rank()) }
      let last = ranks[new].last
      groups[Int(address)].before = last
      groups[Int(address)].behind = Self.none
      if last == Self.none {
        ranks[new].first = address
      } else {
        groups[Int(last)].behind = address
      }
      ranks[new].last = address
    }
    // Counts change by one, so the largest does too.
    if new > largest {
      largest = new
    } else if old == largest && ranks[old].first == Self.none {
      largest = old - 1
    }
  }

  /// Gives back the memory of a flood that is over.
  private mutating func giveBack() {
    if nodes.capacity < Limits.unjoinedSessionsKeptMin { return }
    nodes = []
    freeNodes = []
    groups = []
    freeGroups = []
    addresses = [:]
    connections = [:]
    ranks = [Rank()]
  }
}
