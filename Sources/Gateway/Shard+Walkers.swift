// The walkers dialect on a live connection: carries out what a session's action asks for. The reactor's thread.
import Auth
import Buffers
import Dialects
import EventLoop
import Topics
import Wire

extension Shard where Kernel: ~Copyable {
  // MARK: Handshake

  /// Finds out who a client is, before the 101 (PROTOCOLS 5.1). Nobody is refused for a credential: without one that
  /// verifies a client is the public user. Only a channel id that cannot be a name gets 400. Where there is no public
  /// user (`walkers.anonymous: "no"`), a client gets what it would get for running a walker: 403 without a credential,
  /// 401 with one that is no good.
  mutating func authenticateWalkers(
    _ slot: UInt32, _ head: HTTPRequestHead, _ bytes: Span<UInt8>
  ) -> UpgradeVerdict {
    nameScratch.removeAll()
    if WalkersChannel.find(head, bytes, into: &nameScratch) {
      guard nameScratch.count <= limits.channelNameBytesMax, UTF8Validator.isValid(nameScratch.bytes) else {
        return .refuse(.badRequest)
      }
    } else {
      makeWalkersId()
    }
    connections[slot].place = users.intern(nameScratch)
    makeWalkersId()
    connections[slot].alias = users.intern(nameScratch)
    let verdict = identifyWalkersUser(slot, bytes.extracting(head.authorization ?? 0..<0))
    if shared.walkersAnonymous == .no {
      switch verdict {
      case .user: break
      case .absent: return .refuse(.forbidden, "Not authenticated", .tokenMissing)
      case .invalid(let denial): return .refuse(.unauthorized, nil, denial)
      }
    }
    connections[slot].user = users.intern(nameScratch)
    if verdict == .user { connections[slot].flags.insert(.authenticated) }
    return .accept(subprotocol: nil)
  }

  /// The first message of a connection, once it can be reached by its three ids.
  mutating func welcomeWalkers(_ slot: UInt32) {
    joinWalkers(slot, .walkerUsers, connections[slot].user)
    joinWalkers(slot, .walkerChannels, connections[slot].place)
    joinWalkers(slot, .walkerClients, connections[slot].alias)
    sendWalkersConnection(slot)
  }

  /// Leaves a fresh id in `nameScratch`.
  private mutating func makeWalkersId() {
    let random = SecureRandom.bytes(16)
    nameScratch.removeAll()
    WalkersEncoder.appendId(seconds: clock.milliseconds / 1_000, random: random.span, to: &nameScratch)
  }

  /// Leaves the root of a credential's user in `nameScratch`, or the public root for any other verdict.
  private mutating func identifyWalkersUser(
    _ slot: UInt32, _ credential: Span<UInt8>
  ) -> WalkersAuthenticator.Verdict {
    let verdict = shared.walkersAuthenticator.identify(
      credential, nowSeconds: clock.milliseconds / 1_000, &claims, root: &nameScratch)
    if verdict == .user { return verdict }
    nameScratch.removeAll()
    nameScratch.append(WalkersRoot.publicRoot)
    // The client is not refused, so nothing else would say why it is nobody in particular.
    if case .invalid(let denial) = verdict, shared.walkersAnonymous != .no { noteIgnoredCredential(slot, denial) }
    return verdict
  }

  /// Subscribes a connection to the notifications for one of its ids. They come with the connection, so they do not
  /// count towards the limit of subscriptions, which a client of this dialect has no way to reach.
  private mutating func joinWalkers(_ slot: UInt32, _ space: Space, _ id: UInt32) {
    nameScratch.removeAll()
    Self.copy(id, of: users, to: &nameScratch)
    let hash = TopicTable.hash(nameScratch.bytes, space: space.rawValue)
    _ = topics.subscribe(
      slot, &connections[slot].subscriptions, nameScratch, space: space.rawValue, hash: hash)
  }

  private mutating func sendWalkersConnection(_ slot: UInt32) {
    scratch.removeAll()
    Self.encodeConnection(users, connections[slot], to: &scratch)
    replyWithScratch(slot)
  }

  // MARK: Messages

