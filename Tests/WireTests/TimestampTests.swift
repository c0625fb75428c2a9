// ISO-8601 time as the protocols write it, against Foundation's.

import Buffers
import Foundation
import TestSeeds
import Testing
import Wire

@Suite("Timestamps")
struct TimestampTests {
  static let style = Date.ISO8601FormatStyle(includingFractionalSeconds: true, timeZone: .gmt)

  /// Foundation's text for whole milliseconds. The half millisecond keeps its binary fraction from rounding down.
  static func reference(_ milliseconds: Int64) -> String {
    let seconds = milliseconds / 1_000
    let whole = Date(timeIntervalSince1970: Double(seconds)).formatted(style)
    let fraction = String(format: "%03d", Int(milliseconds % 1_000))
    return whole.replacingOccurrences(of: ".000Z", with: ".\(fraction)Z")
  }

  static func text(_ clock: borrowing TimestampClock) -> String { clock.iso.string }

  @Test("random times of all years from 1970 to 9999 read as Foundation writes them")
  func randomTimes() {
    var random = SeededRandom("timestamps")
    var clock = TimestampClock()
    var time: Int64 = 0
    for step in 0..<20_000 {
      // Mostly a jump, at times a small step, which keeps the day.
      time =
        step % 3 == 0
        ? Int64.random(in: 0...253_402_300_799_999, using: &random)
        : min(time + Int64.random(in: 0...100_000, using: &random), 253_402_300_799_999)
      clock.set(time)
      let (text, kept) = (Self.text(clock), clock.milliseconds)
      #expect(text == Self.reference(time) && kept == time, "seed \(random.seed)")
    }
  }

  @Test(
    "edge dates",
    arguments: [
      (0, "1970-01-01T00:00:00.000Z"), (1, "1970-01-01T00:00:00.001Z"), (999, "1970-01-01T00:00:00.999Z"),
      (86_399_999, "1970-01-01T23:59:59.999Z"), (86_400_000, "1970-01-02T00:00:00.000Z"),
      (951_782_399_999, "2000-02-28T23:59:59.999Z"), (951_782_400_000, "2000-02-29T00:00:00.000Z"),
      (951_868_800_000, "2000-03-01T00:00:00.000Z"), (4_107_542_399_999, "2100-02-28T23:59:59.999Z"),
      (4_107_542_400_000, "2100-03-01T00:00:00.000Z"), (1_709_164_800_000, "2024-02-29T00:00:00.000Z"),
      (1_735_689_599_999, "2024-12-31T23:59:59.999Z"), (1_735_689_600_000, "2025-01-01T00:00:00.000Z"),
      (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
    ])
  func edges(milliseconds: Int64, expected: String) {
    var clock = TimestampClock()
    clock.set(milliseconds)
    let text = Self.text(clock)
    #expect(text == expected && Self.reference(milliseconds) == expected)
  }

  @Test("every first and last millisecond of a day for 400 years is right")
  func everyDay() {
    var clock = TimestampClock()
    var wrong: [String] = []
    for day in 0..<Int64(400 * 365 + 97) {
      clock.set(day * 86_400_000)
      let first = Self.text(clock)
      clock.set(day * 86_400_000 + 86_399_999)
      let last = Self.text(clock)
      let isSameDay = first.prefix(11) == last.prefix(11)
      let areEdges = first.hasSuffix("T00:00:00.000Z") && last.hasSuffix("T23:59:59.999Z")
      if !isSameDay || !areEdges { wrong.append(first) }
      if day % 30 == 0 && first != Self.reference(day * 86_400_000) { wrong.append(first) }
    }
    #expect(wrong == [])
  }

  @Test("a time outside what the format can say is the nearest that it can")
  func clamped() {
    var clock = TimestampClock()
    clock.set(.max)
    var text = Self.text(clock)
    #expect(text == "9999-12-31T23:59:59.999Z")
    clock.set(.min)
    text = Self.text(clock)
    #expect(text == "1970-01-01T00:00:00.000Z")
    clock.set(-1)
    text = Self.text(clock)
    #expect(text == "1970-01-01T00:00:00.000Z" && text.utf8.count == TimestampClock.textCount)
  }

  @Test("a clock that goes back goes back")
  func backwards() {
    var clock = TimestampClock()
    clock.set(1_700_000_000_123)
    clock.set(1_600_000_000_456)
    clock.set(1_600_000_000_455)
    let text = Self.text(clock)
    #expect(text == "2020-09-13T12:26:40.455Z")
  }
}
