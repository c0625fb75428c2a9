// One reactor's share of the gateway: its connections, its subscribers, its outgoing bytes. Lives on its reactor's
// thread.
import Auth
import Buffers
import Compression
import Dialects
import EventLoop
import Topics
import Wire

/// The state of one reactor, in one non-copyable struct on its thread's stack: no locks, no reference counts on the way
/// of a message. The extensions follow the path of the bytes: Run, Accept, Connection (receiving), HTTP, Channels,
/// Fanout, Mailbox, Flush, Close, Timers.
struct Shard<Kernel: Network & ~Copyable>: ~Copyable {
  /// This reactor's number.
  let number: Int
  let shared: SharedState
  let limits: Limits
  let interest: Interest
  /// The other reactors, one bit each.
  let others: UInt64

  var network: Kernel
  var connections: Slab<Connection>
  var inbounds = Pool<Inbound>()
  var outbox = Outbox()
  var topics: TopicTable
  var users = InternTable()
  var timers: TimerWheel
  var counters = Counters()
  var log: RateLimitedLog

  /// Descriptors of this reactor's listeners, by listener number; -1 where it has none.
  var listenerFds: GrowableArray<Int32>
  /// A descriptor in reserve, so that one more connection can be taken and refused when the table is full.
  var reserveFd: Int32
  /// When listeners that were muted for lack of descriptors are looked at again; 0 when none is muted.
  var unmuteMilliseconds: UInt64 = 0

  /// Connections with output to send when the turn ends.
  var dirty = GrowableArray<UInt32>(capacity: 1024)
  /// Connections that have more to read than the turn allowed.
  var ready = GrowableArray<SlabToken>(capacity: 64)
  /// Reads from connections that are not WebSockets yet, in this turn.
  var handshakesThisTurn = 0
  /// Broken connections that were dealt with in this turn.
  var brokenThisTurn = 0
  /// Bytes of messages decompressed since the last look at the clock.
  var inflatedThisTurn = 0
  /// Bytes of broadcasts compressed in this turn.
  var deflatedThisTurn = 0
  /// What was done since the last look at the clock, in bytes walked over or what takes as long.
  var effort = 0
  /// This turn has lasted so long that what can wait must.
  var isTurnLate = false
  /// Bytes of the next read.
  var receiveShare = Limits.receiveBytesInitial
  /// The publishes at the end of this turn's log that all go to one topic.
  var run = FanoutRun()
  /// Subscribers found too slow while a topic's members are being walked.
  var slow = GrowableArray<UInt32>(capacity: 16)
  var lastName = PostedName()
  /// Bytes of other reactors' frames taken in this turn.
  var adoptedBytes = 0
  /// Bytes of `outbox.waitingBytes` that `shared.waiting` knows of.
  var waitingReported = 0
  /// Bytes received and kept, because nothing could be done with them yet; those that `shared` knows of; and when
  /// others were last woken to let go of theirs.
  var heldBytes = 0
  var heldReported = 0
  var heldWokenAt: UInt64 = 0
  /// The calls of `shared.waiting` that have been answered.
  var waitingCallsSeen = 0
  /// When this reactor last made one.
  var waitingCalledAt: UInt64 = 0

  /// Rings to the other reactors and from them, by reactor number; the own entries stay unused.
  var producers: FixedArray<RingProducer<Post>>
  var consumers: FixedArray<RingConsumer<Post>>
  /// Posts that found their ring full, oldest first.
  var overflow: FixedArray<GrowableArray<Post>>
  /// Reactors that were pushed to in this turn, one bit each.
  var pushed: UInt64 = 0
  var overflowCount = 0
  /// Bytes of posts to each reactor, ever, wrapping; and what it had taken of them when last looked at.
  var postedBytes: GrowableArray<UInt64>
  var postedBytesTaken: GrowableArray<UInt64>
  /// Reactors that are behind with posts from here, one bit each.
  var behind: UInt64 = 0
  /// Connections that are not read from until a reactor that they post to has caught up.
  var parked = GrowableArray<SlabToken>(capacity: 16)
  /// Whether commands that waited go before them, when everyone has caught up.
  var letsCommandsFirst = false
  /// Something was posted to a reactor that is behind since this was last looked at.
  var hasPostedToBehind = false
  /// The source with which the next turn's mail begins.
  var mailCursor = 0

