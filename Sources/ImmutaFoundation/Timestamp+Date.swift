public import Foundation
public import Immuta

extension Timestamp {
  /// The moment of a date.
  ///
  /// A `Date` counts seconds in a `Double`. In our days it is exact to about 120 nanoseconds, so two records close together may
  /// have the same date: keep the timestamp to tell them apart. A timestamp holds moments from 1677 to 2262, and a date outside
  /// them, such as `.distantFuture`, becomes the first or the last of them. O(1). Traps if the date is not a number.
  public init(_ date: Date) {
    let seconds = date.timeIntervalSinceReferenceDate
    precondition(!seconds.isNaN, "a date that is not a number is no moment")
    let whole = seconds.rounded(.down)
    guard let wholeSeconds = Int64(exactly: whole) else {
      self.init(nanosecondsSince1970: whole < 0 ? .min : .max)
      return
    }
    // Whole seconds and the rest apart: in one product, the last digits would be lost.
    let nanoseconds = Int64(((seconds - whole) * 1_000_000_000).rounded())
    let (since1970, isBeyond) = wholeSeconds.addingReportingOverflow(Self.referenceDate)
    let (product, isTooFar) = since1970.multipliedReportingOverflow(by: 1_000_000_000)
    let (sum, isOver) = product.addingReportingOverflow(nanoseconds)
    self.init(nanosecondsSince1970: isBeyond || isTooFar || isOver ? (whole < 0 ? .min : .max) : sum)
  }

  /// Foundation's dates count from 2001-01-01T00:00:00Z: so many seconds after 1970.
  fileprivate static let referenceDate: Int64 = 978_307_200
}

extension Date {
  /// The date of a record's timestamp, exact to about 120 nanoseconds in our days. O(1).
  public init(_ timestamp: Timestamp) {
    let (seconds, nanoseconds) = timestamp.nanosecondsSince1970.quotientAndRemainder(dividingBy: 1_000_000_000)
    self.init(
      timeIntervalSinceReferenceDate: Double(seconds - Timestamp.referenceDate) + Double(nanoseconds) / 1_000_000_000)
  }
}
