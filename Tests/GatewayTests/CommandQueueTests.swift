// The queue of what other threads ask of a reactor: what was taken counts until it has been carried out.

import Buffers
import EventLoop
import Testing

@testable import Gateway

@Suite("Commands of other threads")
struct CommandQueueTests {
  @Test("what a reactor has taken and not carried out counts for the bound")
  func bound() throws {
    let queue = CommandQueue(doorbell: try Doorbell())
    let text = [UInt8](repeating: 0x78, count: 64 * 1_048_576)
    let id = ConnectionID(reactor: 0, token: .init(rawValue: 1))
    var pushed = 0
    while queue.push(.text(id, text)) { pushed += 1 }
    #expect(pushed * text.count > Limits.commandBytesMax && (pushed - 2) * text.count < Limits.commandBytesMax)
    let taken = queue.take()
    #expect(taken.count == pushed && queue.isEmpty)
    #expect(!queue.push(.text(id, [1])))
    // What ends something is taken all the same.
    #expect(queue.push(.callEnded(id, isOrdered: false)))
    queue.finish(taken.reduce(0) { $0 + $1.byteCount })
    #expect(queue.push(.text(id, [1])))
    #expect(queue.take().count == 2)
  }
}
