// The histogram against a sorted list.
import TestSeeds
import Testing

@testable import BenchKit

@Suite struct HistogramTests {
  @Test("percentiles are at most 1/128 above those of the sorted values, and never below")
  func againstSorted() {
    var random = SeededRandom("histogram")
    for _ in 0..<20 {
      var histogram = Histogram()
      var values: [UInt64] = []
      for _ in 0..<Int.random(in: 1...5000, using: &random) {
        let value = UInt64.random(in: 0...(1 << UInt64.random(in: 0...41, using: &random)), using: &random)
        values.append(value)
        histogram.record(value)
      }
      values.sort()
      #expect(histogram.count == UInt64(values.count))
      #expect(histogram.largest == values.last)
      for share in [0.0, 0.01, 0.5, 0.9, 0.99, 0.999, 1.0] {
        let rank = max(1, Int((share * Double(values.count)).rounded(.up)))
        let exact = values[rank - 1]
        let found = histogram.percentile(share)
        #expect(found >= exact && found <= exact + exact / 128, "share \(share): \(found), exactly \(exact)")
      }
    }
  }

  @Test("every bucket ends where the next begins")
  func buckets() {
    for index in 0..<Histogram.bucketCount - 1 {
      let top = Histogram.top(ofBucket: index)
      #expect(Histogram.bucket(of: top) == index)
      #expect(Histogram.bucket(of: top + 1) == index + 1)
    }
    #expect(Histogram.top(ofBucket: Histogram.bucketCount - 1) == Histogram.valueMax)
  }

  @Test("a value beyond the range is counted in the last bucket and kept as the largest")
  func beyond() {
    var histogram = Histogram()
    histogram.record(.max)
    #expect(histogram.largest == .max)
    #expect(histogram.percentile(1) == Histogram.valueMax)
  }

  @Test("an emptied histogram has no values")
  func emptied() {
    var histogram = Histogram()
    histogram.record(7)
    histogram.removeAll()
    #expect(histogram.count == 0)
    #expect(histogram.percentile(0.5) == 0)
  }
}
