import Immuta
import ImmutaLocking
import Solid

/// What a consumer needs to be a member of its group.
final class Membership: Sendable {
  /// Its number in the group. Held while it looks, gives up partitions and takes others.
  let seat = Lock<GroupSeat?>(nil)
  private let watch = Lock<GroupWatch?>(nil)

  func begin(_ watch: GroupWatch) {
    self.watch.withLock { $0 = watch }
    watch.begin()
  }

  func lookSoon() { watch.withLock { $0 }?.lookSoon() }

  func end() { watch.withLock { $0 }?.end() }

  /// For tests and measurements.
  var looks: Int { watch.withLock { $0 }?.looks ?? 0 }
  var isAtRest: Bool { watch.withLock { $0 }?.isAtRest ?? true }
}

// A consumer as a member of its group: it joins, takes its share of the partitions, and gives up any beyond that.
//
// Safe by the locks of the positions alone: one has a partition at a time, whatever anybody counted.

extension MessageConsumer {
  /// How often it has looked what the other members do, for tests and measurements.
  package var looks: Int { membership?.looks ?? 0 }

  /// Whether it does not look again before something is reported, for tests.
  package var isAtRest: Bool { membership?.isAtRest ?? true }

  /// Whether it is a member of its group: then its partitions change as others come and go.
  package var isShared: Bool { membership != nil }

  /// How many wait for a message, for tests.
  package var waiterCount: Int { changes.waiterCount }

  /// Joins the group, and takes what it can get.
  ///
  /// - Throws: `.foreignOwner`, `.io`.
  func join() throws(ImmutaError) {
    guard let membership else { return }
    let group = group
    try membership.seat.withLock { (seat) throws(ImmutaError) in seat = try group.join() }
    membership.begin(
      GroupWatch(folder: { (try? group.folder()) ?? nil }, look: { [weak self] in self?.look() }))
  }

  /// Takes named partitions, all of them or none.
  ///
  /// - Throws: `.consumerInUse`, and what else opening a consumer of a log does.
  func take(_ partitions: [Int]) throws(ImmutaError) {
    do throws(ImmutaError) {
      for partition in partitions {
        let consumer = try store.log(partition).consumer(name, creating: false)
        if !holdings.withLock({ $0.add(partition, consumer) }) { throw .storageClosed }
      }
    } catch {
      close()
      throw error
    }
  }

  private func look() {
    membership?.seat.withLock { seat in
      guard holdings.withLock({ $0.ending }) == nil else { return }
      var faults: [ImmutaError] = []
      do throws(ImmutaError) {
        let (place, count) = try place(&seat)
        let share = GroupPlan.share(of: place, among: count, store.partitionCount)
        giveUp(keeping: share)
        faults = take(share, GroupPlan.order(for: place, among: count, store.partitionCount))
      } catch {
        faults = [error]
      }
      holdings.withLock { $0.note(faults) }
      if !faults.isEmpty { changes.notify() }
    }
  }

  /// Its place among the live members, and how many there are.
  private func place(_ seat: inout GroupSeat?) throws(ImmutaError) -> (place: Int, count: Int) {
    if let seat, let numbers = try group.numbers(with: seat), let place = numbers.firstIndex(of: seat.number) {
      return (place, numbers.count)
    }
    // Somebody removed the file: so nobody sees this member, and another may get the number.
    seat?.leave()
    seat = nil
    let new = try group.join()
    seat = new
    let numbers = try group.numbers(with: new) ?? [new.number]
    return (numbers.firstIndex(of: new.number) ?? 0, max(1, numbers.count))
  }

  private func giveUp(keeping share: Int) {
    let (given, isOneKept) = holdings.withLock { $0.keep(share) }
    if isOneKept { changes.notify() }
    if given.isEmpty { return }
    for consumer in given { consumer.close() }
    group.prompt()
  }

  /// Takes partitions that nobody has, until it has its share; returns what was wrong with some.
  private func take(_ share: Int, _ order: [Int]) -> [ImmutaError] {
    var faults: [ImmutaError] = []
    for partition in order {
      let (count, has) = holdings.withLock { ($0.count, $0.has(partition)) }
      if count >= share { break }
      if has { continue }
      do throws(ImmutaError) {
        let consumer = try store.log(partition).consumer(name, creating: false)
        if !holdings.withLock({ $0.add(partition, consumer) }) {
          consumer.close()
          break
        }
        changes.notify()
      } catch {
        if case .consumerInUse = error { continue }
        faults.append(error)
      }
    }
    return faults
  }

  /// Lets others have its partitions, and leaves its group. Positions are on stable storage then. Messages that were delivered
  /// but not acknowledged are delivered to others at once: so finish with them first. Callers that wait for a message get
  /// `.consumerClosed`. Closing the store closes its consumers, too. Idempotent; blocks for a flush for each partition.
  public func close() { end(.consumerClosed(name)) }

  /// The first reason counts.
  func end(_ reason: ImmutaError) {
    membership?.end()
    let (isFirst, held) = holdings.withLock { holdings in (holdings.ending == nil, holdings.end(reason)) }
    changes.notify()
    for consumer in held { consumer.close() }
    membership?.seat.withLock { seat in
      seat?.leave()
      seat = nil
    }
    if isFirst { group.prompt() }
  }
}
