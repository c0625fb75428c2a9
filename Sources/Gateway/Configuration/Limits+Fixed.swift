// The limits that are part of the design and not an operator's to change, each with its reason. Constants.

extension Limits {
  // MARK: A turn of the event loop

  /// Bytes received in one read at most, and the size of a reactor's one receive buffer: a burst of publishes is then
  /// taken and fanned out as one.
  public static var receiveBytes: Int { 262_144 }
  /// Bytes that a connection can have kept from earlier reads: a request head, or a control frame.
  public static var tailBytesMax: Int { 16_384 }
  /// Nanoseconds of a turn after which what can wait does: further reads of a busy peer, what follows a long message.
  /// Those who had to wait have as long again, so that nobody else waits for longer than twice this and one step.
  public static var turnNanoseconds: UInt64 { 150_000 }
  /// Effort between two looks at the clock, in bytes walked over: a hundredth of a millisecond.
  public static var effortBetweenLooks: Int { 16_384 }
  /// What a message costs beside its bytes, in bytes walked over.
  public static var effortPerMessage: Int { 256 }
  /// What queueing a range for a subscriber costs, in bytes walked over.
  public static var effortPerDelivery: Int { 8 }
  /// Size from which a message counts as long: it is received in pieces, a turn each, behind all others.
  public static var longMessageBytes: Int { 16_384 }
  /// Reads of one connection in one turn at most, so that one busy peer cannot starve the rest.
  public static var readsPerTurnMax: Int { 2 }
  /// Connections accepted from one listener in one turn at most.
  public static var acceptsPerTurnMax: Int { 16 }
  /// Reads from connections that are not WebSockets yet in one turn at most: a crowd that comes at once waits, rather
  /// than those who are there.
  public static var handshakesPerTurnMax: Int { 4 }
  /// Connections that were found broken and are dropped in one turn at most: thousands may be reset at once.
  public static var brokenPerTurnMax: Int { 32 }
  /// Connections that had to wait for a later turn and are read from in one turn at most.
  public static var readsAgainPerTurnMax: Int { 64 }
  /// Timers that have run out and are dealt with in one turn at most: a crowd that came together goes together.
  public static var timersPerTurnMax: Int { 32 }
  /// Connections that one turn takes only to refuse them for lack of descriptors.
  public static var descriptorRefusalsPerTurnMax: Int { 4 }
  /// Bytes that a reactor begins to read with, and falls back to every second. Doubled up to `receiveBytes` by reads
  /// that are full and cost few answers.
  public static var receiveBytesInitial: Int { 65_536 }
  /// Bytes that a reactor reads at a time at least, however many answers they cost.
  public static var receiveBytesMin: Int { 16_384 }
  /// Bytes of messages decompressed before a look at the clock, and of one message in one turn: a tenth of a
  /// millisecond of zlib's time. A message of 1 MiB takes three, and a client can send it in a kilobyte.
  public static var inflatedAtOnceMax: Int { 32_768 }
  /// Compressed bytes given to zlib at a time: they give 1 032 times as much at most.
  public static var inflateSliceBytes: Int { 128 }
  /// The same where those before gave more than `inflateDensityMax` times as much, and at the start of a message.
  public static var inflateSliceBytesMin: Int { 16 }
  /// How many times its size a slice may give for the next to be a full one. JSON gives three to twenty times.
  public static var inflateDensityMax: Int { 64 }
  /// Answers that one read may cost before the next ones are made smaller: half a millisecond's worth.
  public static var answersPerReadMax: UInt64 { 256 }
  /// Bytes of broadcasts that a turn compresses: thirty milliseconds of zlib's time. Past it subscribers get them
  /// plain, which they must always understand. A connection that keeps its window needs a compression, and a copy, of
  /// its own.
  public static var deflatedPerTurnMax: Int { 4_194_304 }
  /// What compressing a byte costs, in bytes walked over.
  public static var effortPerDeflatedByte: Int { 8 }
  /// Bytes of output after which a turn flushes early: what a second-level cache holds.
  public static var turnBytesMax: Int { 1_048_576 }
  /// Connections told to go away in one turn at most while the gateway stops, so that the loop goes on turning.
  public static var drainsPerTurnMax: UInt32 { 512 }
  /// Longest sleep of the event loop in milliseconds. Nothing depends on it but how fresh the metrics are.
  public static var sleepMillisecondsMax: UInt64 { 1_000 }