  /// Carries out one message, or keeps it while a walker of the connection runs: a client's messages take effect in the
  /// order sent, and what a walker does comes before what follows it. Text has been validated as it arrived.
  @inline(never)
  mutating func receiveWalkers(_ slot: UInt32, _ opcode: Opcode, _ message: Span<UInt8>) {
    // A binary message is never taken for JSON (PROTOCOLS 5.2), and neither is an empty one.
    let text = opcode == .text ? message : message.extracting(0..<0)
    if connections[slot].flags.contains(.hasCalls) {
      postponeWalkers(slot, text)
    } else {
      performWalkers(slot, text)
    }
  }

  private mutating func performWalkers(_ slot: UInt32, _ message: Span<UInt8>) {
    var errors = WalkersErrors()
    let limits = WalkersLimits(targetsMax: self.limits.notifyTargetsMax, bytesMax: Limits.notifyBytesMax)
    switch WalkersSession.receive(message, limits: limits, errors: &errors) {
    case .connection:
      sendWalkersConnection(slot)
    case .notify(let target, let ids, let data):
      if shared.walkersAnonymous != .full && !connections[slot].flags.contains(.authenticated) {
        refuseWalkers(slot, .publicSender, WalkerCall.denied)
        return
      }
      notifyWalkers(message, target, ids, data)
    case .changeUser(let token):
      changeWalkersUser(slot, message, token)
    case .walker(let name, let wantsResponse, let context, _):
      runWalker(slot, message, name, wantsResponse, context)
    case .refuse(let refusal):
      refuseWalkers(slot, Refusal(refusal), errors)
    }
  }

  private mutating func refuseWalkers(_ slot: UInt32, _ refusal: Refusal, _ errors: borrowing WalkersErrors) {
    countRefusal(slot, refusal)
    scratch.removeAll()
    WalkersEncoder.append(errors, to: &scratch)
    replyWithScratch(slot)
  }

  private mutating func refuseWalkers(_ slot: UInt32, _ refusal: Refusal, _ sentence: String) {
    countRefusal(slot, refusal)
    scratch.removeAll()
    WalkersEncoder.appendFailure(sentence, to: &scratch)
    replyWithScratch(slot)
  }

  /// Sends `data` as it is to everyone named, once for each time they are named; ids that nobody has are passed over
  /// (PROTOCOLS 5.2).
  private mutating func notifyWalkers(
    _ message: Span<UInt8>, _ target: WalkersTarget, _ ids: JSONValue, _ data: JSONValue
  ) {
    counters.add(.publishes)
    let space = Space(target)
    var list = JSONChildren(of: ids, in: message)
    while let id = list.next(message)?.value {
      nameScratch.removeAll()
      JSONString.decode(message, id, into: &nameScratch)
      if target == .users && !WalkersRoot.normalize(&nameScratch) { continue }
      guard let audience = audience(space: space.rawValue) else { continue }
      // Delivering may close a slow subscriber, which uses scratch space.
      scratch.removeAll()
      scratch.append(message.extracting(data.range))
      publishScratch(to: audience, data: 0..<0)
    }
  }

  /// Makes the connection another user's, or the public user's (PROTOCOLS 5.2): from now on it gets what is sent to
  /// that root, and no longer what is sent to the one before. Where there is no public user it stays who it is.
  private mutating func changeWalkersUser(_ slot: UInt32, _ message: Span<UInt8>, _ token: JSONValue?) {
    // Closing the run may find this very connection too slow, and uses scratch space.
    closeRun()
    guard connections[slot].phase == .open else { return }
    var credential = ByteBuffer()
    if let token { JSONString.decode(message, token, into: &credential) }
    let isUser = identifyWalkersUser(slot, credential.bytes) == .user
    if !isUser && shared.walkersAnonymous == .no {
      refuseWalkers(slot, .publicSender, WalkerCall.denied)
      return
    }
    let user = users.intern(nameScratch)
    let old = connections[slot].user
    nameScratch.removeAll()
    Self.copy(old, of: users, to: &nameScratch)
    let hash = TopicTable.hash(nameScratch.bytes, space: Space.walkerUsers.rawValue)
    _ = topics.unsubscribe(
      &connections[slot].subscriptions, nameScratch, space: Space.walkerUsers.rawValue, hash: hash)
    connections[slot].user = user
    users.release(old)
    if isUser {
      connections[slot].flags.insert(.authenticated)
    } else {
      connections[slot].flags.remove(.authenticated)
    }
    joinWalkers(slot, .walkerUsers, user)
    sendWalkersConnection(slot)
  }

  // MARK: Walkers

