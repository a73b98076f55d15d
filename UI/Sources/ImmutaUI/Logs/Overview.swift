import Immuta

/// The logs of the directory, some of them at a time: an answer.
struct Overview: Encodable {
  let directory: String
  /// How many logs there are.
  let total: Int
  let namespaces: [LogShape]
  /// What to ask for next: `after` of the next request; nil after the last.
  let next: String?

  /// Those with a name after this one, in order.
  init(_ shelf: LogShelf, after name: String?, count: Int) async throws {
    directory = shelf.directory
    let names = try await shelf.names()
    total = names.count
    let rest = names.drop { other in name.map { other <= $0 } ?? false }
    var shapes: [LogShape] = []
    for name in rest.prefix(count) {
      do {
        shapes.append(try await shelf.withLog(name) { log in LogShape(try log.details, records: log.numbers.count) })
      } catch let error as ImmutaError {
        // Another program may have removed it in between.
        if case .namespaceNotFound = error { continue }
        shapes.append(LogShape(unreadable: name, error))
      }
    }
    namespaces = shapes
    next = rest.count > count ? rest.prefix(count).last : nil
  }
}

/// All that is known of one log without reading it: an answer.
struct LogReport: Encodable {
  let log: LogShape
  /// Nil where there are too many to look at in one go.
  let segments: [SegmentShape]?
  let consumers: [ConsumerShape]

  static let mostSegments = 2_000

  init(_ log: Log) throws {
    let details = try log.details
    self.log = LogShape(details, records: log.numbers.count)
    segments = details.segmentCount > Self.mostSegments ? nil : try log.segments().map(SegmentShape.init)
    consumers = try log.consumers.map(ConsumerShape.init)
  }
}
