// Opening connections and holding the first conversation on each of them, until all have said and heard it. One thread.
import Buffers
import EventLoop

extension ClientPool {
  /// Opens connections `indices`, at most `openingMax` at a time, holds the dialogue on each and returns when all are
  /// through. A refusal, a connection that ends and, where the dialogue is strict, an unexpected message are errors.
  mutating func openAll(
    _ indices: Range<Int>, _ target: Target, _ dialogue: Dialogue?, _ progress: inout Progress
  ) throws(BenchError) {
    let deadline = System.monotonicNanoseconds() + ClientPool.openingNanoseconds
    var talk = Talk(dialogue ?? Dialogue(), first: indices.lowerBound, count: indices.count)
    if talk.dialogue.hasEngineHeartbeat { answersEngine = true }
    var next = indices.lowerBound
    while talk.standing < indices.count {
      while next < indices.upperBound && next - indices.lowerBound - talk.standing < ClientPool.openingMax {
        try start(next, target)
        next += 1
      }
      progress.show("opening", talk.standing, indices.count)
      if progress.interrupted { throw .server("interrupted while opening connections") }
      let now = System.monotonicNanoseconds()
      if now > deadline {
        throw .server("only \(talk.standing) of \(indices.count) connections opened in 60 s\(talk.stray)")
      }
      for event in 0..<wait(until: now + ClientPool.glanceNanoseconds) {
        switch step(event) {
        case .opened(let index):
          talk.advance(index, &self)
          // What came in one piece with the 101.
          try hear(index, &talk)
        case .readable(let index):
          if indices.contains(index) { try hear(index, &talk) } else { discardFrames(index) }
        case .refused(let index, let status):
          throw .server("connection \(index) was refused: " + (status == 0 ? "broken off" : "status \(status)"))
        case .nothing: break
        }
      }
    }
    if dialogue == nil || talk.dialogue.endsWithAnswer { return }
    try settle(&progress)
  }

  /// Waits a moment for a server that acknowledges nothing.
  private mutating func settle(_ progress: inout Progress) throws(BenchError) {
    let end = System.monotonicNanoseconds() + Dialogue.settleNanoseconds
    while System.monotonicNanoseconds() < end && !progress.interrupted {
      for event in 0..<wait(until: end) {
        if case .readable(let index) = step(event) { discardFrames(index) }
      }
    }
    if closedCount > 0 { throw .server("a connection was closed by the server") }
  }

  /// Takes what connection `index` has got one step further in its dialogue.
  private mutating func hear(_ index: Int, _ talk: inout Talk) throws(BenchError) {
    switch receive(index) {
    case .moved: break
    case .wouldBlock: clients[index].kept = 0
    case .end, .failed: throw .server("connection \(index) was closed during its first words\(talk.stray)")
    }
    var offset = 0
    while let frame = nextFrame(index, &offset) {
      guard control(index, frame) else {
        throw .server("connection \(index) was closed during its first words\(talk.stray)")
      }
      guard frame.kind == .data, !isEnginePing(frame) else { continue }
      let text = buffer.bytes.extracting(frame.payload).array
      try talk.take(index, text.span, &self)
    }
    keep(index, from: offset)
  }
}

/// How far each connection has come in a dialogue.
private struct Talk {
  let dialogue: Dialogue
  /// Connections that are through.
  private(set) var standing = 0
  /// The last message that nobody waited for, for errors.
  private(set) var stray = ""
  private let first: Int
  private var line: [Int]

  init(_ dialogue: Dialogue, first: Int, count: Int) {
    self.dialogue = dialogue
    self.first = first
    line = [Int](repeating: 0, count: count)
  }

  private func channel(_ index: Int) -> String { Template.channelName(index % dialogue.channels) }

  /// Says what connection `index` may say without waiting.
  mutating func advance(_ index: Int, _ pool: inout ClientPool) {
    let place = index - first
    while line[place] < dialogue.lines.count && dialogue.lines[line[place]].awaits.isEmpty {
      say(index, dialogue.lines[line[place]], &pool)
      line[place] += 1
    }
    if line[place] == dialogue.lines.count {
      line[place] += 1
      standing += 1
    }
  }

  /// Takes a message of the server's.
  mutating func take(_ index: Int, _ text: Span<UInt8>, _ pool: inout ClientPool) throws(BenchError) {
    let place = index - first
    guard line[place] < dialogue.lines.count else { return }
    let current = dialogue.lines[line[place]]
    if current.isAnswered(by: text, channel: channel(index)) {
      line[place] += 1
      say(index, current, &pool)
      advance(index, &pool)
      return
    }
    stray = "; a message was " + text.extracting(0..<min(200, text.count)).string
    if dialogue.isStrict { throw .server("connection \(index) heard what it did not expect\(stray)") }
  }

  private func say(_ index: Int, _ line: Dialogue.Line, _ pool: inout ClientPool) {
    if line.says.isEmpty { return }
    let text = line.says.replacing("{channel}", with: channel(index))
      .replacing("{token}", with: pool.access.token(index) ?? "")
    pool.send(index, text: text)
  }
}

extension Span where Element == UInt8 {
  /// Whether `part` occurs. Cold.
  func contains(_ part: [UInt8]) -> Bool {
    if part.count > count { return false }
    for start in 0...(count - part.count) where extracting(start..<start + part.count).equals(part.span) { return true }
    return false
  }
}
