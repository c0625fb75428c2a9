// Cuts a stream of bytes into server-sent events (WHATWG HTML, "Interpreting an event stream"). No I/O; a value.

/// One event of a stream.
public struct ServerSentEvent: Sendable, Equatable {
  /// What its last `event` field says; empty where there is none, which stands for `message`.
  public var name: [UInt8] = []
  /// Its `data` fields, joined by line feeds. Never checked to be UTF-8.
  public var data: [UInt8] = []
  /// It has a field `error`, which the specification does not know and llama.cpp's server writes in place of `data`.
  public var hasErrorField = false

  public init(name: [UInt8] = [], data: [UInt8] = [], hasErrorField: Bool = false) {
    self.name = name
    self.data = data
    self.hasErrorField = hasErrorField
  }

  /// Whether it reports a failure, whatever its data says.
  public var isError: Bool { hasErrorField || name.elementsEqual("error".utf8) }
}

/// An event is longer than the parser may keep.
public struct EventTooLong: Error, Equatable, CustomStringConvertible {
  public init() {}
  public var description: String { "an event of the stream is longer than it may be" }
}

/// Collects pieces, cut anywhere, and gives complete events.
///
/// A line ends with CR LF, LF or CR; a byte order mark at the beginning, comments and the fields `id` and `retry`
/// are skipped. Events without data are none, but for those that report a failure. What the end of the stream leaves
/// without its empty line is asked for by `finish`: many services do not write that line.
public struct EventStream: Sendable {
  /// Bytes of one event's name and data and of the line under way, together.
  private let eventBytesMax: Int
  private var line: [UInt8] = []
  private var event = ServerSentEvent()
  private var hasData = false
  /// The last byte was a CR: an LF belongs to it.
  private var endsWithReturn = false
  private var isFirstLine = true

  /// A parser that keeps at most `eventBytesMax` bytes.
  public init(eventBytesMax: Int) { self.eventBytesMax = eventBytesMax }

  /// The events that `piece` completes, in order. After an error the parser is of no use any more.
  public mutating func feed(_ piece: [UInt8]) throws(EventTooLong) -> [ServerSentEvent] {
    var events: [ServerSentEvent] = []
    var start = 0
    if endsWithReturn, let first = piece.first {
      if first == 0x0A { start = 1 }
      endsWithReturn = false
    }
    while let end = piece[start...].firstIndex(where: { $0 == 0x0A || $0 == 0x0D }) {
      try keep(piece[start..<end])
      if let event = endLine() { events.append(event) }
      start = end + 1
      guard piece[end] == 0x0D else { continue }
      if start == piece.count {
        endsWithReturn = true
      } else if piece[start] == 0x0A {
        start += 1
      }
    }
    try keep(piece[start...])
    return events
  }

  /// The stream has ended: the event that waits for its empty line, or even for the end of its last line.
  public mutating func finish() -> ServerSentEvent? {
    if !line.isEmpty, let event = endLine() { return event }
    return endLine()
  }

  private mutating func keep(_ bytes: ArraySlice<UInt8>) throws(EventTooLong) {
    guard line.count + event.data.count + event.name.count + bytes.count <= eventBytesMax else { throw EventTooLong() }
    line += bytes
  }

  /// Takes the line that is complete. The event, if the line is the empty one behind it.
  private mutating func endLine() -> ServerSentEvent? {
    defer { line.removeAll(keepingCapacity: true) }
    if isFirstLine {
      isFirstLine = false
      if line.starts(with: [0xEF, 0xBB, 0xBF]) { line.removeFirst(3) }
    }
    if line.isEmpty {
      defer {
        event = ServerSentEvent()
        hasData = false
      }
      return hasData || event.isError ? event : nil
    }
    let colon = line.firstIndex(of: 0x3A) ?? line.count
    var value = line[min(colon + 1, line.count)...]
    if value.first == 0x20 { value = value.dropFirst() }
    switch Field(line[..<colon]) {
    case .data:
      if hasData { event.data.append(0x0A) }
      event.data += value
      hasData = true
    case .event:
      event.name = Array(value)
    case .error:
      event.hasErrorField = true
    case .other:
      break
    }
    return nil
  }

  private enum Field {
    case data, event, error, other

    init(_ name: ArraySlice<UInt8>) {
      if name.elementsEqual("data".utf8) {
        self = .data
      } else if name.elementsEqual("event".utf8) {
        self = .event
      } else if name.elementsEqual("error".utf8) {
        self = .error
      } else {
        self = .other
      }
    }
  }
}
