// Server-sent events: every way to write them, every place to cut them, and streams that do not end.
import Testing

@testable import Backends

/// The events of a text that comes in pieces of the sizes given, the last size again and again.
private func events(_ text: String, pieces sizes: [Int] = [.max], max: Int = 65_536) throws -> [ServerSentEvent] {
  var stream = EventStream(eventBytesMax: max)
  var rest = Array(text.utf8)[...]
  var found: [ServerSentEvent] = []
  var number = 0
  while !rest.isEmpty {
    found += try stream.feed(Array(rest.prefix(sizes[min(number, sizes.count - 1)])))
    rest = rest.dropFirst(sizes[min(number, sizes.count - 1)])
    number += 1
  }
  return found
}

/// As `name: data`, or only data.
private func texts(_ events: [ServerSentEvent]) -> [String] {
  events.map { event in
    let data = String(decoding: event.data, as: UTF8.self)
    return event.name.isEmpty ? data : String(decoding: event.name, as: UTF8.self) + ": " + data
  }
}

@Suite("Server-sent events")
struct EventStreamTests {
  @Test(
    "events are read as the specification writes them",
    arguments: [
      ("data: a\n\n", ["a"]),
      ("data:a\n\ndata:b\n\n", ["a", "b"]),
      ("data:  two spaces\n\n", [" two spaces"]),
      ("data: a\ndata: b\ndata:\n\n", ["a\nb\n"]),
      ("data\n\n", [""]),
      ("data\ndata\n\n", ["\n"]),
      (": comment\n\ndata: a\n: another\n\n:\n\n", ["a"]),
      ("event: error\ndata: {}\n\ndata: x\n\n", ["error: {}", "x"]),
      ("event: lost\n\ndata: x\n\n", ["x"]),
      ("event: one\nevent: two\ndata: x\n\n", ["two: x"]),
      ("id: 7\nretry: 10\nunknown: 1\ndatum: 2\nData: 3\ndata: x\n\n", ["x"]),
      ("data: a:b: c\n\n", ["a:b: c"]),
      ("\u{FEFF}data: a\n\n\u{FEFF}data: b\n\n", ["a"]),
      ("\n\n\ndata: a\n\n\n\n", ["a"]),
      ("data: unfinished\n", []),
      ("data: [DONE]", []),
      ("", []),
    ])
  func forms(text: String, expected: [String]) throws {
    for end in ["\n", "\r", "\r\n"] {
      let written = text.replacing("\n", with: end)
      #expect(try texts(events(written)) == expected, "\(end.debugDescription)")
      #expect(try texts(events(written, pieces: [1])) == expected, "bytes, \(end.debugDescription)")
    }
  }

  @Test("wherever a stream is cut, once or twice, the events are the same")
  func cuts() throws {
    let text = "\u{FEFF}event: e\r\ndata: é\r\ndata: 2\n\n: ping\r\rdata: {\"a\":1}\r\n\r\ndata: end\n\ndata: cut"
    let whole = try events(text)
    #expect(texts(whole) == ["e: é\n2", "{\"a\":1}", "end"])
    let count = text.utf8.count
    for first in 1..<count {
      #expect(try events(text, pieces: [first, .max]) == whole, "cut at \(first)")
      for second in 1..<(count - first) {
        #expect(try events(text, pieces: [first, second, .max]) == whole, "cut at \(first) and \(second) behind")
      }
    }
  }

  @Test(
    "the end of a stream completes what waits for its empty line, or for the end of its line",
    arguments: [
      ("data: a\n", ["a"]), ("data: a", ["a"]), ("data: a\ndata: b", ["a\nb"]), ("event: e\ndata: a\n", ["e: a"]),
      ("data: a\n\n", []), (": comment", []), ("event: lost", []), ("", []), ("data", [""]),
    ])
  func ends(text: String, expected: [String]) throws {
    var stream = EventStream(eventBytesMax: 100)
    _ = try stream.feed(Array(text.utf8))
    #expect(texts(stream.finish().map { [$0] } ?? []) == expected)
    #expect(stream.finish() == nil)
  }

  @Test("a failure is an event even without data: a field error, or the name error")
  func failures() throws {
    let found = try events("error: {}\n\ndata: a\n\nevent: error\n\nevent: error\ndata: b\n\nevent: errors\n\n")
    #expect(found.map(\.isError) == [true, false, true, true])
    #expect(found.map(\.hasErrorField) == [true, false, false, false])
  }

  @Test("mixed line ends: CR LF is one end, LF CR is two")
  func lineEnds() throws {
    #expect(try texts(events("data: a\r\ndata: b\n\rdata: c\r\n\n")) == ["a\nb", "c"])
    #expect(try texts(events("data: a\r\rdata: b\r\n\r\n")) == ["a", "b"])
  }

  @Test("an event, or a line, that is longer than allowed is an error, however it comes; one that fits is not")
  func bounds() throws {
    let fits = "data: " + String(repeating: "x", count: 94) + "\n\n"
    #expect(try events(fits + fits, max: 100).count == 2)
    #expect(try events(fits + fits, pieces: [1], max: 100).count == 2)
    for long in [
      "data: " + String(repeating: "x", count: 95) + "\n\n", ":" + String(repeating: " ", count: 100),
      String(repeating: "data: 0123456789\n", count: 10), "event: " + String(repeating: "x", count: 95) + "\n\n",
    ] {
      for size in [1, 7, .max] {
        #expect(throws: EventTooLong()) { _ = try events(long, pieces: [size], max: 100) }
      }
    }
    // Comments leave nothing behind.
    #expect(try events(String(repeating: ": keep\n", count: 100) + fits, max: 100).count == 1)
  }
}
