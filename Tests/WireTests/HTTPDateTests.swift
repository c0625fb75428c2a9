// The time in HTTP headers, against the system's own.

import Foundation
import Testing
import Wire

@Suite("HTTP dates")
struct HTTPDateTests {
  @Test(
    "a time is written as RFC 9110 5.6.7 says",
    arguments: [
      (0, "Thu, 01 Jan 1970 00:00:00 GMT"), (784_111_777_000, "Sun, 06 Nov 1994 08:49:37 GMT"),
      (951_782_400_999, "Tue, 29 Feb 2000 00:00:00 GMT"), (951_868_800_000, "Wed, 01 Mar 2000 00:00:00 GMT"),
      (1_767_225_599_999, "Wed, 31 Dec 2025 23:59:59 GMT"), (253_402_300_799_999, "Fri, 31 Dec 9999 23:59:59 GMT"),
      (Int64.max, "Fri, 31 Dec 9999 23:59:59 GMT"), (Int64.min, "Thu, 01 Jan 1970 00:00:00 GMT"),
    ] as [(Int64, String)])
  func fixed(milliseconds: Int64, text: String) {
    #expect(HTTPTest.written { HTTPDate(milliseconds: milliseconds).append(to: &$0) } == text)
  }

  @Test("it is the system's for days of four hundred years, in whatever order they come")
  func system() {
    let formatter = DateFormatter()
    formatter.locale = Locale(identifier: "en_US_POSIX")
    formatter.timeZone = TimeZone(identifier: "GMT")
    formatter.dateFormat = "EEE, dd MMM yyyy HH:mm:ss 'GMT'"
    var date = HTTPDate()
    for step in 0..<3_000 {
      let seconds = (step * 7_919) % 3_000 * 4_207_333
      date.set(milliseconds: Int64(seconds) * 1_000 + 7)
      let expected = formatter.string(from: Date(timeIntervalSince1970: Double(seconds)))
      let written = HTTPTest.written { date.append(to: &$0) }
      #expect(written == expected, "\(seconds)")
    }
  }

  @Test("a response has the date that it is given, and none by itself")
  func response() {
    var response = HTTPResponse(.ok)
    #expect(!HTTPTest.written { response.append(to: &$0) }.contains("Date"))
    response.date = HTTPDate(milliseconds: 784_111_777_000)
    #expect(
      HTTPTest.written { response.append(to: &$0) }.hasPrefix(
        "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"))
  }
}
