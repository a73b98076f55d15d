import ImmutaLocking

// The consumers of a log that are open in this process: their positions must agree with the log, and they close with it.

extension OpenLog: ConsumedLog {
  var identity: LogIdentity? { reader.identity }

  /// Committed records.
  var count: Int { current.count }

  var knownStableCount: Int { count(.durable, reader) }

  var stableCount: Int {
    try? follower?.refreshStable()
    return knownStableCount
  }

  func place(_ number: Int) throws(ImmutaError) -> ConsumerMark.Place {
    guard number > firstSequence else { return ConsumerMark.Place(number) }
    do throws(ImmutaError) {
      let now = reader
      guard let entry = try entry(of: number - 1, now) else { return ConsumerMark.Place(number) }
      return ConsumerMark.Place(number, index: entry.index, time: keepsTimes(now) ? entry.time : 0)
    } catch .corrupted {
      return ConsumerMark.Place(number)
    } catch {
      if removal(of: number - 1) != nil { return ConsumerMark.Place(number) }
      throw error
    }
  }

  /// Whether a record's time is the one that was stored when it was committed.
  func keepsTimes(_ reader: LogReader) -> Bool { !reader.hasOwnEntries }

  /// Whether the record before a place is still the same one as when a consumer came there, as far as that is known.
  func isSame(_ place: ConsumerMark.Place) throws(ImmutaError) -> Bool {
    guard place.index > 0, place.number > firstSequence else { return true }
    let now = reader
    let known: CompanionEntry?
    do throws(ImmutaError) {
      known = try entry(of: place.number - 1, now)
    } catch .corrupted {
      return true
    } catch {
      if removal(of: place.number - 1) != nil { return true }
      throw error
    }
    guard let entry = known else { return true }
    if entry.index != place.index { return false }
    // An entry that was made again has another time; if records have checksums of their own, nothing marks it as made.
    if place.time == 0 || entry.isMade || now.format.hasPayloadChecksum || !keepsTimes(now) { return true }
    return entry.time == place.time
  }
}

/// Something that closes with a log.
protocol ClosesWithLog: AnyObject, Sendable {
  func closeWithLog()
}

extension PositionKeeper: ClosesWithLog {
  func closeWithLog() { close() }
}

/// The objects that close with a log; held weakly.
final class OpenConsumers: Sendable {
  private struct Held {
    weak var keeper: (any ClosesWithLog)?
  }

  private let held = Lock<[Held]>([])

  func add(_ keeper: any ClosesWithLog) {
    held.withLock { held in
      held.removeAll { $0.keeper == nil }
      held.append(Held(keeper: keeper))
    }
  }

  /// Returns when all are closed, also where another caller is closing them: so none is taken off the list before.
  func close() {
    for keeper in held.withLock({ $0.compactMap(\.keeper) }) { keeper.closeWithLog() }
  }
}