  // MARK: Heartbeat

  /// Milliseconds from the look whether a native client has answered its ping to the next ping. Someone who reads until
  /// nothing has come for one and a half of the shortest intervals then comes to an end.
  static var heartbeatPauseMilliseconds: UInt64 { 600 }

  // MARK: Between reactors

  /// Bytes of posts on their way from one reactor to another from which on it counts as behind: connections that
  /// publish to it are not read from until it has caught up. Sixteen of the longest messages.
  public static var postBytesBehind: Int { 16_777_216 }
  /// Bytes of posts that may be on their way from one reactor to another. Past it the newest are dropped and counted:
  /// what handlers and the gateway itself publish, since clients have been stopped before.
  public static var postBytesMax: Int { 67_108_864 }
  /// Posts in the list behind a full ring from which on the other reactor counts as behind, however short they are.
  public static var postOverflowBehind: Int { 8_192 }
  /// Bytes that a post counts for beside its frame.
  public static var postBytesEach: Int { 64 }
  /// Slots of the ring between two reactors: a turn's worth of posts.
  public static var ringCapacity: Int { 1_024 }
  /// Posts kept for one reactor whose ring is full. Past it the newest are dropped and counted.
  public static var postOverflowMax: Int { 65_536 }

  // MARK: Handlers and endpoints

  /// Bytes of sends and publishes that other threads may have waiting for one reactor. Past it they are refused.
  public static var commandBytesMax: Int { 268_435_456 }
  /// Milliseconds that an endpoint has for its answer before the client gets 504. Longer than any work of its own.
  public static var answerMilliseconds: UInt64 { 120_000 }

  /// Bytes of a Socket.IO packet and its attachments together, of which there are ten at most: two full messages.
  public static var socketIOPacketBytesMax: Int { 2_097_152 }
  /// Packets of a POST that are taken before a look at the clock: those that are answered take some two microseconds
  /// each.
  public static var packetsAtOnceMax: Int { 16 }
  /// Bytes of POSTs that wait on one reactor because their packets take more than a turn: sixty-four of the largest.
  /// Small ones never wait.
  public static var postBytesWaitingMax: Int { 67_108_864 }
  /// Engine.IO sessions in no namespace that were opened over one TCP connection, past which the oldest give way. A
  /// client has one; a proxy on this machine has some tens of clients that come at the same moment.
  public static var unjoinedSessionsPerConnectionMax: Int { 100 }
  /// Room for such sessions that a reactor keeps when the last of a flood has gone: 64 KiB.
  static var unjoinedSessionsKeptMin: Int { 1_024 }
  /// Bytes of data that one notification of the walkers dialect may send, times the ids that it names: four of the
  /// longest messages, a tenth of a second's work if all of them are compressed.
  public static var notifyBytesMax: Int { 4_194_304 }

  // MARK: Slow subscribers

  /// Milliseconds for which a backlog may be over `outboundBytesMax` while its oldest byte is younger than this: a
  /// burst of many publishers is more than a socket takes at once, and a busy machine lets a reader wait for a time
  /// slice or two.
  static var slowGraceMilliseconds: Int { 200 }
  /// Milliseconds by which a reactor looks at a backlog too late for its age to be the client's fault, and which the
  /// client then has more.
  static var lateReactorMilliseconds: Int { 100 }
  /// Bytes by which it may be over.
  static var slowGraceBytesMax: Int { 67_108_864 }

  // MARK: Memory

  /// Bytes of outgoing chunks that slow subscribers may keep alive on one reactor; past it those that need the oldest
  /// are closed.
  public static var waitingBytesMax: Int { 268_435_456 }

