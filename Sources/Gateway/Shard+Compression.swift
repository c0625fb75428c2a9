// permessage-deflate on live connections: negotiation, received messages, and broadcasts compressed once. The reactor's
// thread.
import Buffers
import Compression
import EventLoop
import Topics
import Wire

/// The windows of one connection that negotiated context takeover. Others share the reactor's, and so does one for what
/// it is sent, where only the client keeps its window.
struct DeflateContext: ~Copyable {
  var deflater: Deflater?
  var inflater: Inflater
}

extension Shard where Kernel: ~Copyable {
  /// Chooses among the extension offers of a handshake; nil when none is acceptable or compression is off, for the
  /// gateway or for the mount.
  func negotiateDeflate(_ head: HTTPRequestHead, _ bytes: Span<UInt8>, _ mount: MountMatch) -> DeflateParameters? {
    guard mount.compression, var policy = shared.deflatePolicy, head.secWebSocketExtensions != nil else { return nil }
    policy.keepsClientContext = mount.keepsClientContext
    var lines = HTTPHeaderIterator(head)
    while let line = lines.next(named: "sec-websocket-extensions", in: bytes) {
      if let parameters = DeflateNegotiation.choose(bytes.extracting(line), policy) { return parameters }
    }
    return nil
  }

  /// Remembers what was negotiated. Only context takeover needs memory of its own.
  mutating func enableDeflate(_ slot: UInt32, _ parameters: DeflateParameters) {
    connections[slot].deflate = UInt8(truncatingIfNeeded: parameters.index + 1)
    if parameters.serverNoContextTakeover && parameters.clientNoContextTakeover { return }
    let policy = shared.deflatePolicy ?? DeflatePolicy()
    var context = DeflateContext(
      deflater: nil,
      inflater: Inflater(
        windowBits: parameters.clientMaxWindowBits, contextTakeover: !parameters.clientNoContextTakeover))
    if !parameters.serverNoContextTakeover {
      context.deflater = Deflater(
        windowBits: parameters.serverMaxWindowBits, level: policy.level, memoryLevel: policy.memoryLevel,
        contextTakeover: true)
    }
    connections[slot].deflateContext = deflateContexts.insert(context)
  }

  // MARK: Receiving

  /// Decompresses a whole message and hands it on; the connection is closed when that fails. HOSTILE 22. What does not
  /// fit into this turn is left in `inbound`, and nothing that came behind it may be looked at before.
  mutating func receiveCompressed(
    _ slot: UInt32, _ role: Role, _ opcode: Opcode, _ compressed: Span<UInt8>, _ inbound: inout Inbound
  ) {
    var work = Inflating(opcode)
    swap(&work.message, &inflated)
    work.message.removeAll()
    if let outcome = inflateSome(slot, role, compressed, &work) {
      finishInflating(slot, role, outcome, work)
    } else {
      work.compressed.append(compressed.extracting(work.offset..<compressed.count))
      work.offset = 0
      inbound.inflating = consume work
    }
  }

  /// Goes on with a message that an earlier turn began; false when it takes yet another one.
  mutating func continueInflating(_ slot: UInt32, _ inbound: inout Inbound) -> Bool {
    guard var work = inbound.inflating.take(), connections[slot].phase == .open else { return true }
    let role = connections[slot].role
    var compressed = ByteBuffer()
    swap(&compressed, &work.compressed)
    if let outcome = inflateSome(slot, role, compressed.bytes, &work) {
      finishInflating(slot, role, outcome, work)
      return true
    }
    swap(&compressed, &work.compressed)
    inbound.inflating = consume work
    return false
  }

  /// Decompresses as much of a message as this turn has time for; nil when there is more.
  private mutating func inflateSome(
    _ slot: UInt32, _ role: Role, _ compressed: Span<UInt8>, _ work: inout Inflating
  ) -> InflateOutcome? {
    if inflatedThisTurn >= Limits.inflatedAtOnceMax {
      if isLate() { return nil }
      inflatedThisTurn = 0
    }
    let budget = Limits.inflatedAtOnceMax - inflatedThisTurn
    let limit = frameLimits(role).messageBytesMax
    let before = work.message.count
    defer { inflatedThisTurn += work.message.count - before }
    let own = connections[slot].deflateContext
    if own != Pool<DeflateContext>.none, var context = deflateContexts.take(own) {
      let outcome = Self.inflate(&context.inflater, compressed, &work, limit, budget)
      deflateContexts.putBack(context, at: own)
      return outcome
    }
    if var inflater = work.inflater.take() {
      let outcome = Self.inflate(&inflater, compressed, &work, limit, budget)
      work.inflater = consume inflater
      return outcome
    }
    let outcome = Self.inflate(&inflater, compressed, &work, limit, budget)
    if outcome == nil {
      // It goes with its message, and the reactor's next one gets another.
      var fresh = Inflater()
      swap(&fresh, &inflater)
      work.inflater = consume fresh
    }
    return outcome
  }

