// Puts Socket.IO packets and their binary attachments together. One for each session; its owner's thread.

import Buffers

/// A packet whose attachments have all arrived: the text as it was sent, and the attachments in order.
public struct SocketIOBinaryPacket: ~Copyable {
  /// The packet; its ranges are offsets into `text`.
  public let packet: SocketIOPacket
  /// The packet's text.
  public let text: ByteBuffer
  /// The attachments, end to end.
  private let blob: ByteBuffer
  /// Where each attachment ends in `blob`.
  private let ends: [Int]

  init(packet: SocketIOPacket, text: consuming ByteBuffer, blob: consuming ByteBuffer, ends: [Int]) {
    self.packet = packet
    self.text = text
    self.blob = blob
    self.ends = ends
  }

  /// How many attachments there are.
  public var count: Int { ends.count }

  /// The attachment with a number below `count`.
  @_lifetime(borrow self)
  public func attachment(_ number: Int) -> Span<UInt8> {
    blob.bytes.extracting((number == 0 ? 0 : ends[number - 1])..<ends[number])
  }
}

/// Takes the Engine.IO messages of one session in order. After a fault the session is to be closed; nothing more may be
/// received.
public struct SocketIOAssembler: ~Copyable {
  /// What a text message has brought.
  public enum Step: Sendable, Equatable {
    /// A whole packet, read from the text at hand.
    case packet(SocketIOPacket)
    /// A packet whose attachments come next.
    case awaitsAttachments
  }

  /// Bytes of a packet and its attachments together.
  private let bytesMax: Int
  private var pending: SocketIOPacket?
  private var text = ByteBuffer()
  private var blob = ByteBuffer()
  private var ends: [Int] = []

  /// An assembler that waits for no attachments and takes `bytesMax` bytes of a packet and its attachments together. It
  /// owns no memory until it waits.
  public init(bytesMax: Int) { self.bytesMax = bytesMax }

  /// Whether attachments are missing.
  public var isAwaiting: Bool { pending != nil }

  /// Takes a text message, valid UTF-8 and without the `4`.
  public mutating func receive(text message: Span<UInt8>) throws(SocketIOFault) -> Step {
    if pending != nil { throw .unexpectedText }
    let packet = try SocketIOPacket.decode(message)
    if packet.attachments == 0 { return .packet(packet) }
    if message.count > bytesMax { throw .tooBig }
    pending = packet
    text.append(message)
    return .awaitsAttachments
  }

  /// Takes a binary message; the packet when that was its last attachment, nil when more are missing.
  public mutating func receive(binary message: Span<UInt8>) throws(SocketIOFault) -> SocketIOBinaryPacket? {
    guard let packet = pending else { throw .unexpectedBinary }
    if text.count + blob.count + message.count > bytesMax { throw .tooBig }
    blob.append(message)
    ends.append(blob.count)
    if ends.count < packet.attachments { return nil }
    pending = nil
    var wholeText = ByteBuffer()
    var wholeBlob = ByteBuffer()
    swap(&wholeText, &text)
    swap(&wholeBlob, &blob)
    let wholeEnds = ends
    ends = []
    return SocketIOBinaryPacket(packet: packet, text: wholeText, blob: wholeBlob, ends: wholeEnds)
  }
}