  /// Starts a walker (PROTOCOLS 5.3), or says why not.
  private mutating func runWalker(
    _ slot: UInt32, _ message: Span<UInt8>, _ name: JSONValue, _ wantsResponse: Bool, _ context: JSONValue?
  ) {
    nameScratch.removeAll()
    // An escape is six bytes for one at most: a longer raw text cannot be a name within the limit.
    if name.end - name.start <= Limits.handlerNameBytesMax * 6 + 2 {
      JSONString.decode(message, name, into: &nameScratch)
    }
    let text = nameScratch.bytes.string
    guard let walker = shared.extensions.walkers[text], walker.methods.contains(.websocket) else {
      denyWalker(slot, .unknown)
      return
    }
    let isUser = connections[slot].flags.contains(.authenticated)
    if walker.requiresAuthentication && !isUser {
      denyWalker(slot, .needsAuthentication)
      return
    }
    var errors = WalkersErrors()
    var checked = ByteBuffer()
    WalkersContext.check(
      context, in: message, fields: walker.checkedFields, from: .message, errors: &errors, into: &checked)
    if !errors.isEmpty {
      refuseWalkers(slot, .invalidMember, errors)
      return
    }
    let id = connectionID(slot)
    let queue = commands
    let mayNotify = isUser || shared.walkersAnonymous == .full
    let call = WalkerCall(
      walker, name: text, connection: id, root: userText(slot), context: checked.bytes.array,
      outlet: shared.outlet(home: number), mayNotify: mayNotify, runs: shared.handlerRuns)
    let isStarted = startCall(slot, ordered: true, bytes: message.count) {
      let outcome = await call.run()
      // Behind the walker's own notifications, which went through the same queue.
      if let text = WalkerCall.message(outcome, wantsResponse: wantsResponse) { queue.push(.text(id, text)) }
    }
    if !isStarted { refuseWalkers(slot, .tooManyCalls, WalkerCall.tooMany) }
  }

  /// Says that a walker, whose name is in `nameScratch`, is not run.
  private mutating func denyWalker(_ slot: UInt32, _ denial: WalkersDenial) {
    countRefusal(slot, denial == .unknown ? .unknownAction : .unauthenticatedCall)
    scratch.removeAll()
    Self.encodeDenial(denial, nameScratch, to: &scratch)
    replyWithScratch(slot)
  }

  /// Keeps a message until the running walker has ended.
  private mutating func postponeWalkers(_ slot: UInt32, _ message: Span<UInt8>) {
    var backlog = walkersBacklogs.removeValue(forKey: slot) ?? WalkersBacklog()
    let isKept = backlog.append(
      message, countMax: limits.callsPerConnectionMax, bytesMax: limits.messageBytesMax)
    walkersBacklogs[slot] = backlog
    if !isKept { refuseWalkers(slot, .tooManyCalls, WalkerCall.tooMany) }
  }

  /// A walker has ended: the messages that came meanwhile, up to the next that runs one.
  mutating func resumeWalkers(_ slot: UInt32) {
    guard let backlog = walkersBacklogs.removeValue(forKey: slot) else { return }
    let token = connections.token(of: slot)
    for index in backlog.messages.indices {
      guard connections.isCurrent(token), connections[slot].phase == .open else { return }
      if connections[slot].flags.contains(.hasCalls) {
        walkersBacklogs[slot] = backlog.dropping(index)
        return
      }
      let message = backlog.messages[index]
      performWalkers(slot, message.span)
    }
  }

  // MARK: Encoding with what the shard knows

  private static func copy(_ id: UInt32, of users: borrowing InternTable, to out: inout ByteBuffer) {
    out.append(users.bytes(id))
  }

  private static func encodeConnection(
    _ users: borrowing InternTable, _ connection: Connection, to out: inout ByteBuffer
  ) {
    WalkersEncoder.appendConnection(
      client: users.bytes(connection.alias), root: users.bytes(connection.user),
      channel: users.bytes(connection.place), to: &out)
  }

  private static func encodeDenial(
    _ denial: WalkersDenial, _ name: borrowing ByteBuffer, to out: inout ByteBuffer
  ) {
    WalkersEncoder.appendDenial(denial, walker: name.bytes, to: &out)
  }
}

extension Space {
  /// Where the topics of a notification's targets are.
  init(_ target: WalkersTarget) {
    switch target {
    case .users: self = .walkerUsers
    case .channels: self = .walkerChannels
    case .clients: self = .walkerClients
    }
  }
}
