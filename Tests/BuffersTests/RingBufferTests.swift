// The queue between two reactors: against an array on one thread, and under two threads at full speed.
import Buffers
import Foundation
import Synchronization
import TestSeeds
import Testing

@Suite("RingBuffer")
struct RingBufferTests {
  @Test("random pushes, publishes and pops give what an array would, at every capacity", arguments: [1, 2, 4, 16, 64])
  func model(capacity: Int) throws {
    var random = SeededRandom("RingBuffer model \(capacity)")
    var ends = RingBuffer.make(of: Int.self, capacity: capacity)
    var producer = ends.producer.take()!
    var consumer = ends.consumer.take()!
    var hidden: [Int] = []
    var visible: [Int] = []
    // What the producer believes to be free: it looks at the consumer's counter only when the ring seems full.
    for step in 0..<20_000 {
      switch random.below(5) {
      case 0, 1:
        let isIn = producer.push(step)
        #expect(isIn == (hidden.count + visible.count < capacity), "seed \(random.seed)")
        if isIn { hidden.append(step) }
      case 2:
        let isNew = producer.publish()
        #expect(isNew == !hidden.isEmpty, "seed \(random.seed)")
        visible += hidden
        hidden = []
      default:
        let element = consumer.pop()
        let expected = visible.isEmpty ? nil : visible.removeFirst()
        #expect(element == expected, "seed \(random.seed)")
      }
      let (depth, isEmpty) = (producer.depth(), consumer.isEmpty())
      #expect(depth == hidden.count + visible.count && isEmpty == visible.isEmpty, "seed \(random.seed)")
    }
  }

  @Test("what is not published is not seen, and a second publish brings nothing new")
  func publishing() {
    var ends = RingBuffer.make(of: UInt8.self, capacity: 4)
    var producer = ends.producer.take()!
    var consumer = ends.consumer.take()!
    let pushed = [producer.push(1), producer.push(2)]
    var (popped, isEmpty) = (consumer.pop(), consumer.isEmpty())
    #expect(pushed == [true, true] && popped == nil && isEmpty)
    let publishes = [producer.publish(), producer.publish()]
    #expect(publishes == [true, false])
    (popped, isEmpty) = (consumer.pop(), consumer.isEmpty())
    #expect(popped == 1 && !isEmpty)
  }

  @Test("whichever end ends second takes out what is left, published or not", arguments: [true, false])
  func ending(consumerIsFirst: Bool) {
    var ends = RingBuffer.make(of: UInt8.self, capacity: 4)
    var producer = ends.producer.take()!
    var consumer = ends.consumer.take()!
    for number: UInt8 in 1...2 { _ = producer.push(number) }
    _ = producer.publish()
    let first = consumer.pop()
    #expect(first == 1)
    _ = producer.push(3)
    var left: [UInt8] = []
    if consumerIsFirst {
      let mayTakeOut = consumer.end()
      #expect(!mayTakeOut)
      if var rest = producer.end() { while let number = rest.pop() { left.append(number) } }
    } else {
      switch producer.end() {
      case .some: Issue.record("the other end has not ended")
      case .none: break
      }
      let mayTakeOut = consumer.end()
      #expect(mayTakeOut)
      while let number = consumer.pop() { left.append(number) }
    }
    #expect(left == [2, 3])
  }

  /// Hands an end of a ring to a thread.
  final class Handover<Value: ~Copyable & Sendable>: Sendable {
    private let value: Mutex<Value?>
    init(_ value: consuming sending Value) { self.value = Mutex(value) }
    func take() -> Value { value.withLock { $0.take()! } }
  }

  struct Element: BitwiseCopyable, Sendable {
    var number: UInt64
    /// Depends on the number, so that an element torn between two would show.
    var check: UInt64
  }

  static func check(_ number: UInt64) -> UInt64 { (number &+ 1) &* 0x9E37_79B9_7F4A_7C15 }

  @Test("a million elements cross from one thread to another in order, whole and once", arguments: [1, 8, 1_024])
  func twoThreads(capacity: Int) {
    let total: UInt64 = capacity == 1 ? 50_000 : 1_000_000
    let random = SeededRandom("RingBuffer two threads \(capacity)")
    var ends = RingBuffer.make(of: Element.self, capacity: capacity)
    let producing = Handover(ends.producer.take()!)
    var consumer = ends.consumer.take()!
    let isDone = DispatchSemaphore(value: 0)
    let thread = Thread {
      var producer = producing.take()
      var random = random
      var number: UInt64 = 0
      while number < total {
        let batch = 1 + random.below(min(capacity * 2, 200))
        for _ in 0..<batch where number < total {
          guard producer.push(Element(number: number, check: Self.check(number))) else { break }
          number += 1
        }
        if !producer.publish() { sched_yield() }
      }
      isDone.signal()
    }
    thread.start()
    var expected: UInt64 = 0
    var sum: UInt64 = 0
    var faults = 0
    var batches = SeededRandom("RingBuffer consumer \(capacity)")
    while expected < total {
      var wanted = 1 + batches.below(100)
      while wanted > 0, let element = consumer.pop() {
        if element.number != expected || element.check != Self.check(element.number) { faults += 1 }
        sum &+= element.number
        expected += 1
        wanted -= 1
      }
      if wanted > 0 { sched_yield() }
    }
    isDone.wait()
    let isEmpty = consumer.isEmpty()
    #expect(faults == 0 && sum == total * (total - 1) / 2 && isEmpty, "seed \(random.seed)")
  }
}
