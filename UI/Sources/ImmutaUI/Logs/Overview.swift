import Immuta
import ImmutaLogStore

/// The logs of the directory, some of them at a time: an answer.
struct Overview: Encodable {
  let directory: String
  /// How many logs there are.
  let total: Int
  /// The store of partitions that the directory is; nil where it is none.
  let store: StoreShape?
  /// Namespaces, and then partitions.
  let namespaces: [LogShape]
  /// What to ask for next: `after` of the next request; nil after the last.
  let next: String?

  /// Those with a name after this one, in order.
  init(_ shelf: LogShelf, after name: String?, count: Int) async throws {
    directory = shelf.directory
    let store = try await Self.store(of: shelf)
    self.store = store
    let names = try await shelf.namespaces() + (0..<(store?.partitions ?? 0)).map(LogName.partition)
    total = names.count
    let rest = names.drop { other in name.map { other <= LogName($0) } ?? false }
    var shapes: [LogShape] = []
    for name in rest.prefix(count) {
      do {
        shapes.append(try await shelf.withShownLog(name) { LogShape($0, try $0.log.details) })
      } catch let error as ImmutaError {
        // Another program may have removed it in between.
        if case .namespaceNotFound = error { continue }
        shapes.append(LogShape(unreadable: name, error))
      }
    }
    namespaces = shapes
    next = rest.count > count ? rest.prefix(count).last.map { "\($0)" } : nil
  }

  private static func store(of shelf: LogShelf) async throws -> StoreShape? {
    do {
      return try await shelf.store().map { StoreShape(partitions: $0.partitionCount, routing: $0.routing.name) }
    } catch let error as ImmutaError {
      return StoreShape(error: Failure(error).message)
    }
  }
}

/// All that is known of one log without reading it: an answer.
struct LogReport: Encodable {
  let log: LogShape
  /// Nil where there are too many to look at in one go.
  let segments: [SegmentShape]?
  let consumers: [ConsumerShape]

  static let mostSegments = 2_000

  init(_ shown: ShownLog) throws {
    let log = shown.log
    let details = try log.details
    self.log = LogShape(shown, details)
    segments = details.segmentCount > Self.mostSegments ? nil : try log.segments().map(SegmentShape.init)
    consumers = try log.consumers.map(ConsumerShape.init)
  }
}
