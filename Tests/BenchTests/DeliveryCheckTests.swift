// Exactly once and in order: what the check sees and what it lets pass.
import Testing

@testable import BenchKit

@Suite struct DeliveryCheckTests {
  private func marker(_ sequence: UInt32, _ channel: Int = 0) -> Marker {
    Marker(sequence: sequence, channel: UInt16(channel), time: 0)
  }

  @Test("perfect deliveries over several channels give the published hash")
  func perfect() {
    var check = DeliveryCheck(receivers: 5, channels: 2)
    for round in 0..<10 {
      let number = check.publish(round % 2)
      for receiver in 0..<5 where receiver % 2 == round % 2 { check.deliver(receiver, marker(number, round % 2)) }
    }
    #expect(check.due == 25)
    #expect(check.received == 25)
    #expect(check.isPerfect)
    #expect(check.receivedHash == check.publishedHash)
  }

  /// What one of two receivers gets of messages 0, 1 and 2, and the loss and repetition that this is.
  @Test(
    "each fault is seen",
    arguments: [
      ([0, 1], 1, 0), ([1, 2], 1, 0), ([0, 2], 1, 0), ([0, 0, 1, 2], 0, 1), ([0, 2, 1], 1, 1), ([], 3, 0),
      ([0, 1, 2, 2], 0, 1),
    ] as [([UInt32], UInt64, UInt64)])
  func faults(_ got: [UInt32], _ lost: UInt64, _ repeated: UInt64) {
    var check = DeliveryCheck(receivers: 2, channels: 1)
    for _ in 0..<3 { check.deliver(0, marker(check.publish(0))) }
    for sequence in got { check.deliver(1, marker(sequence)) }
    #expect(check.lost == lost)
    #expect(check.repeated == repeated)
    #expect(!check.isPerfect)
  }

  @Test("another channel's message is not a delivery")
  func misrouted() {
    var check = DeliveryCheck(receivers: 2, channels: 2)
    let number = check.publish(0)
    check.deliver(1, marker(number, 0))
    check.deliver(0, marker(number, 0))
    #expect(check.misrouted == 1)
    #expect(!check.isPerfect)
  }
}