  /// Decompresses piece by piece until the message ends or has given `budget` bytes more; nil then.
  private static func inflate(
    _ inflater: inout Inflater, _ compressed: Span<UInt8>, _ work: inout Inflating, _ limit: Int, _ budget: Int
  ) -> InflateOutcome? {
    let end = work.message.count + budget
    while true {
      let next = min(work.offset + work.sliceBytes, compressed.count)
      let isLast = next == compressed.count
      let before = work.message.count
      let slice = compressed.extracting(work.offset..<next)
      let outcome = inflater.inflate(slice, isLast: isLast, into: &work.message, limit: limit)
      work.offset = next
      if isLast || outcome != .ok { return outcome }
      let isDense = work.message.count - before > slice.count * Limits.inflateDensityMax
      work.sliceBytes = isDense ? Limits.inflateSliceBytesMin : Limits.inflateSliceBytes
      if work.message.count >= end { return nil }
    }
  }

  /// Hands a decompressed message on, or closes.
  private mutating func finishInflating(
    _ slot: UInt32, _ role: Role, _ outcome: InflateOutcome, _ work: consuming Inflating
  ) {
    var message = ByteBuffer()
    swap(&message, &work.message)
    switch outcome {
    case .ok:
      if work.opcode == .text && !UTF8Validator.isValid(message.bytes) {
        close(slot, .invalidText, "invalid UTF-8")
      } else {
        receive(slot, role, work.opcode, message.bytes)
      }
    case .tooBig:
      close(slot, .messageTooBig, "message too big")
    case .corrupt:
      close(slot, .corruptDeflate, "corrupt compressed data")
    }
    // Kept for the next, however large, until `tidy` comes by: fresh pages cost more than what is written to them.
    if message.capacity > inflated.capacity { swap(&message, &inflated) }
  }

  // MARK: Answers

  /// Encodes a frame for one connection, compressed if that was negotiated and pays.
  mutating func encodeReply(_ slot: UInt32, _ opcode: Opcode, _ payload: Span<UInt8>) -> Segment {
    let deflate = connections[slot].deflate
    if deflate == 0 || opcode.isControl || payload.count < shared.deflateThresholdBytes {
      return FrameEncoder.append(opcode, payload, to: &outbox)
    }
    effort &+= payload.count &* Limits.effortPerDeflatedByte
    deflated.removeAll()
    let own = ownDeflater(slot)
    if own != Pool<DeflateContext>.none, var context = deflateContexts.take(own) {
      // With its context kept, what was compressed must be sent, smaller or not: the client's window has to follow.
      context.deflater?.deflate(payload, into: &deflated)
      deflateContexts.putBack(context, at: own)
      return FrameEncoder.append(opcode, compressed: deflated, to: &outbox)
    }
    deflaters.deflate(payload, for: Self.parameters(deflate), into: &deflated)
    if deflated.count >= payload.count { return FrameEncoder.append(opcode, payload, to: &outbox) }
    return FrameEncoder.append(opcode, compressed: deflated, to: &outbox)
  }

  /// The number of a connection's context, where what it is sent is compressed with a window of its own.
  private mutating func ownDeflater(_ slot: UInt32) -> UInt32 {
    let own = connections[slot].deflateContext
    if own == Pool<DeflateContext>.none { return own }
    let isOwn = deflateContexts.read(own) { $0.deflater != nil }
    return isOwn == true ? own : Pool<DeflateContext>.none
  }

  /// The shared parameters of a connection's `deflate` number.
  static func parameters(_ deflate: UInt8) -> DeflateParameters {
    DeflateParameters(
      serverNoContextTakeover: true, clientNoContextTakeover: true,
      serverMaxWindowBits: CompressionLimits.windowBitsMin + deflate - 1)
  }

