// The bytes of one connection in both directions: frames in, frames out, without I/O. Guarded by its client's lock.
import Auth
import Buffers
import Wire

/// What arrived next on an open connection.
enum IncomingFrame {
  case text
  case binary
  case ping
  case pong
  /// The code (1005 when there was none) and the reason.
  case close(UInt16, String)
  case violation(FrameViolation)
}

/// Receive and send buffers of one connection. `message` holds the payload of what `next` has just reported.
struct FrameTransport: ~Copyable {
  /// Bytes received at once. One system call then takes in hundreds of small messages.
  static let receiveBytes = 65_536
  /// Frames are encoded while fewer bytes than this wait for the socket, so that most of what is queued stays in the
  /// queue, from where it can still go over another connection.
  static let sendBytes = 65_536

  private let limits: FrameLimits
  private var input = ByteBuffer()
  private var consumed = 0
  private var decoder = FrameDecoder()
  private(set) var message = ByteBuffer()
  private var isAssembling = false
  /// A control frame may come between the parts of a message, so its payload has a place of its own.
  private var controlPayload = ByteBuffer()
  private var output = ByteBuffer()
  private var sent = 0
  /// The position of the first byte of `output` among all that this connection sends.
  private var outputBase: UInt64 = 0
  /// The positions behind the frames that have not left whole, in order, and behind the last one that has.
  private var frameEnds: [UInt64] = []
  private var wholeEnd: UInt64 = 0
  private var masks = MaskSource()

  init(limits: FrameLimits) { self.limits = limits }

  // MARK: Receiving

  /// Room for one more read; the caller appends to the buffer that `body` gets.
  mutating func receive<Result>(_ body: (inout ByteBuffer) -> Result) -> Result {
    input.reserve(Self.receiveBytes)
    return body(&input)
  }

  /// Takes the response head off the input; nil when it is not whole.
  mutating func takeHead() throws(ResponseHead.Failure) -> ResponseHead? {
    guard let (head, count) = try ResponseHead.parse(input.bytes) else { return nil }
    consumed = count
    return head
  }

  /// The next whole message or control frame; nil when more bytes are needed, which drops what has been read.
  mutating func next() -> IncomingFrame? {
    while true {
      let step = decoder.next(
        in: &input, at: &consumed, sender: .server, allowsCompression: false, limits: limits)
      switch step {
      case .needsMore:
        input.removeFirst(consumed)
        consumed = 0
        if input.isEmpty { _ = input.release(above: Self.receiveBytes) }
        return nil
      case .message(let opcode, let range, _):
        take(range, isFirst: true)
        return opcode == .text ? .text : .binary
      case .part(let opcode, let range, let isLast, _):
        take(range, isFirst: !isAssembling)
        isAssembling = !isLast
        if isLast { return opcode == .text ? .text : .binary }
      case .control(let opcode, let range): return control(opcode, range)
      case .violation(let violation): return .violation(violation)
      }
    }
  }

  /// Forgets what has been received.
  mutating func discardInput() {
    input.removeAll()
    consumed = 0
  }

  private mutating func take(_ range: Range<Int>, isFirst: Bool) {
    if isFirst {
      message.removeAll()
      _ = message.release(above: Self.receiveBytes)
    }
    Self.copy(range, of: input, to: &message)
  }

  // One buffer's bytes into another: as a parameter each is a place of its own to the exclusivity checker.
  private static func copy(_ range: Range<Int>, of source: borrowing ByteBuffer, to target: inout ByteBuffer) {
    target.append(source.bytes.extracting(range))
  }

  private static func appendFrame(
    _ opcode: Opcode, mask: UInt32, payload: borrowing ByteBuffer, to target: inout ByteBuffer
  ) {
    FrameEncoder.append(opcode, mask: mask, payload.bytes, to: &target)
  }

  private mutating func control(_ opcode: Opcode, _ range: Range<Int>) -> IncomingFrame {
    controlPayload.removeAll()
    Self.copy(range, of: input, to: &controlPayload)
    if opcode != .close { return opcode == .ping ? .ping : .pong }
    do throws(FrameViolation) {
      guard let code = try CloseBody.decode(controlPayload.bytes) else { return .close(1005, "") }
      return .close(code, controlPayload.bytes.extracting(droppingFirst: 2).string)
    } catch { return .violation(error) }
  }

  // MARK: Sending

  /// Bytes that wait for the socket.
  var unsentCount: Int { output.count - sent }
  /// The position behind the last byte that the socket has taken.
  var sentPosition: UInt64 { outputBase + UInt64(sent) }
  /// The position behind the last byte that was encoded.
  var endPosition: UInt64 { outputBase + UInt64(output.count) }

  /// Appends a masked frame.
  mutating func append(_ opcode: Opcode, _ payload: Span<UInt8>) {
    FrameEncoder.append(opcode, mask: masks.next(), payload, to: &output)
    frameEnds.append(endPosition)
  }

  /// Appends the pong to the ping that has just been reported.
  mutating func appendPong() {
    Self.appendFrame(.pong, mask: masks.next(), payload: controlPayload, to: &output)
    frameEnds.append(endPosition)
  }

  /// Appends a close frame; without a code where `code` may not be sent.
  mutating func appendClose(_ code: UInt16, _ reason: StaticString = "") {
    var body = ByteBuffer(capacity: 2)
    if CloseBody.isSendable(code) { CloseBody.append(code, reason, to: &body) }
    append(.close, body.bytes)
  }

  /// Appends bytes that are no frame: the handshake.
  mutating func appendRaw(_ body: (inout ByteBuffer) -> Void) {
    body(&output)
    frameEnds.append(endPosition)
  }

  /// Forgets the frames of which no byte has left yet.
  mutating func cutUnsentFrames() {
    let end = sentPosition == wholeEnd ? wholeEnd : frameEnds.first ?? wholeEnd
    frameEnds.removeAll { $0 > end }
    output.truncate(to: Int(clamping: end - outputBase))
  }

  /// Lets `body` send from the bytes that wait; it returns how many went.
  mutating func send(_ body: (Span<UInt8>) -> Int) {
    sent += body(output.bytes.extracting(droppingFirst: sent))
    let whole = frameEnds.prefix { $0 <= sentPosition }.count
    if whole > 0 {
      wholeEnd = frameEnds[whole - 1]
      frameEnds.removeFirst(whole)
    }
    if sent == output.count {
      outputBase += UInt64(sent)
      sent = 0
      output.removeAll()
      _ = output.release(above: 4 * Self.sendBytes)
    }
  }
}

/// Masking keys (RFC 6455 section 5.3: unpredictable, fresh for each frame), drawn from the system's generator many at
/// a time.
struct MaskSource: ~Copyable {
  private static let batch = 64
  private var words: [UInt8] = []

  init() {}

  mutating func next() -> UInt32 {
    if words.isEmpty { words = SecureRandom.bytes(Self.batch * 4) }
    var mask: UInt32 = 0
    for _ in 0..<4 { mask = mask << 8 | UInt32(words.removeLast()) }
    return mask
  }
}
