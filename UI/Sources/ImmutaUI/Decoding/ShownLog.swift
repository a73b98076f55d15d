import Immuta

/// A log that is open, and what is shown of its payloads.
struct ShownLog: Sendable {
  let name: LogName
  let log: Log
  let showing: Showing
}

/// What is shown of a log's payloads.
enum Showing: Sendable, Equatable {
  /// The bytes that were appended: there is no codec.
  case appended
  /// The bytes that were appended, which a codec has decoded.
  case decoded
  /// The bytes that are stored, and why they are not decoded: a sentence without its full stop.
  case stored(because: String)

  /// As answers call it.
  var name: String {
    switch self {
    case .appended: "appended"
    case .decoded: "decoded"
    case .stored: "stored"
    }
  }

  /// Why payloads are not decoded; nil where they are, or need not be.
  var reason: String? {
    if case .stored(let reason) = self { reason } else { nil }
  }
}