  // MARK: Broadcasts

  /// Queues a run for those of its subscribers that negotiated compression: compressed once for each set of parameters,
  /// and for each connection with a context of its own. Returns how many got it.
  @inline(never)
  mutating func queueCompressed(_ segment: Segment) -> Int {
    var ready = [8 of Segment](repeating: Segment(chunk: 0, start: 0, end: 0))
    var delivered = 0
    for index in 0..<compressing.count {
      let slot = compressing[index]
      let number = Int(connections[slot].deflate)
      let own = ownDeflater(slot)
      // Before compressing: what a context has compressed must be sent, or the client's window no longer follows.
      let isBlocked = connections[slot].outbound.isBlocked
      if isBlocked && connections[slot].outbound.byteCount + segment.count > limits.outboundBytesMax {
        slow.append(slot)
        continue
      }
      var variant = ready[number]
      let isOwn = own != Pool<DeflateContext>.none
      if isOwn || variant.count == 0 {
        // A copy for each such connection, or one more for all: only as many as a turn has time for. Nobody has to
        // compress, so the others get the run as it is.
        let mayCompress = deflatedThisTurn < Limits.deflatedPerTurnMax && !(isOwn && isBlocked)
        variant = mayCompress ? compressRun(segment, number, own: own) : segment
        if !isOwn && mayCompress { ready[number] = variant }
      }
      outbox.enqueue(variant, on: &connections[slot].outbound)
      delivered += 1
      markDirty(slot)
    }
    compressing.removeAll()
    return delivered
  }

  /// The frames of a run once more, the larger ones compressed, as one new segment of the outbox.
  private mutating func compressRun(_ segment: Segment, _ number: Int, own: UInt32) -> Segment {
    compressedRun.removeAll()
    deflatedThisTurn &+= segment.count
    effort &+= segment.count &* Limits.effortPerDeflatedByte
    if own != Pool<DeflateContext>.none, var context = deflateContexts.take(own) {
      Self.compress(segment, in: outbox, thresholdBytes: shared.deflateThresholdBytes, &deflated, &compressedRun) {
        payload, out in
        context.deflater?.deflate(payload, into: &out)
        return true
      }
      deflateContexts.putBack(context, at: own)
    } else {
      Self.compress(
        segment, in: outbox, thresholdBytes: shared.deflateThresholdBytes, with: &deflaters,
        Self.parameters(UInt8(truncatingIfNeeded: number)), &deflated, &compressedRun)
    }
    return outbox.append(compressedRun)
  }

  private static func compress(
    _ segment: Segment, in outbox: borrowing Outbox, thresholdBytes: Int, with deflaters: inout DeflaterSet,
    _ parameters: DeflateParameters, _ scratch: inout ByteBuffer, _ out: inout ByteBuffer
  ) {
    compress(segment, in: outbox, thresholdBytes: thresholdBytes, &scratch, &out) { payload, target in
      deflaters.deflate(payload, for: parameters, into: &target)
      return false
    }
  }

  /// Walks the frames of a segment and appends them to `out`, payloads of `thresholdBytes` and more compressed by
  /// `deflate`. That says whether the result must be used even when it is no smaller.
  private static func compress(
    _ segment: Segment, in outbox: borrowing Outbox, thresholdBytes: Int, _ scratch: inout ByteBuffer,
    _ out: inout ByteBuffer, _ deflate: (Span<UInt8>, inout ByteBuffer) -> Bool
  ) {
    let bytes = outbox.bytes(segment)
    var offset = 0
    while offset < bytes.count {
      // The frames are this gateway's own, so the decoder never refuses one.
      let decoded = try? FrameHeader.decode(bytes, at: offset, sender: .server, allowsCompression: false)
      guard let header = decoded.flatMap({ $0 }) else { return }
      let payload = (offset + header.headerCount)..<(offset + header.headerCount + header.payloadCount)
      if header.payloadCount >= thresholdBytes {
        scratch.removeAll()
        let mustUse = deflate(bytes.extracting(payload), &scratch)
        if mustUse || scratch.count < header.payloadCount {
          FrameEncoder.append(header.opcode, isCompressed: true, mask: nil, scratch.bytes, to: &out)
          offset = payload.upperBound
          continue
        }
      }
      out.append(bytes.extracting(offset..<payload.upperBound))
      offset = payload.upperBound
    }
  }
}
