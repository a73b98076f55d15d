import Hummingbird
import Immuta

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// The parameters of a request, each checked: they come from outside.
struct Query {
  let request: Request

  /// A whole number in a range; nil where the parameter is not there.
  func number(_ name: String, in range: ClosedRange<Int>) throws(Failure) -> Int? {
    guard let text = request.uri.queryParameters.get(name) else { return nil }
    return try Self.number(text, called: name, in: range)
  }

  static func number(
    _ text: some StringProtocol, called name: String, in range: ClosedRange<Int>
  ) throws(Failure) -> Int {
    guard let number = Int(text), range.contains(number) else {
      let (least, most) = (range.lowerBound, range.upperBound)
      let bounds = most == .max ? "\(least) or more" : "\(least) to \(most)"
      throw .badRequest("“\(name)” must be a whole number, \(bounds).")
    }
    return number
  }

  /// A text; nil where the parameter is not there, or empty.
  func text(_ name: String, atMost count: Int) throws(Failure) -> String? {
    guard let text = request.uri.queryParameters.get(name), !text.isEmpty else { return nil }
    guard text.utf8.count <= count else { throw .badRequest("“\(name)” must have \(count) bytes at most.") }
    return text
  }

  /// A moment: milliseconds since the beginning of 1970, or ISO 8601; nil where the parameter is not there.
  func moment(_ name: String) throws(Failure) -> Timestamp? {
    guard let text = request.uri.queryParameters.get(name) else { return nil }
    if let milliseconds = Int64(text) {
      let (nanoseconds, overflows) = milliseconds.multipliedReportingOverflow(by: 1_000_000)
      if !overflows { return Timestamp(nanosecondsSince1970: nanoseconds) }
    } else if let seconds = Self.seconds(text), abs(seconds) < 9_000_000_000 {
      return Timestamp(nanosecondsSince1970: Int64((seconds * 1000).rounded()) * 1_000_000)
    }
    throw .badRequest(
      "“\(name)” must be a time such as 2026-11-26T10:30:00Z, or milliseconds since the beginning of 1970.")
  }

  private static func seconds(_ text: String) -> Double? {
    let styles = [false, true].map { Date.ISO8601FormatStyle(includingFractionalSeconds: $0) }
    return styles.lazy.compactMap { try? $0.parse(text) }.first?.timeIntervalSince1970
  }
}