  /// The other ends of connections on which a trusted proxy has named a client, until they become WebSockets.
  var proxyEnds: [UInt32: ProxyEnd] = [:]
  /// What other threads ask of this reactor.
  let commands: CommandQueue
  /// Those taken and not carried out yet, the next one last.
  var commandsTaken: [Command] = []
  /// Those that wait for a reactor that is behind, oldest first.
  var commandsHeld: [Command] = []
  /// Engine.IO sessions.
  var engines = Pool<EngineSession>()
  /// Those of them that are in no namespace.
  var unjoined: UnjoinedSessions
  /// Sessions with a POST whose packets take more than a turn, in the order in which they go on.
  var posts = GrowableArray<SlabToken>()
  /// Bytes of the bodies of these.
  var postBytes = 0
  /// Sessions whose poll is answered in a later turn, in that order.
  var latePolls = GrowableArray<SlabToken>()
  /// Which native connections of the events dialect belong to a session, a user, a socket id.
  var personalRooms = PersonalRooms()
  /// Connections for which handlers of the application are at work.
  var conversations: [UInt32: Conversation] = [:]
  /// Messages of walkers clients that wait for a walker of theirs to end; only where there are calls.
  var walkersBacklogs: [UInt32: WalkersBacklog] = [:]

  // Compression: one set of windows for all connections that keep no context.
  var inflater = Inflater()
  var deflaters: DeflaterSet
  var deflateContexts = Pool<DeflateContext>()
  /// Subscribers of a run that negotiated compression.
  var compressing = GrowableArray<UInt32>(capacity: 16)
  /// The memory of the last long message that came in pieces, for the next.
  var assembled = ByteBuffer()
  var inflated = ByteBuffer()
  var deflated = ByteBuffer()
  var compressedRun = ByteBuffer()
  /// Token buckets by slot; empty where no rate is limited.
  var rates = GrowableArray<ConnectionRate>()

  // Scratch, kept for its allocation.
  var scratch = ByteBuffer(capacity: 4096)
  var nameScratch = ByteBuffer(capacity: 256)
  var clock = TimestampClock()
  var httpDate = HTTPDate()
  var claims = JWTClaims()
  var memberIndex = JSONMemberIndex()
  /// Verdicts on filter texts for the message at hand: its serial times two, plus one for a match.
  var verdicts = GrowableArray<UInt64>()
  var messageSerial: UInt64 = 0

  /// The monotonic clock in milliseconds, taken once a turn.
  var now: UInt64 = 0
  var telemetryMilliseconds: UInt64 = 0
  var telemetryBusyNanoseconds: UInt64 = 0
  var publishMetricsMilliseconds: UInt64 = 0
  /// When memory is next looked over.
  var tidyAtMilliseconds: UInt64 = 0
  var webSocketCount = 0
  /// Connections of the admin listener.
  var adminCount = 0
  /// When a stopping reactor gives up waiting; 0 while it is not stopping.
  var drainDeadline: UInt64 = 0
  /// Slots below this have been told to go away.
  var drainCursor: UInt32 = 0

  init(
    number: Int, shared: SharedState, network: consuming Kernel, links: consuming ShardLinks,
    listenerFds: consuming GrowableArray<Int32>
  ) {
    self.number = number
    self.shared = shared
    limits = shared.limits
    interest = shared.interest
    commands = shared.commands[number]
    let all: UInt64 = shared.reactorCount >= 64 ? .max : (1 << UInt64(shared.reactorCount)) - 1
    others = all & ~(1 << UInt64(number))
    now = network.nowNanoseconds / 1_000_000
    reserveFd = network.openReserve()
    self.network = network
    // Refused connections need slots too, for as long as it takes to tell them.
    connections = Slab(capacity: shared.connectionsMax + Limits.refusalsMax)
    topics = TopicTable(reactor: number, interest: shared.reactorCount > 1 ? shared.interest : nil)
    timers = TimerWheel(nowMilliseconds: now)
    unjoined = UnjoinedSessions(
      limits: limits, connectionsMax: shared.connectionsMax, reactorCount: shared.reactorCount)
    log = RateLimitedLog(shared.logger)
    deflaters = DeflaterSet(policy: shared.deflatePolicy ?? DeflatePolicy())
    producers = links.producers
    consumers = links.consumers
    postedBytes = GrowableArray(repeating: 0, count: shared.reactorCount)
    postedBytesTaken = GrowableArray(repeating: 0, count: shared.reactorCount)
    overflow = FixedArray(count: shared.reactorCount) { _ in GrowableArray<Post>() }
    self.listenerFds = listenerFds
  }

}

/// The ring ends of one reactor.
struct ShardLinks: ~Copyable, Sendable {
  var producers: FixedArray<RingProducer<Post>>
  var consumers: FixedArray<RingConsumer<Post>>
}
