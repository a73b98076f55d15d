import Immuta

/// A log that is made a copy of another one, record by record, each with an id that says which it is.
protocol MirrorTarget: Sendable {
  associatedtype Records: LogStream

  /// How many records the copy has, by the authority that decides it, and the id of the last; nil if there is none, or it has no
  /// id.
  func end() async throws -> (count: Int, lastID: String?)

  /// Its records, from a number on.
  func records(from number: Int) -> Records

  /// Appends records of these ids, in order, if the log has exactly so many. Returns when all are acknowledged. If it throws, the
  /// first of them may be there, or all.
  func append(_ records: [(payload: Payload, id: String)], expecting count: Int) async throws
}

/// By which a record of a log is known in its copies.
enum MirrorID {
  static func of(_ number: Int, in identity: LogIdentity) -> String { "\(identity):\(number)" }
}