  /// Bytes of a scratch buffer that a reactor keeps from one second to the next; a larger one, grown for a large
  /// message, is given back.
  public static var scratchKeptBytesMax: Int { 65_536 }
  /// Empty outgoing chunks that a reactor keeps from one second to the next.
  public static var spareChunksKeptMax: Int { 4 }
  /// Size from which a block of memory is a mapping of its own and goes back to the system when it is freed: the buffer
  /// of a long message, not an ordinary chunk.
  public static var mappedBlockBytes: Int32 { 262_144 }
  /// So many calls at a time leave free memory in the heaps of all threads that they ran on, which is given back when
  /// the last of them has ended. Two hundred streams that broke off left five megabytes.
  public static var callsManyMin: Int { 64 }
  /// Bytes of outgoing chunks freed between two looks from which on the heap is trimmed: they may lie below others that
  /// live, and the allocator keeps them then.
  public static var freedBytesMany: Int { 1_048_576 }
  /// Milliseconds between two looks at what could be given back.
  public static var tidyMilliseconds: UInt64 { 1_000 }

  // MARK: Refusing

  /// Bytes of answers that a client of plain HTTP may leave unread and still ask for more: a few pages of metrics.
  public static var httpBacklogBytesMax: Int { 65_536 }
  /// Milliseconds at least between two looks at the pace of a request body that is late.
  public static var bodyCheckMilliseconds: UInt64 { 1_000 }
  /// Connections over the limit that are being told so at the same time; more are reset without a word.
  public static var refusalsMax: Int { 512 }
  /// Milliseconds that a connection over the limit has to say what it wants to be refused.
  public static var refusalMilliseconds: Int { 1_000 }
  /// Milliseconds that listeners are left alone after the system ran out of descriptors.
  public static var muteMilliseconds: UInt64 { 100 }
  /// Bytes of a path that a log line shows of a request that nobody answers: longer than any that is mounted.
  static var logPathBytesMax: Int { 256 }
  /// Seconds in `Retry-After` of a 503.
  public static var retryAfterSeconds: Int { 5 }

  // MARK: Stopping

  /// Milliseconds that a gateway which is told to end at once gives its log: a disk writes in less.
  static var lastWordsMilliseconds: Int { 200 }

  // MARK: Hooks

  /// Events of connections' lives that wait to be told to hooks; the newest are dropped. A minute of a busy gateway's
  /// connections, at 200 bytes each.
  static var hooksQueuedMax: Int { 16_384 }
  /// Hooks that run at the same time: a quarter of the default places for calls to a back end, so that handlers keep
  /// theirs.
  static var hookWorkersMax: Int { 16 }
  /// Milliseconds that a call waits for the `connected` hook of its connection, or `backends.timeoutMilliseconds` where
  /// that is more: three times what a hook has by default, for those that wait in a queue.
  static var hookPatienceMilliseconds: Int { 30_000 }
  /// Milliseconds that a gateway that stops gives hooks to be told of the last disconnections.
  static var hookDrainMilliseconds: Int { 3_000 }

  // MARK: AI

  /// Questions that wait for an AI service; more are told that it is busy. Each is a call of `callsMax`.
  static var aiQueueMax: Int { 1_024 }
  /// Milliseconds to connect to an AI service in: it can be on another continent.
  static var aiConnectMilliseconds: Int { 5_000 }
  /// Further attempts when an AI service could not be connected to.
  static var aiRetriesMax: Int { 1 }
  /// Bytes of one event of an AI service, and of an answer that is not streamed: the longest answer, in JSON.
  static var aiEventBytesMax: Int { 524_288 }
  /// Bytes of a whole stream: services wrap each word in two to five hundred bytes.
  static var aiStreamBytesMax: Int { 33_554_432 }
  /// Longest locale of a client that is passed on, in bytes: RFC 5646 4.4.1 wants 35 at least.
  static var localeBytesMax: Int { 35 }
  /// Longest name of a model in bytes: services have names of tens.
  static var modelBytesMax: Int { 255 }
  /// Longest `ai.systemPrompt` in bytes: it goes along with every question.
  static var systemPromptBytesMax: Int { 65_536 }
  /// Longest `ai.key` in bytes; some services have tokens of two thousand.
  static var aiKeyBytesMax: Int { 8_192 }

  // MARK: Development

  /// Milliseconds after which the timer of an echo connection looks at it again; there is nothing to do then.
  public static var echoIdleMilliseconds: Int { 3_600_000 }

  // MARK: Accounts

  /// Tokens of walkers logins that are valid at a time, some 20 MB; past it a login is answered 503.
  public static var walkerTokensMax: Int { 200_000 }
  /// Longest user name, email address or session name in bytes that an endpoint takes.
  public static var accountNameBytesMax: Int { 255 }
}
